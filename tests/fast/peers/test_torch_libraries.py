"""Small libraries for torch behind the protocol: states cross both ways, inputs stay."""

# ruff: noqa: E402 - the imports after the skip need torch

from __future__ import annotations

import dataclasses
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from truestep.fast import discovery
from truestep.fast.protocol import BackendUnavailable, Capability, Group, Slot, numpy_dtype
from truestep.properties.cases.hypers import held
from truestep.properties.cases.tensors import TensorSpec
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
from truestep.properties.kinds.optimizer.step import BackendRaised, lockstep
from truestep.reference.optimizers import OPTIMIZERS

# By library that is installed: rule and variant of every row on each of its paths.
PLACES = {
    library: [
        f"{row.rule}/{row.prefix}{path}"
        for row in import_module(f"truestep.fast.peers.{library}.backend").Backend.rows
        for path in row.paths
    ]
    for library in (
        "adam_mini",
        "adan_pytorch",
        "came_pytorch",
        "lomo_optim",
        "prodigyopt",
        "torch_optimi",
        "torch_optimizer",
    )
    if not discovery.available()[library]
}
EVERY_PLACE = [(library, place) for library, places in PLACES.items() for place in places]

# What departs on a plain step from the start; each is a finding.
DEPARTING = {
    ("adan_pytorch", "adan/single"),
    ("torch_optimi", "adan/adam_wd_foreach"),
    ("torch_optimi", "adan/adam_wd_single"),
    ("torch_optimizer", "aggmo/equal_single"),
    ("torch_optimizer", "pid/single"),
    ("torch_optimizer", "sgd/single"),
    ("torch_optimizer", "swats/single"),
}


@cache
def _backend(library: str) -> Any:
    try:
        return discovery.load(library)
    except BackendUnavailable as reason:
        pytest.skip(str(reason))


def _capability(library: str, place: str) -> Capability:
    rule, variant = place.split("/")
    return next(
        c
        for c in _backend(library).capabilities()
        if (c.rule, c.variant, c.format) == (rule, variant, "float32")
    )


def _hyper(capability: Capability, lr: float = 0.1) -> dict[str, Any]:
    strong: dict[str, Any] = {"lr": lr, "weight_decay": 0.1, "eps": 1e-2, "momentum": 0.9}
    rule = OPTIMIZERS[capability.rule]
    names = set(rule.Hyper.__dataclass_fields__) - set(rule.DIALECTS)
    chosen = {name: value for name, value in strong.items() if name in names}
    return {**chosen, **capability.dialect, **held(capability.fixed)}


def _case(capability: Capability, t: int) -> OptimizerCase:
    shapes = [(6, 4)] if capability.single else [(6, 4), (3, 7), (6, 4)]
    slots = tuple(
        SlotCase(TensorSpec(shape, seed=i), TensorSpec(shape, seed=9 + i), t, min(t, 2))
        for i, shape in enumerate(shapes)
    )
    return OptimizerCase((GroupCase(_hyper(capability), slots),), steps=2)


def _passes(backend: Any, capability: Capability) -> bool:
    try:
        judged = [
            found.judgement
            for t in (0, 7)
            for _, step in lockstep(backend, capability, _case(capability, t))
            for found in step
            if found.judgement.elements
        ]
    except BackendRaised:
        return False
    return all(judgement.passed for judgement in judged)


def _slot(capability: Capability, hyper: Any, shape: tuple[int, ...], t: int) -> Slot:
    rule, dtype = OPTIMIZERS[capability.rule], numpy_dtype(capability.format)
    p = np.linspace(-1, 1, int(np.prod(shape))).reshape(shape)
    state = rule.init(hyper, p)
    inputs = {name: np.ones(of(shape)) for name, of in rule.FACTS.inputs.items()}
    for _ in range(min(t, 2)):
        state, _ = rule.step(hyper, state, p, 1 + p, **inputs)
    fields = {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}
    tensors = {name: np.asarray(x, dtype) for name, x in fields.items() if name != "t"}
    handed = {name: x.astype(dtype) for name, x in inputs.items()}
    return Slot(p.astype(dtype), (2 + p).astype(dtype), {**tensors, "t": t}, handed)


@pytest.mark.parametrize(("library", "place"), EVERY_PLACE)
def test_a_step_and_the_next_agree_with_the_reference(library: str, place: str) -> None:
    """From the start and from a state, all outputs stay within the contract, but for findings."""
    backend, capability = _backend(library), _capability(library, place)
    assert _passes(backend, capability) == ((library, place) not in DEPARTING)


@pytest.mark.parametrize(("library", "place"), EVERY_PLACE)
def test_a_step_keeps_places_shapes_and_inputs(library: str, place: str) -> None:
    """Slots of other counts in one group advance by one each; shapes and inputs stay."""
    backend, capability = _backend(library), _capability(library, place)
    hyper = OPTIMIZERS[capability.rule].Hyper(**_hyper(capability))
    counts = (5,) if capability.single else (5, 0, 5, 2)
    slots = [_slot(capability, hyper, (3, 4), t) for t in counts]
    turned = np.asfortranarray(slots[0].param)
    slots[0] = dataclasses.replace(slots[0], param=turned)
    before = [(s.param.tobytes(), s.grad.tobytes()) for s in slots]
    [stepped] = backend.optimizer_step(capability, [Group(hyper, slots)])
    assert [(s.param.tobytes(), s.grad.tobytes()) for s in slots] == before
    assert [new.state["t"] for new in stepped] == [t + 1 for t in counts]
    for slot, new in zip(slots, stepped, strict=True):
        assert new.param.dtype == slot.param.dtype
        assert {name: np.shape(x) for name, x in new.state.items()} == {
            name: np.shape(x) for name, x in slot.state.items()
        }
        assert new.param.shape == slot.param.shape
        assert (new.param != slot.param).any()


def test_every_departure_is_of_a_row() -> None:
    """The table of departures names rows only, of the libraries at hand."""
    assert {each for each in DEPARTING if each[0] in PLACES} <= set(EVERY_PLACE)


@pytest.mark.parametrize("library", PLACES)
def test_an_empty_call_gives_empty_groups(library: str) -> None:
    """A group without parameters steps nothing, alone or beside others."""
    backend = _backend(library)
    capability = next(c for c in backend.capabilities() if c.format == "float32")
    hyper = OPTIMIZERS[capability.rule].Hyper(**_hyper(capability))
    assert backend.optimizer_step(capability, [Group(hyper, [])]) == [[]]
    slot = _slot(capability, hyper, (3, 4), 2)
    empty, [new] = backend.optimizer_step(capability, [Group(hyper, []), Group(hyper, [slot])])
    assert empty == []
    assert new.state["t"] == 3


def test_adalomo_asks_for_its_state_on_the_cpu_while_it_is_built_only() -> None:
    """Outside of the adapter a tensor's cuda() is torch's own."""
    backend = _backend("lomo_optim")
    before = torch.Tensor.cuda
    capability = _capability("lomo_optim", "adalomo/fused")
    hyper = OPTIMIZERS["adalomo"].Hyper(**_hyper(capability))
    backend.optimizer_step(capability, [Group(hyper, [_slot(capability, hyper, (3, 4), 0)])])
    assert torch.Tensor.cuda is before
