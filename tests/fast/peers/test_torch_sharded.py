"""torch over ranks: what passes, and faults of sharding that a named check has to find."""

# ruff: noqa: E402 - the imports after the skip need torch

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from truestep.fast.peers.torch_sharded.ranks import RankFailed, available, ranks

if not available():
    pytest.skip("torch has no gloo here, or the system does not fork", allow_module_level=True)

from torch import distributed
from torch.distributed.algorithms.ddp_comm_hooks import powerSGD_hook

from truestep.fast.peers.torch_sharded import averaging, checkpoints, ways
from truestep.fast.peers.torch_sharded.backend import Backend, distributed_muon
from truestep.fast.peers.torch_sharded.replicas import ReplicasDiffer, same
from truestep.fast.peers.torch_sharded.rows import parted
from truestep.fast.protocol import Capability, Group, Inputs, Level, Outputs
from truestep.properties.judge.results import CheckResult
from truestep.properties.run.plan import checks_of, run_check
from truestep.properties.search import exploration
from truestep.reference.training import TRAINING

# JAX, which another test may have loaded, warns of every fork; ranks have nothing to do with it.
pytestmark = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")


@pytest.fixture(autouse=True)
def _unsimplified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exploration, "SIMPLER", 0)


@pytest.fixture(scope="module", autouse=True)
def _ended() -> Any:
    """The ranks that the tests have started end with them."""
    yield
    for size in (1, 2, 3, 4):
        ranks(size).end()


def _result(backend: Any, name: str, level: Level = "smoke") -> CheckResult:
    [check] = [check for check in checks_of(backend) if check.id == name]
    return run_check(backend, check, level=level, seed=1)


SGD = "optimizer/sgd/float32/{}/{}"
CLIP = "training/clip_by_global_norm/float32/fully_shard_2/{}"
MEAN = "training/data_parallel/float32/{}/{}"


@pytest.mark.parametrize(
    "name",
    [
        SGD.format("checkpoint_2", "update_alone"),
        SGD.format("dtensor_2", "lockstep"),
        SGD.format("fully_shard_2", "lockstep"),
        SGD.format("zero_2", "lockstep"),
        CLIP.format("values"),
        MEAN.format("ddp_no_sync", "values"),
        MEAN.format("fully_shard_no_sync", "values"),
        MEAN.format("fully_shard", "law:equivariant_under_order_of_tensors"),
    ],
)
def test_what_torch_does_over_ranks_passes(name: str) -> None:
    """Uneven and empty parts, several ranks, their order."""
    result = _result(Backend(), name)
    assert result.verdict == "pass", result.message


def test_no_theorem_is_run_over_ranks() -> None:
    """An experiment takes thousands of steps, and each of them messages."""
    assert {check.kind for check in checks_of(Backend())} == {"optimizer", "training"}


# Faults, each in what a rank runs in the place of ways.stepped.
def _late(x: torch.Tensor) -> torch.Tensor:
    """The elements that every rank would have whose parts begin one element late."""
    return torch.roll(x.reshape(-1), -1).reshape(x.shape)


def boundary_off_by_one(*asked: Any) -> Any:
    """Gradients are cut one element late."""
    right = ways.like
    ways.like = lambda param, x: right(param, _late(x))
    try:
        return ways.stepped(*asked)
    finally:
        ways.like = right


def state_not_loaded(way: str, capability: Capability, groups: Sequence[Group]) -> Any:
    """The last rank begins with a state of zeros."""
    right = ways.like

    def like(param: Any, x: torch.Tensor) -> Any:
        lost = param.grad is not None and distributed.get_rank() == 1
        return right(param, torch.zeros_like(x) if lost else x)

    ways.like = like
    try:
        return ways.stepped(way, capability, groups)
    finally:
        ways.like = right


def empty_part_crashes(way: str, capability: Capability, groups: Sequence[Group]) -> Any:
    """A rank without a part of some tensor divides by the number of its elements."""
    right = ways.like

    def like(param: Any, x: torch.Tensor) -> Any:
        _ = 1 / param.to_local().numel()
        return right(param, x)

    ways.like = like
    try:
        return ways.stepped(way, capability, groups)
    finally:
        ways.like = right


def replicas_diverge(way: str, capability: Capability, groups: Sequence[Group]) -> Any:
    """The last rank's parameters are one unit beside the others'."""
    results = ways.stepped(way, capability, groups)
    if distributed.get_rank() == 1:
        for new in (new for group in results for new in group):
            new.param[...] = np.nextafter(new.param, np.float32(np.inf))
    return results


def part_not_loaded(folder: str, capability: Capability, groups: Sequence[Group]) -> Any:
    """The last of the ranks that load goes on with what it had before."""
    right = checkpoints.checkpoint.load

    def load(held: Any, checkpoint_id: str) -> None:
        right(held, checkpoint_id=checkpoint_id)
        if distributed.get_rank() == 1:
            for tensor in held["states"].values():
                tensor.to_local().fill_(1.0)

    checkpoints.checkpoint.load = load
    try:
        return LOADED(folder, capability, groups)
    finally:
        checkpoints.checkpoint.load = right


LOADED = checkpoints._loaded


def test_a_part_of_a_checkpoint_that_is_not_loaded_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Saved by four ranks, loaded by two."""
    monkeypatch.setattr(checkpoints, "_loaded", part_not_loaded)
    result = _result(Backend(), SGD.format("checkpoint_2", "update_alone"))
    assert result.verdict == "fail", result.message


class Faulty(Backend):
    """torch over ranks, with a fault in what they run."""

    def __init__(self, fault: Callable[..., Any]) -> None:
        super().__init__()
        self._fault = fault

    def optimizer_step(self, capability: Capability, groups: Sequence[Group]) -> Any:
        way, size = parted(capability.variant)
        return same(ranks(size).call(self._fault, way, capability, groups))


@pytest.mark.parametrize(
    ("fault", "name", "told"),
    [
        (boundary_off_by_one, SGD.format("fully_shard_2", "update_alone"), "due is"),
        (state_not_loaded, SGD.format("fully_shard_2", "lockstep"), "due is"),
        (empty_part_crashes, SGD.format("fully_shard_2", "strata"), "ZeroDivisionError"),
        (replicas_diverge, SGD.format("zero_2", "combinations"), "do not hold the same bits"),
    ],
)
def test_a_fault_of_parts_is_found(fault: Callable[..., Any], name: str, told: str) -> None:
    """By the check that is named, and for its own reason."""
    result = _result(Faulty(fault), name)
    assert result.verdict in ("crashed", "fail")
    assert told in result.message


def neighbours_matrix(capability: Capability, groups: Sequence[Group]) -> Any:
    """The ranks send what they have not stepped."""
    right = distributed.all_gather

    def late(into: Sequence[torch.Tensor], own: torch.Tensor) -> None:
        right(into, into[(distributed.get_rank() + 1) % len(into)].clone())

    muon = pytest.importorskip("pytorch_optimizer.optimizer.muon.distributed_muon")
    muon.all_gather = late
    try:
        return OF_RANK(capability, groups)
    finally:
        muon.all_gather = right


def first_ranks_momentum(capability: Capability, groups: Sequence[Group]) -> Any:
    """All momenta are read off the first rank, which has not moved those of the others."""
    right = distributed.broadcast
    distributed.broadcast = lambda x, src: right(x, src=0)
    try:
        return OF_RANK(capability, groups)
    finally:
        distributed.broadcast = right


OF_RANK = getattr(distributed_muon, "_of_rank", None)


@pytest.mark.skipif(distributed_muon is None, reason="pytorch-optimizer is not installed")
@pytest.mark.parametrize("fault", [None, neighbours_matrix, first_ranks_momentum])
def test_matrices_that_one_rank_steps_reach_all(
    fault: Callable[..., Any] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And only they."""
    if fault:
        monkeypatch.setattr(distributed_muon, "_of_rank", fault)
    result = _result(Backend(), "optimizer/muon/float32/distributed_2/lockstep", "standard")
    assert result.verdict == ("fail" if fault else "pass"), result.message


def own_norm(gradients: Sequence[Any], max_norm: float) -> Any:
    """Every rank clips by the norm of what it has itself."""
    right = torch.nn.utils.clip_grad_norm_

    def clip(params: Sequence[Any], limit: float) -> Any:
        total = right(params, np.inf).full_tensor()
        local = [param.grad.to_local() for param in params]
        own = torch.stack([x.norm() for x in local]).norm()
        for x in local:
            x.mul_(torch.clamp(limit / (own + 1e-6), max=1.0))
        return right(params, np.inf) * 0 + total

    torch.nn.utils.clip_grad_norm_ = clip
    try:
        return averaging.clipped(gradients, max_norm)
    finally:
        torch.nn.utils.clip_grad_norm_ = right


def _hook(shares: Callable[[int], float]) -> Callable[..., Any]:
    """A hook of DistributedDataParallel that adds such shares of the gradients."""

    def hook(state: object, bucket: Any) -> Any:
        sent = bucket.buffer() * shares(distributed.get_world_size())
        work = distributed.all_reduce(sent, async_op=True)
        return work.get_future().then(lambda done: done.value()[0])

    # torch looks at the types themselves.
    future = torch.futures.Future[torch.Tensor]
    hook.__annotations__ = {"bucket": distributed.GradBucket, "return": future}
    return hook


def sums(gradients: Sequence[Any]) -> Any:
    """The world's size is forgotten."""
    averaging.HOOKS["float32"] = _hook(lambda size: 1.0)
    return averaging.by_ddp(gradients, False, "float32")


def halves_of_means(gradients: Sequence[Any]) -> Any:
    """It is divided by twice."""
    averaging.HOOKS["float32"] = _hook(lambda size: 1 / size**2)
    return averaging.by_ddp(gradients, False, "float32")


def alone(gradients: Sequence[Any]) -> Any:
    """The last rank keeps its own gradient."""
    averaged = averaging.by_ddp(gradients, False, "")
    last = distributed.get_rank() == len(gradients) - 1
    return gradients[-1] if last else averaged


class FaultyPiece(Backend):
    """torch over ranks, with a fault in a piece of the training loop."""

    def __init__(self, fault: Callable[..., Any]) -> None:
        super().__init__()
        self._fault = fault

    def training_piece(self, capability: Capability, hyper: Any, inputs: Inputs) -> Outputs:
        gradients = inputs["gradients"]
        if capability.rule == "data_parallel":
            return {"averaged": ranks(len(gradients)).call(self._fault, gradients)}
        clipped, norm = same(ranks(2).call(self._fault, gradients, hyper.max_norm))
        return {"clipped": clipped, "norm": norm}


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (own_norm, CLIP.format("at_the_threshold")),
        (sums, MEAN.format("ddp", "law:mean_of_equal_gradients_is_the_gradient")),
        (halves_of_means, MEAN.format("ddp", "law:mean_of_equal_gradients_is_the_gradient")),
        (alone, MEAN.format("ddp", "law:replicas_get_the_same_bits")),
    ],
)
def test_a_fault_of_means_and_norms_is_found(fault: Callable[..., Any], name: str) -> None:
    """By the check that is named, as numbers that are wrong."""
    result = _result(FaultyPiece(fault), name)
    assert result.verdict == "fail", result.message


def by_power_sgd(gradients: Sequence[Any], feedback: bool) -> Any:
    """What is sent of matrices at rank one, step by step, and what this rank holds back."""
    shape = gradients[0][0].shape
    model = averaging._loss(torch.zeros(shape), torch.float32)
    parallel = torch.nn.parallel.DistributedDataParallel(model, init_sync=False)
    state = powerSGD_hook.PowerSGDState(
        None, start_powerSGD_iter=2, use_error_feedback=feedback, min_compression_rate=0.1
    )
    parallel.register_comm_hook(state, powerSGD_hook.powerSGD_hook)
    sent = []
    for step in gradients[distributed.get_rank()]:
        model.weight.grad = None
        parallel(torch.from_numpy(step)).backward()
        sent.append(model.weight.grad.numpy().copy())
    held = [x.numpy().reshape(shape) for x in state.error_dict.values()]
    return sent, sum(held, np.zeros(shape, np.float32))


@pytest.mark.parametrize("feedback", [True, False])
def test_what_power_sgd_holds_back_is_sent_later(feedback: bool) -> None:
    """All that is sent, and what is left, add up to all gradients; not where it is forgotten."""
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((2, 6, 5, 4)).astype(np.float32)
    (sent, first), (others, second) = ranks(2).call(by_power_sgd, list(gradients), feedback)
    assert np.array_equal(sent, others)
    total = np.sum(sent, axis=0, dtype=np.float64) + (first.astype(np.float64) + second) / 2
    due = gradients.astype(np.float64).mean(axis=0).sum(axis=0)
    # At every step and rank: a product and a sum by step, with what is held back in them.
    size = 6 * np.linalg.norm(gradients.reshape(12, -1), axis=1).max()
    unit = 2.0**-24
    within = np.linalg.norm(total - due) <= 6 * 20 * unit * size
    assert within == feedback


def _raise(rank: int) -> int:
    if distributed.get_rank() == rank:
        raise ValueError("of this rank")
    return distributed.get_rank()


def test_a_rank_that_raises_is_named_and_the_next_call_has_new_ranks() -> None:
    """And the ranks answer in their order."""
    with pytest.raises(RankFailed, match=r"rank 1 of 2: (?s:.*)ValueError: of this rank"):
        ranks(2).call(_raise, 1)
    assert ranks(2).call(_raise, 2) == [0, 1]


def test_replicas_are_compared_bit_for_bit() -> None:
    """Zeros of both signs are not the same, and a nan is."""
    assert same([[np.float32([np.nan])], [np.float32([np.nan])]])
    with pytest.raises(ReplicasDiffer, match="ranks 0 and 1"):
        same([[np.zeros(1)], [-np.zeros(1)]])


def test_the_mean_of_three_ranks_is_one_third_of_the_sum() -> None:
    """No power of two, and one element for three ranks."""
    [capability] = [
        c
        for c in Backend().capabilities()
        if c.kind == "training" and (c.variant, c.format) == ("fully_shard", "float32")
    ]
    gradients = [np.float32([x]) for x in (1.0, 2.0, 6.0)]
    hyper = TRAINING["data_parallel"].Hyper()
    inputs = {"gradients": gradients, "sizes": [1, 1, 1]}
    got = Backend().training_piece(capability, hyper, inputs)
    assert [x.tolist() for x in got["averaged"]] == [[3.0]] * 3
