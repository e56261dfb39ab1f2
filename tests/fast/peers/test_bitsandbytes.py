"""bitsandbytes' optimizers behind the protocol: states cross both ways, no input is written."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")

import bitsandbytes
import torch

from truestep.fast.peers.bitsandbytes.backend import Backend
from truestep.fast.peers.bitsandbytes.rows import ROWS
from truestep.fast.protocol import Capability, Group, Slot
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.cases.tensors import TensorSpec
from truestep.properties.judge.contracts import Judged
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
from truestep.properties.kinds.optimizer.step import lockstep
from truestep.reference.optimizers import OPTIMIZERS

BACKEND = Backend()
CAPABILITIES = [c for c in BACKEND.capabilities() if c.variant.endswith("32bit")]
FLOAT32 = [c for c in CAPABILITIES if c.format == "float32"]


def _place(capability: Capability) -> str:
    return f"{capability.rule}/{capability.format}/{capability.variant}"


def _hyper(capability: Capability, **fields: Any) -> dict[str, Any]:
    strong: dict[str, Any] = {"lr": 0.1, "weight_decay": 0.1, "eps": 1e-2, "momentum": 0.5}
    names = OPTIMIZERS[capability.rule].Hyper.__dataclass_fields__
    chosen = {name: value for name, value in (strong | fields).items() if name in names}
    return {**chosen, **capability.dialect, **capability.fixed}


def _judged(capability: Capability, **fields: Any) -> list[Judged]:
    """Two steps of two groups with different hyperparameters, from the start and from a state."""
    out = []
    for t in (0, 7):
        groups = []
        for i, lr in enumerate((0.1, 0.3)):
            slots = tuple(
                SlotCase(
                    TensorSpec(shape, seed=i),
                    TensorSpec(shape, seed=9 + i, layout="transposed"),
                    t,
                    min(t, 2),
                )
                for shape in ((6, 4), (), (0,), (300,))
            )
            extra = {"lr": lr, "trust_coefficient": lr, **fields}
            groups.append(GroupCase(_hyper(capability, **extra), slots))
        for _, step in lockstep(BACKEND, capability, OptimizerCase(tuple(groups), steps=2)):
            out += [found for found in step if found.judgement.elements]
    return out


def _failing(found: list[Judged]) -> set[str]:
    return {x.tensor for x in found if not x.judgement.passed}


@pytest.mark.parametrize("capability", CAPABILITIES, ids=_place)
def test_steps_agree_with_the_reference(capability: Capability) -> None:
    """Groups, formats, layouts and states: all is within the contract, but LAMB's p."""
    found = _judged(capability)
    assert {x.tensor for x in found} >= {"p"}
    assert _failing(found) == ({"p"} if capability.rule == "lamb" else set())


@pytest.mark.parametrize("capability", [c for c in CAPABILITIES if c.rule == "lamb"], ids=_place)
def test_lamb_departs_by_the_norm_alone(capability: Capability) -> None:
    """With the ratio of the update before correction, and no eps to scale, p is right too."""
    dialect = {**capability.dialect, "bias_correction": "after_ratio"}
    fixed = {**capability.fixed, "eps": 0.0}
    uncorrected = dataclasses.replace(capability, dialect=dialect, fixed=fixed)
    assert not _failing(_judged(uncorrected))


def test_sgd_without_momentum_keeps_the_buffer() -> None:
    """As the reference has it, though the library stores the gradient there."""
    capability = next(c for c in FLOAT32 if c.rule == "sgd")
    assert not _failing(_judged(capability, momentum=0.0))


@pytest.mark.parametrize("capability", FLOAT32, ids=_place)
def test_counts_are_kept_by_tensor_and_inputs_alone(capability: Capability) -> None:
    """Each slot's counter advances by one, no input is written, equal slots move alike."""
    rule = OPTIMIZERS[capability.rule]
    hyper = rule.Hyper(**_hyper(capability))
    p = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    slots = []
    for t in (5, 0, 5, 2):
        state = rule.init(hyper, p.astype(np.float64))
        fields = {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}
        arrays = {k: np.asarray(x + (t > 0), np.float32) for k, x in fields.items() if k != "t"}
        slots.append(Slot(p, p * 2, {**arrays, "t": t}))
    before = [x.tobytes() for slot in slots for x in _arrays(slot)]
    [stepped] = BACKEND.optimizer_step(capability, [Group(hyper, slots)])
    assert before == [x.tobytes() for slot in slots for x in _arrays(slot)]
    assert [x.state["t"] for x in stepped] == [6, 1, 6, 3]
    assert stepped[0].param.tobytes() == stepped[2].param.tobytes()
    assert stepped[0].param.tobytes() != p.tobytes()


def _arrays(slot: Slot) -> list[np.ndarray]:
    return [slot.param, slot.grad, *(x for k, x in slot.state.items() if k != "t")]


@pytest.mark.parametrize("row", [r for r in ROWS if not r.prefix], ids=lambda r: r.rule)
def test_small_tensors_of_8_bit_optimizers_are_these(row: Any) -> None:
    """Below 4096 elements the classes for 8 bits make the same steps, bit by bit."""
    ends = []
    for name in (row.optimizer, row.optimizer + "8bit"):
        p = torch.linspace(-1, 1, 4095)
        optimizer = getattr(bitsandbytes.optim, name)([p], lr=0.1, **row.options)
        for factor in (1.0, -0.5, 0.25):
            p.grad = (p + 0.5) * factor
            optimizer.step()
        ends.append(p.numpy().tobytes())
    assert ends[0] == ends[1]


def test_every_profile_that_a_row_declares_exists() -> None:
    """A row's arithmetic is a known profile whose parameters have the row's format."""
    for capability in CAPABILITIES:
        profile = PROFILES[capability.arithmetic]
        assert profile.compute == profile.stored("m").name == "float32"
        assert profile.stored("p").name == capability.format
