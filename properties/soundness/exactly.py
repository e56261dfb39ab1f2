"""A rule's lines in float64 beside the same lines in 60 digits, and the bound between them."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import mpmath
import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import ScheduleCapability, Slot
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.exact import DIGITS, Exact
from truestep.properties.arithmetic.lift import Lift, bounded, converted, plain, stepped
from truestep.properties.arithmetic.profiles import ORACLE
from truestep.properties.arithmetic.whole import Whole
from truestep.properties.kinds.schedule import step as scheduling
from truestep.properties.kinds.schedule import strata
from truestep.properties.soundness.bounded import drawn_hyper, drawn_slot
from truestep.reference.advance import advanced
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import Rule
from truestep.reference.rules import Schedule
from truestep.reference.validation import Array

EXACT = Lift(Exact.of, lambda _, x: Exact.of(x), lambda _, x: x)
_STEPS = 2
_RANGES = ((-8, 3), (-3, 2))


@dataclass(frozen=True, slots=True)
class Compared:
    """What float64 gave of one tensor, against the exact numbers.

    told: where. error, bound: of each element; both 0 where nothing is known. known: where it is.
    """

    told: str
    error: NDArray[np.float64]
    bound: NDArray[np.float64]
    known: NDArray[np.bool_]

    @property
    def beyond(self) -> bool:
        """Whether an element errs by more than its bound."""
        return bool(np.any(self.error > self.bound))


def steps(rule: Rule, cases: int) -> Iterator[Compared]:
    """Every tensor after two steps from a reachable state, in so many cases."""
    with mpmath.workdps(DIGITS), np.errstate(all="ignore"):
        for case in range(cases):
            rng = np.random.default_rng((17, case))
            hyper = drawn_hyper(rule, rng, case)
            slot = drawn_slot(rule, hyper, ORACLE, rng, elements=8, ranges=_RANGES)
            for step in range(_STEPS):
                try:
                    exact = stepped(rule, hyper, slot, EXACT)
                except ZeroDivisionError:
                    break  # eps and a gradient are 0: there is no exact value
                bounds = stepped(rule, hyper, slot, bounded(ORACLE))
                old = plain().state(rule.State, slot.state)
                state, p = advanced(rule, hyper, old, slot.param, slot.grad, slot.inputs)
                floats = plain().outputs(state, p)
                for name, truth in exact.items():
                    if isinstance(truth, Exact) and isinstance(due := bounds[name], Bounded):
                        told = f"{name}, step {step} of case {case} ({hyper})"
                        yield from (_compared(told, x, due, truth) for x in (floats[name], due.v))
                fields = {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}
                inputs = {name: np.roll(x, 1) for name, x in slot.inputs.items()}
                slot = Slot(floats["p"], np.roll(slot.grad, 1), fields, inputs)


def values(rule: str, module: Schedule, cases: int) -> Iterator[Compared]:
    """A schedule's values, in so many cases."""
    subject = ScheduleCapability(rule=rule, format="float64", arithmetic="oracle")
    with mpmath.workdps(DIGITS):
        for case in strata.made(subject, 0)[:cases]:
            h = module.Hyper(**case.hyper)
            defined = [t for t in case.steps if not scheduling.ended(module, h, t)]
            due = scheduling.closed(module, h, defined, ORACLE)
            truth = [exact_value(module, h, t).x.item() for t in defined]
            exact = Exact(np.array(truth, dtype=object))
            yield _compared(f"{h}", due.v, due, exact)


def exact_value(module: Schedule, h: Hyper, t: int) -> Exact:
    """value(h, t) to 60 digits; work inside ``mpmath.workdps(DIGITS)``."""

    def lifted(_: str, x: Array) -> Array:
        if isinstance(x, float):
            return Exact.of(x)
        return Whole(x, Exact.of) if isinstance(x, int) and not isinstance(x, bool) else x

    function = scheduling.over(module, "value", Exact(mpmath.pi()))
    found: Exact = function(converted(h, lifted), Whole(t, Exact.of))
    return found


def _compared(told: str, got: Array, due: Bounded, truth: Exact) -> Compared:
    known = np.isfinite(due.e) & np.isfinite(due.v)
    pairs = zip(np.ravel(np.where(known, got, 0.0)), np.ravel(truth.x), strict=True)
    errors = np.array([float(abs(mpmath.mpf(float(a)) - b)) for a, b in pairs])
    error = np.where(known, errors.reshape(np.shape(due.v)), 0.0)
    return Compared(told, error, np.where(known, due.e, 0.0), known)
