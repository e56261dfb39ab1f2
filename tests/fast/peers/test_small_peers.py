"""Small libraries of torch optimizers behind the protocol: each is judged, inputs stay."""

# ruff: noqa: E402 - the imports after the skip need torch

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

torch = pytest.importorskip("torch", reason="torch is not installed")

from truestep.fast import discovery
from truestep.fast.protocol import BackendUnavailable, Capability, Group, Slot, numpy_dtype
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.optimizers import OPTIMIZERS

LIBRARIES = (
    "adam_atan2_pytorch", "apollo_torch", "galore_torch", "lion_pytorch", "schedulefree",
    "transformers",
)  # fmt: skip
# Probability that a test of a random matrix fails by chance.
FALSE_ALARM = 1e-9


def _backend(name: str) -> Any:
    try:
        return discovery.load(name)
    except BackendUnavailable as reason:
        pytest.skip(str(reason))


def _slot(capability: Capability, hyper: Any, shape: tuple[int, ...], seed: int) -> Slot:
    rng = np.random.default_rng(seed)
    rule, dtype = OPTIMIZERS[capability.rule], numpy_dtype(capability.format)
    p, g = (np.asarray(rng.standard_normal(shape)) for _ in range(2))
    state = rule.init(hyper, p)
    for _ in range(3):
        state, _ = rule.step(hyper, state, p, np.asarray(rng.standard_normal(shape)))
    fields = {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}
    tensors = {k: np.asarray(x).astype(dtype) for k, x in fields.items() if k != "t"}
    return Slot(p.astype(dtype), g.astype(dtype), {"t": 3, **tensors})


def _first(backend: Any) -> Capability:
    return next(c for c in backend.capabilities() if c.format == "float32")


def _groups(capability: Capability) -> list[Group]:
    """Two groups that differ in lr, of vectors, a number, matrices and an empty tensor."""
    rule = OPTIMIZERS[capability.rule]
    groups = []
    for lr in (1e-2, 0.3):
        hyper = rule.Hyper(**{"lr": lr, **capability.dialect, **capability.fixed})
        shapes: list[tuple[int, ...]] = [(5,), (), (4, 3), (0,), (1, 7), (7, 1)]
        slots = [_slot(capability, hyper, shape, i) for i, shape in enumerate(shapes)]
        turned = np.asfortranarray(slots[2].param)
        slots[2] = dataclasses.replace(slots[2], param=turned)
        groups.append(Group(hyper, slots))
    return groups


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_step_keeps_places_shapes_and_inputs(library: str) -> None:
    """Results stand where their slots stood, in their shapes and formats; inputs stay."""
    backend = _backend(library)
    capability = _first(backend)
    groups = _groups(capability)
    before = [s.param.tobytes() + s.grad.tobytes() for g in groups for s in g.slots]
    results = backend.optimizer_step(capability, groups)
    assert [s.param.tobytes() + s.grad.tobytes() for g in groups for s in g.slots] == before
    for group, stepped in zip(groups, results, strict=True):
        for slot, new in zip(group.slots, stepped, strict=True):
            assert new.param.shape == slot.param.shape
            assert new.param.dtype == slot.param.dtype
            assert new.state["t"] == slot.state["t"] + 1
            assert set(new.state) == set(slot.state)
    moves = [
        np.abs(r[0].param - g.slots[0].param).max() for g, r in zip(groups, results, strict=True)
    ]
    assert moves[1] > moves[0] > 0


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("check", ["all_zero", "counter", "update_alone"])
def test_the_leading_form_is_within_its_bounds(library: str, check: str) -> None:
    """Steps from reachable states, zero gradients and high counters pass the contract."""
    backend = _backend(library)
    first = next(
        c for c in checks_of(backend) if c.capability == _first(backend) and c.name == check
    )
    result = run_check(backend, first, level="smoke", seed=0)
    assert result.verdict == "pass", result.message


def test_apollo_draws_independent_normal_numbers_of_variance_one_over_rank() -> None:
    """Of 4096 entries the sum and the sum of squares are those of N(0, 1/rank)."""
    backend = _backend("apollo_torch")
    rank, rows = 8, 512
    x = backend.drawn(rank, (rows, rows + 1), 1) * math.sqrt(rank)
    assert x.shape == (rank, rows)
    n = x.size
    mean = stats.norm.sf(abs(float(x.sum())) / math.sqrt(n)) * 2
    square = float((x * x).sum())
    variance = 2 * min(stats.chi2.sf(square, n), stats.chi2.cdf(square, n))
    assert min(mean, variance) > FALSE_ALARM
    assert stats.chi2.sf(square * 1.25, n) < FALSE_ALARM
    assert not np.array_equal(x, backend.drawn(rank, (rows, rows + 1), 2) * math.sqrt(rank))


def test_sparse_adam_leaves_rows_alone_that_have_no_gradient() -> None:
    """Rows outside the sparse gradient keep parameter and moments bit for bit; the others step."""
    p = torch.linspace(-1, 1, 12).reshape(4, 3)
    before = p.clone()
    p.grad = torch.sparse_coo_tensor([[1, 3]], torch.ones(2, 3), (4, 3), check_invariants=True)
    optimizer = torch.optim.SparseAdam([p])
    optimizer.step()
    state = optimizer.state[p]
    assert torch.equal(p[[0, 2]], before[[0, 2]])
    assert not state["exp_avg"][[0, 2]].any()
    assert not state["exp_avg_sq"][[0, 2]].any()
    assert (p[[1, 3]] != before[[1, 3]]).all()
