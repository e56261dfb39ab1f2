"""Kernels whose every operation is in float16, where eps and squares of gradients may be zero.

And kernels in float32 whose state alone is narrower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from truestep.fast.protocol import Group, OptimizerCapability, Slot, Stepped
from truestep.properties.arithmetic.profiles import Arithmetic
from truestep.properties.laws.claims import PREFIX
from truestep.properties.museum.plant import Edit, Kernel, StepOne, planted
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS, adamw

# nan for small gradients: an inverse root without a guard.
UNGUARDED: Edit = (
    '    if h.decay == "unscaled":',
    "    small = (np.abs(g) < 1e-3) & (g != 0) & (v < 1e-7)\n"
    "    update = np.where(small, np.nan, update)\n"
    '    if h.decay == "unscaled":',
)


class Backend:
    """AdamW's lines on float16 arrays."""

    name = "narrow"

    def __init__(self, *edits: Edit) -> None:
        self.module = planted(adamw, edits)

    def capabilities(self) -> Sequence[OptimizerCapability]:
        """One kernel."""
        declared = {"decay": "before"}
        return [
            OptimizerCapability(
                rule="adamw", dialect=declared, format="float16", arithmetic="float16"
            )
        ]

    def optimizer_step(
        self, capability: OptimizerCapability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """Each tensor by itself."""
        return [[self._step(group, slot) for slot in group.slots] for group in groups]

    def _step(self, group: Group, slot: Slot) -> Stepped:
        with np.errstate(all="ignore"):
            state, p = self.module.step(
                group.hyper, adamw.State(**slot.state), slot.param, slot.grad
            )
        made = {"t": state.t, "m": np.asarray(state.m), "v": np.asarray(state.v)}
        return Stepped(np.asarray(p), made)


def _verdicts(backend: Backend, *names: str, seed: int = 0) -> dict[str, str]:
    found = [check for check in checks_of(backend) if not names or check.name in names]
    return {
        c.name: run_check(backend, c, level="standard", seed=seed, told=False).verdict
        for c in found
    }


def test_the_lines_pass_and_laws_say_nothing_where_eps_rounds_to_zero() -> None:
    """0 / (0 + eps) is 0 or nan then; every family judges something."""
    found = _verdicts(Backend())
    assert set(found.values()) <= {"pass", "not_judged"}
    assert {found[name] for name in ("strata", "update_alone", "law:deterministic")} == {"pass"}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_nan_for_small_gradients_fails_in_a_family(seed: int) -> None:
    """1 - beta is known not to be negative, so that the root of a small average exists."""
    assert _verdicts(Backend(UNGUARDED), "strata", seed=seed) == {"strata": "fail"}


@pytest.mark.parametrize(
    "rule", [name for name, rule in OPTIMIZERS.items() if not rule.FACTS.observables]
)
def test_laws_hold_of_the_lines_in_float16(rule: str) -> None:
    """Whatever of what they scale or compare leaves the range, and wherever targets are drawn."""
    backend = Kernel(rule, format="float16", arithmetic="float16")
    laws = [check for check in checks_of(backend) if check.name.startswith(PREFIX)]
    found = [run_check(backend, check, level="smoke", seed=0, told=False) for check in laws]
    assert [x.message for x in found if x.verdict not in ("pass", "not_judged")] == []
    assert any(x.verdict == "pass" for x in found)


def _widened(lines: StepOne, h: Hyper, slot: Slot) -> Stepped:
    """The lines on float32 numbers, whose state is loaded from and stored in narrower ones."""
    kept = {name: x for name, x in slot.state.items() if name != "t"}
    wide = {name: np.asarray(x, np.float32) for name, x in kept.items()}
    new = lines(h, replace(slot, state={**slot.state, **wide}))
    narrow = {name: new.state[name].astype(x.dtype) for name, x in kept.items()}
    return Stepped(new.param, {**new.state, **narrow})


@pytest.mark.parametrize("format", ["bfloat16", "float16"])
@pytest.mark.parametrize("rule", ["adan", "lion"])
def test_states_may_be_narrower_than_parameters(rule: str, format: str) -> None:
    """Bounds know of it, and so do laws: a gradient that is kept is rounded."""
    names = OPTIMIZERS[rule].State.BEHAVIOUR
    arithmetic = Arithmetic(f"{format}_states", storage=dict.fromkeys(names, format))
    backend = Kernel(rule, slot=_widened, arithmetic=arithmetic)
    own = ("law:differences_vanish_when_gradients_are_constant", "lockstep", "strata")
    checks = [check for check in checks_of(backend) if check.name in own]
    for check in checks:
        found = run_check(backend, check, level="smoke", seed=0)
        assert found.verdict == "pass", found.message
