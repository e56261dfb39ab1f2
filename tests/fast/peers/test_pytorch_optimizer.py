"""pytorch-optimizer behind the protocol: states cross both ways, and no input is written."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pytorch_optimizer", reason="pytorch-optimizer is not installed")

from truestep.fast import discovery
from truestep.fast.peers.findings import FINDINGS
from truestep.fast.peers.pytorch_optimizer.backend import Backend
from truestep.fast.protocol import Capability, Group, Slot
from truestep.properties.cases.hypers import held
from truestep.properties.cases.tensors import TensorSpec
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
from truestep.properties.kinds.optimizer.step import BackendRaised, lockstep
from truestep.properties.run.plan import checks_of, run_check
from truestep.properties.search import exploration
from truestep.reference.optimizers import OPTIMIZERS

# LOMO's classes look for DeepSpeed's integration in transformers, which they do without.
pytestmark = pytest.mark.filterwarnings("ignore:you need to install:ImportWarning")

BACKEND = Backend()
CAPABILITIES = [c for c in BACKEND.capabilities() if c.kind == "optimizer"]
# What departs on a plain step; each is a finding.
DEPARTING = {
    "adamp/foreach",
    "adamp/single",
    "adan/maximizing_foreach",
    "adan/maximizing_single",
    "adopt/decoupled_foreach",
    "adopt/decoupled_single",
    "adopt/foreach",
    "adopt/single",
    "adopt/unscaled_foreach",
    "adopt/unscaled_single",
    "aggmo/equal_foreach",
    "aggmo/equal_single",
    "apollo/single",
    "apollo/mini_single",
    "dadapt_adan/decoupled_foreach",
    "dadapt_adan/decoupled_single",
    "dadapt_adan/foreach",
    "dadapt_adan/maximizing_foreach",
    "dadapt_adan/maximizing_single",
    "dadapt_adan/single",
    "lamb/foreach",
    "lamb/single",
    "prodigy/coupled_foreach",
    "prodigy/coupled_single",
    "radam/coupled_foreach",
    "radam/coupled_single",
    "sgdp/foreach",
    "sgdp/single",
    "shampoo/maximizing_single",
    "sm3/forgetting_foreach",
    "sm3/forgetting_single",
    "swats/foreach",
    "swats/single",
}


def _place(capability: Capability) -> str:
    return f"{capability.rule}/{capability.variant}"


def _hyper(capability: Capability) -> dict[str, Any]:
    strong: dict[str, Any] = {"lr": 0.1, "weight_decay": 0.1, "eps": 1e-2, "momentum": 0.9}
    rule = OPTIMIZERS[capability.rule]
    names = set(rule.Hyper.__dataclass_fields__) - set(rule.DIALECTS)
    chosen = {name: value for name, value in strong.items() if name in names}
    return {**chosen, **capability.dialect, **held(capability.fixed)}


def _case(capability: Capability, t: int) -> OptimizerCase:
    shapes = [(6, 4)] if capability.single else [(6, 4), (3, 7), (6, 4)]
    slots = tuple(
        SlotCase(
            TensorSpec(shape, seed=i),
            TensorSpec(shape, seed=9 + i, layout="transposed"),
            t,
            min(t, 2),
        )
        for i, shape in enumerate(shapes)
    )
    return OptimizerCase((GroupCase(_hyper(capability), slots),), steps=2)


def _passes(capability: Capability) -> bool:
    try:
        judged = [
            found.judgement
            for t in (0, 7)
            for _, step in lockstep(BACKEND, capability, _case(capability, t))
            for found in step
            # Bounds of orthogonality are those of a rounded basis, not of LAPACK's.
            if found.judgement.elements and not found.tensor.startswith("orthogonality")
        ]
    except BackendRaised:
        return False
    # Of eight steps of an iteration in bfloat16 nothing may be left to say.
    return all(judgement.passed or not judgement.judged for judgement in judged)


def test_the_declarations_are_valid() -> None:
    """Discovery finds the backend by name and accepts what it declares."""
    assert isinstance(discovery.load("pytorch_optimizer"), Backend)


@pytest.mark.parametrize("capability", CAPABILITIES, ids=_place)
def test_a_step_and_the_next_agree_with_the_reference(capability: Capability) -> None:
    """From the start and from a state, all outputs stay within the contract, but for findings."""
    assert _passes(capability) == (_place(capability) not in DEPARTING)


def test_every_departure_is_of_a_row() -> None:
    """The table of departures names rows only."""
    assert {_place(capability) for capability in CAPABILITIES} >= DEPARTING


def test_the_training_pieces_pass_but_for_the_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    """agc passes everywhere; the loss scaler takes large gradients for overflows."""
    monkeypatch.setattr(exploration, "SIMPLER", 0)
    pieces = [c for c in BACKEND.capabilities() if c.kind == "training"]
    found = {
        check.id: run_check(BACKEND, check, level="smoke", seed=1)
        for check in checks_of(BACKEND)
        if check.kind == "training"
    }
    failing = {x: result.to_json() for x, result in found.items() if result.verdict != "pass"}
    assert [x for x, c in failing.items() if not any(f.explains(c) for f in FINDINGS)] == []
    assert "training/dynamic_loss_scaling/float32/full_range" in failing
    assert {capability.rule for capability in pieces} == {x.split("/")[1] for x in found}


@pytest.mark.parametrize("capability", [c for c in CAPABILITIES if not c.single], ids=_place)
def test_counts_in_one_group_are_kept_apart(capability: Capability) -> None:
    """Slots of different counts advance each by one, though the library counts by group."""
    rule = OPTIMIZERS[capability.rule]
    hyper = rule.Hyper(**_hyper(capability))
    p = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    inputs = {name: np.abs(p) for name in rule.FACTS.inputs}
    slots = []
    for t in (5, 0, 5, 2):
        state = rule.init(hyper, p.astype(np.float64))
        if t:
            wide = p.astype(np.float64)
            state, _ = rule.step(hyper, state, wide, wide, **inputs)
        fields = {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}
        arrays = {k: np.asarray(x, np.float32) for k, x in fields.items() if k != "t"}
        slots.append(Slot(p, p * 2, {**arrays, "t": t}, inputs))
    [stepped] = BACKEND.optimizer_step(capability, [Group(hyper, slots)])
    assert [x.state["t"] for x in stepped] == [6, 1, 6, 3]
    assert stepped[0].param.tobytes() == stepped[2].param.tobytes()
