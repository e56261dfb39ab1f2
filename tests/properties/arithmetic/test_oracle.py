"""The float64 reference against mpmath: the oracle's own bound, under every contract."""

from __future__ import annotations

import dataclasses
from typing import Any

import mpmath
import numpy as np
import pytest

from truestep.fast.protocol import Slot
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.exact import DIGITS, Exact
from truestep.properties.arithmetic.lift import Lift, advanced, bounded, plain, stepped
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.soundness.bounded import RULES, choices, drawn_hyper, drawn_slot
from truestep.reference.optimizers import OPTIMIZERS, Rule

ORACLE = PROFILES["oracle"]
EXACT = Lift(Exact.of, lambda _, x: Exact.of(x), lambda _, x: x)
STEPS = 2
RANGES = ((-8, 3), (-3, 2))


def _exact_step(rule: Rule, hyper: Any, slot: Slot) -> dict[str, Any]:
    """The outputs of one step to fifty digits, by name."""
    out = stepped(rule, hyper, slot, EXACT)
    return {name: x for name, x in out.items() if isinstance(x, Exact)}


def _float64_step(rule: Rule, hyper: Any, slot: Slot) -> tuple[Any, dict[str, Any]]:
    """The reference as users call it: the new state, and its outputs by name."""
    old = plain().state(rule.State, slot.state)
    state, p = advanced(rule, hyper, old, slot.param, slot.grad, slot.inputs)
    return state, plain().outputs(state, p)


def _errors(got: Any, exact: Exact) -> Any:
    flat = zip(np.ravel(got), np.ravel(exact.x), strict=True)
    return np.array([float(abs(mpmath.mpf(float(a)) - b)) for a, b in flat]).reshape(np.shape(got))


@pytest.mark.parametrize("name", RULES)
def test_the_reference_lies_within_its_own_bound_of_the_exact_result(name: str) -> None:
    """In every dialect, over two steps from reachable states: |float64 - exact| <= bound.

    The bound is not vacuous: it is finite nearly everywhere, and the errors come close to it.
    """
    rule = OPTIMIZERS[name]
    elements = judged = 0
    closest = 0.0
    with mpmath.workdps(DIGITS), np.errstate(all="ignore"):
        for case in range(2 * len(choices(rule))):
            rng = np.random.default_rng((17, case))
            hyper = drawn_hyper(rule, rng, case)
            slot = drawn_slot(rule, hyper, ORACLE, rng, elements=8, ranges=RANGES)
            for step in range(STEPS):
                bounds = stepped(rule, hyper, slot, bounded(ORACLE))
                try:
                    exact = _exact_step(rule, hyper, slot)
                except ZeroDivisionError:
                    break  # eps and a gradient are 0: there is no exact value
                state, floats = _float64_step(rule, hyper, slot)
                for tensor, truth in exact.items():
                    bound = bounds[tensor]
                    assert isinstance(bound, Bounded)
                    for got in (floats[tensor], bound.v):
                        known = np.isfinite(bound.e) & np.isfinite(bound.v)
                        error = np.where(known, _errors(np.where(known, got, 0.0), truth), 0.0)
                        wrong = error > bound.e
                        assert not np.any(wrong), (
                            f"{name} {tensor} step {step} of case {case} ({hyper}): "
                            f"errors {error[wrong]} beyond the bound {bound!r}"
                        )
                    ratio = np.divide(error, bound.e, out=np.zeros_like(error), where=bound.e > 0)
                    closest = max(closest, float(np.max(ratio, where=known, initial=0.0)))
                    elements += known.size
                    judged += int(np.count_nonzero(known))
                fields = {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}
                inputs = {name: np.roll(x, 1) for name, x in slot.inputs.items()}
                slot = Slot(floats["p"], np.roll(slot.grad, 1), fields, inputs)
    assert judged > 0.9 * elements
    assert closest > 0.05
