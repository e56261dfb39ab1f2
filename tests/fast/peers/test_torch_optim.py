"""torch.optim behind the protocol: arrays cross unchanged, inputs stay as they were."""

# ruff: noqa: E402 - the imports after the skip need torch

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="torch is not installed")

from truestep.fast import discovery
from truestep.fast.peers.torch.backend import Backend
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Capability, Group, Slot, numpy_dtype
from truestep.properties.arithmetic import lift
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.cases.hypers import held
from truestep.properties.judge.contracts import judge
from truestep.properties.kinds.optimizer.step import ORACLE
from truestep.reference.optimizers import OPTIMIZERS

BACKEND = Backend()
FORMATS = ("bfloat16", "float16", "float32", "float64")
EAGER = [
    c
    for c in BACKEND.capabilities()
    if c.kind == "optimizer" and c.variant != "compiled" and c.shapes != "matrices"
]

# Departures that a plain step shows, by the pattern of "rule/format/variant"; see FINDINGS.
DEPARTING = (
    "adagrad/*float16/fused*",
    "asgd/float64/*",
    "*/float64/*differentiable",
    "nadam/float64/*",
    "nesterov/*float16/fused",
    "polyak_ruppert/float64/swa_multi",
    "sgd/*float16/fused",
)


def _departs(capability: Capability) -> bool:
    place = f"{capability.rule}/{capability.format}/{capability.variant}"
    return any(fnmatch.fnmatchcase(place, pattern) for pattern in DEPARTING)


def _name(capability: Capability) -> str:
    return f"{capability.rule}-{capability.variant}-{capability.format}"


def _layouts(x: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """One 2-d array in every layout an adapter can be handed."""
    rows, columns = x.shape
    yield x
    yield np.asfortranarray(x)
    wide = np.zeros((rows, 2 * columns + 1), x.dtype)
    wide[:, 1::2] = x
    yield wide[:, 1::2]
    offset = np.zeros(x.size + 3, x.dtype)
    offset[3:] = x.reshape(-1)
    yield offset[3:].reshape(x.shape)
    yield np.ascontiguousarray(x[::-1])[::-1]
    frozen = x.copy()
    frozen.setflags(write=False)
    yield frozen


def _slot(
    capability: Capability, rng: np.random.Generator, hyper: Any, shape: tuple[int, ...], t: int
) -> Slot:
    rule = OPTIMIZERS[capability.rule]
    dtype = numpy_dtype(capability.format)
    param, grad, past = (np.asarray(rng.standard_normal(shape)).astype(dtype) for _ in range(3))
    state = rule.init(hyper, param.astype(np.float64))
    if t:
        inputs = _inputs(rule, rng, shape, np.float64)
        wide = (x.astype(np.float64) for x in (param, past))
        state, _ = rule.step(hyper, state, *wide, **inputs)
    fields = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    tensors = {name: np.asarray(x).astype(dtype) for name, x in fields.items() if name != "t"}
    return Slot(param, grad, {**tensors, "t": t}, _inputs(rule, rng, shape, dtype))


def _inputs(
    rule: Any, rng: np.random.Generator, shape: tuple[int, ...], dtype: Any
) -> dict[str, Any]:
    """What the rule takes besides the gradient."""
    shapes = {name: of(shape) for name, of in rule.FACTS.inputs.items()}
    return {k: np.asarray(rng.standard_normal(s)).astype(dtype) for k, s in shapes.items()}


def _hyper(capability: Capability, lr: float) -> Any:
    rule = OPTIMIZERS[capability.rule]
    known = {"momentum": 0.9, "dampening": 0.25, "weight_decay": 0.1, "eps": 1e-3}
    names = {field.name for field in dataclasses.fields(rule.Hyper)} - set(rule.DIALECTS)
    chosen = {name: value for name, value in known.items() if name in names}
    fixed = held(capability.fixed)
    return rule.Hyper(**{**chosen, "lr": lr, **capability.dialect, **fixed})


def test_the_backend_loads_by_name() -> None:
    """Its declarations pass the checks that outsiders' backends must pass."""
    assert discovery.load("torch").name == "torch"


@pytest.mark.parametrize("format", FORMATS)
def test_arrays_cross_with_their_values_strides_and_bits(format: str) -> None:
    """There and back bit for bit, in every layout; strides survive where torch can hold them."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 4)).astype(numpy_dtype(format))
    for array in _layouts(x):
        tensor = to_tensor(array)
        assert not np.shares_memory(from_tensor(tensor), array)
        assert from_tensor(tensor).tobytes() == array.tobytes()
        assert from_tensor(tensor).dtype == array.dtype
        if min(array.strides) > 0:
            assert from_tensor(tensor).strides == array.strides


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 0, 3)])
def test_scalars_and_empty_arrays_cross(shape: tuple[int, ...]) -> None:
    """Shape and dtype are kept where there is nothing, or one element, to copy."""
    for format in FORMATS:
        array = np.ones(shape, numpy_dtype(format))
        back = from_tensor(to_tensor(array))
        assert back.shape == shape
        assert back.dtype == array.dtype
        assert back.tobytes() == array.tobytes()


def test_overlapping_elements_are_separated() -> None:
    """A broadcast array could not be updated in place: it arrives as one of its own."""
    tensor = to_tensor(np.broadcast_to(np.float32(2.0), (3, 2)))
    tensor[0, 0] = 5.0
    assert tensor.tolist() == [[5.0, 2.0], [2.0, 2.0], [2.0, 2.0]]


@pytest.mark.parametrize("capability", EAGER, ids=_name)
def test_groups_keep_their_hyperparameters_and_inputs_stay(capability: Capability) -> None:
    """Each slot of two groups that differ in lr is judged by its own; no input is written."""
    rng = np.random.default_rng(1)
    arithmetic = arithmetic_of(capability.arithmetic)
    rule = OPTIMIZERS[capability.rule]
    for t in (0, 7):
        groups = []
        for lr in (0.01, 0.5):
            hyper = _hyper(capability, lr)
            shapes = [(5,), (0,) if capability.shapes == "any" else (1,), (), (4, 4)]
            groups.append(Group(hyper, [_slot(capability, rng, hyper, s, t) for s in shapes]))
        before = [_bits(slot) for group in groups for slot in group.slots]
        result = BACKEND.optimizer_step(capability, groups)
        assert [_bits(slot) for group in groups for slot in group.slots] == before
        assert [len(stepped) for stepped in result] == [4, 4]
        for group, stepped in zip(groups, result, strict=True):
            for slot, new in zip(group.slots, stepped, strict=True):
                assert new.param.shape == slot.param.shape
                assert new.param.dtype == slot.param.dtype
                assert new.state["t"] == t + 1
                bound = lift.stepped(rule, group.hyper, slot, lift.bounded(arithmetic))
                oracle = lift.stepped(rule, group.hyper, slot, lift.bounded(ORACLE))
                for name, expected in bound.items():
                    got = new.param if name == "p" else new.state[name]
                    truth = oracle[name]
                    if not (isinstance(expected, Bounded) and isinstance(truth, Bounded)):
                        continue
                    if got.size and not _departs(capability):
                        assert judge(got, expected, truth).passed, (name, slot)


def _bits(slot: Slot) -> dict[str, bytes]:
    return {
        "param": slot.param.tobytes(),
        "grad": slot.grad.tobytes(),
        **{name: np.asarray(value).tobytes() for name, value in slot.state.items()},
    }


def test_state_that_comes_back_goes_in_again() -> None:
    """Two steps through the protocol are bitwise the two steps of one live optimizer."""
    capability = next(c for c in EAGER if _name(c) == "adamw-single-bfloat16")
    rng = np.random.default_rng(2)
    hyper = _hyper(capability, 0.1)
    slot = _slot(capability, rng, hyper, (6,), 0)
    param = to_tensor(slot.param)
    live = torch.optim.AdamW(
        [param],
        lr=0.1,
        betas=(hyper.beta1, hyper.beta2),
        eps=hyper.eps,
        weight_decay=hyper.weight_decay,
        foreach=False,
    )
    for _ in range(2):
        param.grad = to_tensor(slot.grad)
        live.step()
        [[stepped]] = BACKEND.optimizer_step(capability, [Group(hyper, [slot])])
        slot = Slot(stepped.param, slot.grad, stepped.state)
    assert slot.param.tobytes() == from_tensor(param).tobytes()
    assert slot.state["v"].tobytes() == from_tensor(live.state[param]["exp_avg_sq"]).tobytes()
    assert slot.state["t"] == 2


def test_without_momentum_the_buffer_is_left_alone() -> None:
    """torch keeps no buffer then; the reference's comes back as a copy."""
    capability = next(c for c in EAGER if _name(c) == "sgd-single-float32")
    hyper = OPTIMIZERS["sgd"].Hyper(lr=0.5)
    slot = _slot(capability, np.random.default_rng(3), hyper, (4,), 3)
    [[stepped]] = BACKEND.optimizer_step(capability, [Group(hyper, [slot])])
    assert stepped.state["b"].tobytes() == slot.state["b"].tobytes()
    assert not np.shares_memory(stepped.state["b"], slot.state["b"])


def test_no_groups_and_empty_groups_are_answered_in_kind() -> None:
    """torch refuses an empty parameter list; the nesting still comes back."""
    capability = EAGER[0]
    assert BACKEND.optimizer_step(capability, []) == []
    assert BACKEND.optimizer_step(capability, [Group(_hyper(capability, 0.1), [])]) == [[]]
