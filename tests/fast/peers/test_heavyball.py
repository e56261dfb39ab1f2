"""HeavyBall behind the protocol: states cross both ways, and no input is written."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("heavyball", reason="HeavyBall is not installed")

from heavyball import utils

from truestep.fast import discovery
from truestep.fast.peers.heavyball.backend import Backend
from truestep.fast.protocol import Capability, Group, OptimizerCapability, Slot
from truestep.properties.cases.tensors import TensorSpec
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
from truestep.properties.kinds.optimizer.step import lockstep
from truestep.properties.kinds.optimizer.storage import held_storage
from truestep.reference.optimizers import OPTIMIZERS, adamw

BACKEND = Backend()
CAPABILITIES = [c for c in BACKEND.capabilities() if isinstance(c, OptimizerCapability)]
# What departs on a plain step; a finding.
DEPARTING = {"nadam/multi", "nadam/single"}


def _place(capability: Capability) -> str:
    return f"{capability.rule}/{capability.variant}"


def _name(capability: Capability) -> str:
    return f"{_place(capability)}/{capability.format}"


def _case(capability: Capability, t: int) -> OptimizerCase:
    strong: dict[str, Any] = {"lr": 0.1, "weight_decay": 0.1, "eps": 1e-2}
    names = set(OPTIMIZERS[capability.rule].Hyper.__dataclass_fields__)
    chosen = {name: value for name, value in strong.items() if name in names}
    shapes = [(6, 4), (3, 7), (4, 4)] if capability.shapes == "matrices" else [(6, 4), (5,), ()]
    slots = tuple(
        SlotCase(TensorSpec(shape, seed=i), TensorSpec(shape, seed=9 + i), t, min(t, 2))
        for i, shape in enumerate(shapes)
    )
    given = {**chosen, **capability.dialect, **capability.fixed, **held_storage(capability)}
    group = GroupCase(given, slots)
    return OptimizerCase((group,), steps=2)


def test_the_declarations_are_valid() -> None:
    """Discovery finds the backend by name and accepts what it declares."""
    assert isinstance(discovery.load("heavyball"), Backend)


# What is kept in two parts is judged from them, by its certificate.
WHOLE = [capability for capability in CAPABILITIES if not capability.storage]


@pytest.mark.parametrize("capability", WHOLE, ids=_name)
def test_a_step_and_the_next_agree_with_the_reference(capability: Capability) -> None:
    """From the start and from a state, what is judged stays within the contract, but for findings.

    Muon's iteration in bfloat16 may leave of a matrix nothing to say.
    """
    passed = all(
        found.judgement.passed or not found.judgement.judged
        for t in (0, 7)
        for _, judged in lockstep(BACKEND, capability, _case(capability, t))
        for found in judged
    )
    assert passed == (_place(capability) not in DEPARTING)


def _with_other(**other: Any) -> Callable[[Any], Any]:
    """A fault that hands a function these arguments in the place of its own."""

    def planted(function: Any) -> Any:
        def faulty(*given: Any) -> Any:
            bound = inspect.signature(function).bind(*given)
            for name, change in other.items():
                bound.arguments[name] = change(bound.arguments[name])
            return function(*bound.args, **bound.kwargs)

        return faulty

    return planted


def _unrestored(function: Any) -> Any:
    """Nothing is copied into parameters, which a step through a ball restores in this way."""

    def faulty(target: Any, source: Any) -> None:
        if not all(x.is_leaf and x.grad is not None for x in target):
            function(target, source)

    return faulty


# By variant: a function of the library that its step goes through, and what is wrong with it.
FAULTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "adamc_single": ("fused_adam_", _with_other(decay=lambda x: 4 * x)),
    "in_sam_single": ("copy_stochastic_list_", _unrestored),
    "klshampoo_multi": ("kl_shampoo_precondition", _with_other(grad=lambda x: 1.01 * x)),
    "msam_single": ("msam_", _with_other(sam_step_size=lambda x: 0.1)),
    "soap_single": ("adam_", _with_other(step=lambda x: x + 1)),
    "solp_multi": ("laprop_", lambda function: utils.adam_),
}


@pytest.mark.parametrize("variant", FAULTS)
def test_a_fault_in_what_a_row_adds_is_found(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a row takes a class by what it is without its own part, that part is seen."""
    name, planted = FAULTS[variant]
    monkeypatch.setattr(utils, name, planted(getattr(utils, name)))
    capability = next(c for c in CAPABILITIES if c.variant == variant)
    [*steps] = lockstep(BACKEND, capability, _case(capability, 7))
    assert any(not found.judgement.passed for _, judged in steps for found in judged)


def test_counts_in_one_group_are_kept_apart() -> None:
    """Slots of different counts advance each by one, though the library counts by group."""
    capability = next(c for c in CAPABILITIES if c.rule == "adamw")
    hyper = adamw.Hyper(**capability.dialect)
    p = np.linspace(-1, 1, 6, dtype=np.float32)
    slots = [Slot(p, p, {"t": t, "m": 0 * p, "v": 0 * p}) for t in (5, 0, 5, 2)]
    [stepped] = BACKEND.optimizer_step(capability, [Group(hyper, slots)])
    assert [x.state["t"] for x in stepped] == [6, 1, 6, 3]
