"""The kernels by row and by column: the same bits however they are run, and the rule's step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from truestep.fast import _core
from truestep.fast.ours import factored
from truestep.fast.protocol import Group, OptimizerCapability, Slot, Stepped
from truestep.reference.declared import Hyper, fields_of
from truestep.reference.tables import RULES

Array = NDArray[Any]
# Tiles of one row and of many, several across and down, several matrices, vectors, a 0-d tensor.
SHAPES = ((700, 90), (3, 5000), (40, 4097), (70_003,), (2, 30, 70), (1, 1), (0, 3), ())
CAPABILITIES = [c for c in factored.capabilities() if c.format == "float32"]


def slots_of(rule: str, h: Hyper) -> list[Slot]:
    """A slot of every shape, from positive states."""
    rng = np.random.default_rng(7)
    slots = []
    for shape in SHAPES:
        p, g = (rng.standard_normal(shape).astype(np.float32) for _ in "pg")
        state = fields_of(RULES["optimizer"][rule].init(h, p.astype(np.float64)))
        filled = {
            name: 3 if name == "t" else rng.uniform(0.5, 2.0, np.shape(x)).astype(np.float32)
            for name, x in state.items()
        }
        slots.append(Slot(p, g, filled))
    return slots


def stepped(capability: OptimizerCapability) -> tuple[Hyper, list[Slot], list[Stepped]]:
    """One step on every slot."""
    h = RULES["optimizer"][capability.rule].Hyper(**capability.dialect)
    slots = slots_of(capability.rule, h)
    [after] = factored.optimizer_step(capability, [Group(h, slots)])
    return h, slots, after


def bits(after: list[Stepped]) -> list[bytes]:
    """Everything a step left."""
    arrays = [x for of in after for x in (of.param, *(of.state[name] for name in sorted(of.state)))]
    return [np.asarray(x).tobytes() for x in arrays]


@pytest.mark.parametrize("capability", CAPABILITIES, ids=lambda c: f"{c.rule}-{c.variant}")
def test_threads_and_instruction_sets_change_no_bit(
    capability: OptimizerCapability, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sums follow from the shape alone."""
    step: Callable[..., None] = _core.factored_step
    before = _core.instruction_set()
    found = []
    try:
        for name in _core.instruction_sets():
            _core.set_instruction_set(name)
            for threads in (1, 3):
                monkeypatch.setattr(
                    _core, "factored_step", lambda *call, threads=threads: step(*call[:-1], threads)
                )
                found.append(bits(stepped(capability)[2]))
    finally:
        _core.set_instruction_set(before)
    assert all(other == found[0] for other in found)


@pytest.mark.parametrize("capability", CAPABILITIES, ids=lambda c: f"{c.rule}-{c.variant}")
def test_is_the_rule_whatever_the_tiles(capability: OptimizerCapability) -> None:
    """Within what float32 allows of the reference's step in float64."""
    h, slots, after = stepped(capability)
    rule: Any = RULES["optimizer"][capability.rule]
    for slot, of in zip(slots, after, strict=True):
        state = {n: x if n == "t" else x.astype(np.float64) for n, x in slot.state.items()}
        want, p = rule.step(
            h, rule.State(**state), slot.param.astype(np.float64), slot.grad.astype(np.float64)
        )
        np.testing.assert_allclose(of.param, p, rtol=1e-5, atol=1e-5)
        for name, x in fields_of(want).items():
            np.testing.assert_allclose(of.state[name], x, rtol=1e-5, atol=1e-6, err_msg=name)


def test_refuses_what_it_has_no_kernel_for() -> None:
    """An error names the rule and its hyperparameters."""
    with pytest.raises(ValueError, match="no kernel of sm3 serves"):
        factored.kernel_for("sm3", RULES["optimizer"]["sm3"].Hyper(form="first"))
    with pytest.raises(ValueError, match="heads must divide"):
        factored.VIEWS["adam_mini"](
            RULES["optimizer"]["adam_mini"].Hyper(blocks="heads", heads=4), (3, 3)
        )
