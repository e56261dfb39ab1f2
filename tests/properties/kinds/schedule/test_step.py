"""A schedule's values as they are due: how far a kernel may be off, in which form it computes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from truestep.fast.protocol import BackendUnavailable, ScheduleCapability
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.profiles import ORACLE, PROFILES
from truestep.properties.judge.calls import BackendRaised, Malformed
from truestep.properties.kinds.schedule import step
from truestep.reference.schedules import SCHEDULES

FLOAT64, HYPER32 = PROFILES["ieee_float64"], PROFILES["float32_hyper"]
COSINE, EXPONENTIAL = SCHEDULES["cosine"], SCHEDULES["exponential"]
STEPS = [0, 1, 7, 50, 99]


class _Backend:
    """Gives what it is told to, or raises it."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def schedule_values(self, capability: Any, hyper: Any, steps: Any) -> Any:
        if isinstance(self.given, Exception):
            raise self.given
        return self.given


def _values(given: Any, steps: list[int] = [3, 4]) -> Any:  # noqa: B006
    backend: Any = _Backend(given)
    return step.values_of(backend, ScheduleCapability(rule="cosine"), COSINE.Hyper(), steps)


@pytest.mark.parametrize(
    "given", [[0.5, 1], (np.float32(0.5), 1.0), np.array([0.5, 1.0]), [np.float64(0.5), 1.0]]
)
def test_real_numbers_are_values(given: Any) -> None:
    """In a sequence or an array."""
    found = _values(given)
    assert found.tolist() == [0.5, 1.0] and found.dtype == np.float64


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([0.5], "got 1 values back for 2"),
        ([0.5, True], "the value at t = 4 must be a real number, got True"),
        (["x", 1.0], "the value at t = 3 must be a real number, got 'x'"),
        (np.zeros((2, 1)), "values must be a sequence, got ndarray"),
        (0.5, "values must be a sequence, got float"),
    ],
)
def test_another_form_is_told(given: Any, told: str) -> None:
    """With the step."""
    with pytest.raises(Malformed, match=re.escape(told)):
        _values(given)


def test_what_it_does_not_take_is_not_its_fault() -> None:
    """Another exception is."""
    with pytest.raises(BackendUnavailable, match="none such"):
        _values(BackendUnavailable("none such"))
    with pytest.raises(BackendRaised):
        _values(ValueError("x"))


def test_values_are_the_reference_s_with_the_error_of_the_host() -> None:
    """In double a few units in the last place, in float32 a few of those, at every step."""
    hyper = COSINE.Hyper(lr=0.3)
    for arithmetic, u in ((FLOAT64, 2.0**-53), (HYPER32, 2.0**-24)):
        found = step.closed(COSINE, hyper, STEPS, arithmetic)
        assert found.v.tolist() == [float(COSINE.value(hyper, t)) for t in STEPS]
        assert found.format.name == ("float64" if arithmetic is FLOAT64 else "float32")
        assert np.all(found.e[1:] > u / 8 * found.v[1:]) and np.all(found.e <= 64 * u * 0.3)


def test_pi_is_known_as_well_as_it_is_held() -> None:
    """What float64's lacks of the number is sin(pi); float32's rounds once more."""
    for arithmetic, u in ((FLOAT64, 0.0), (HYPER32, 2.0**-24)):
        made = step._function(COSINE, "value", arithmetic).__globals__["PI"]
        least = abs(np.sin(np.pi)) + u * np.pi
        assert float(made.v) == np.pi and least <= float(made.e) <= least * (1 + 1e-6)
        assert made.host
    given = step.over(COSINE, "value", 2.0)
    assert given.__globals__["PI"] == 2.0 and COSINE.value.__globals__["PI"] == np.pi
    assert given.__globals__ is not COSINE.value.__globals__
    for item in (
        x for x in given.__globals__.values() if getattr(x, "__module__", "") == COSINE.__name__
    ):
        assert getattr(item, "__globals__", given.__globals__) is given.__globals__


def test_a_value_made_from_the_last_one_errs_as_its_step_does() -> None:
    """From what the backend had; the first is the closed form's."""
    hyper = EXPONENTIAL.Hyper(lr=0.3)
    last = [0.0, 0.3, 0.7]
    found = step.advanced(EXPONENTIAL, hyper, [0, 5, 6], last, FLOAT64)
    due = [float(EXPONENTIAL.value(hyper, 0))]
    due += [float(EXPONENTIAL.advance(hyper, t - 1, x)) for t, x in ((5, 0.3), (6, 0.7))]
    assert found.v.tolist() == due
    first = step.closed(EXPONENTIAL, hyper, [0], FLOAT64)
    assert found.e[0] == first.e[0] and np.all(found.e[1:] > 0)
    assert np.all(found.e[1:] <= 8 * 2.0**-53 * found.v[1:])


@pytest.mark.parametrize(
    "rule", [name for name, module in SCHEDULES.items() if module.advance is not None]
)
def test_every_recursion_is_judged_at_its_own_step(rule: str) -> None:
    """Both evaluations are of one formula at one step: a little apart, by rounding."""
    module = SCHEDULES[rule]
    hyper = module.Hyper()
    steps = [1, 2, 3, 7, 11]
    last = [float(module.value(hyper, t - 1)) for t in steps]
    found = step.advanced(module, hyper, steps, last, FLOAT64)
    assert np.all(found.e <= 2.0**-40 * np.abs(last))
    whole = step.unrolled(module, hyper, [0, *steps], FLOAT64)
    assert np.all(whole.e <= 2.0**-40 * float(module.value(hyper, 0)))


def test_a_recursion_s_error_grows_step_by_step() -> None:
    """About the closed form's value, whichever steps are asked for."""
    hyper = EXPONENTIAL.Hyper(lr=0.3)
    found = step.unrolled(EXPONENTIAL, hyper, STEPS, FLOAT64)
    assert found.v.tolist() == [float(EXPONENTIAL.value(hyper, t)) for t in STEPS]
    share = found.e / found.v
    assert share[0] <= 2.0**-52 and np.all(np.diff(share[1:]) > 0)
    assert 20 * share[1] < share[3] < 200 * share[1]
    for i, t in enumerate(STEPS):
        assert step.unrolled(EXPONENTIAL, hyper, [t], FLOAT64).e.tolist() == [found.e[i]]
    assert step.unrolled(EXPONENTIAL, hyper, [], FLOAT64).e.size == 0


@pytest.mark.parametrize(("recursive", "arithmetic"), [
    (False, FLOAT64), (True, FLOAT64), (False, HYPER32), (True, HYPER32),
])  # fmt: skip
def test_what_is_due_of_a_run_has_the_error_of_both(recursive: bool, arithmetic: Any) -> None:
    """Of the kernel's form and arithmetic, and of the reference in its own."""
    hyper = EXPONENTIAL.Hyper(lr=0.3)
    capability = ScheduleCapability(
        rule="exponential", format="float64", arithmetic=arithmetic, recursive=recursive
    )
    form = step.unrolled if recursive else step.closed
    made, own = (form(EXPONENTIAL, hyper, STEPS, arithmetic),
                 step.closed(EXPONENTIAL, hyper, STEPS, ORACLE))  # fmt: skip
    due = step.contract(EXPONENTIAL, capability, hyper, STEPS)
    assert due.v.tolist() == made.v.tolist() and due.e.tolist() == (made.e + own.e).tolist()
    for off, passes in ((0.0, True), (1.9, True), (3.0, False)):
        for sign in (1, -1):
            got = due.v + sign * off * due.e
            assert step.judged(EXPONENTIAL, capability, hyper, STEPS, got).passed is passes


@pytest.mark.parametrize("arithmetic", [FLOAT64, HYPER32])
def test_in_lockstep_every_value_is_judged_by_the_last(arithmetic: Any) -> None:
    """Whatever that was."""
    hyper = EXPONENTIAL.Hyper(lr=0.3)
    capability = ScheduleCapability(
        rule="exponential", format="float64", arithmetic=arithmetic, recursive=True
    )
    steps, last = [1, 2], np.array([0.5, 0.75])
    made, own = (
        step.advanced(EXPONENTIAL, hyper, steps, list(last), a) for a in (arithmetic, ORACLE)
    )
    for off, passes in ((0.0, True), (1.9, True), (3.0, False)):
        got = made.v + off * (made.e + own.e)
        found = step.judged(EXPONENTIAL, capability, hyper, steps, got, last)
        assert found.passed is passes and found.judged == 2


def test_every_branch_is_within_the_hull() -> None:
    """And nothing is known where one is not."""

    def number(v: float, e: float) -> Bounded:
        return Bounded(np.asarray(v), np.asarray(e), FLOAT64, FLOAT64.format)

    found = step._hull(
        [1.0, 2.0, 3.0],
        [[number(1.0, 0.5), number(4.0, 0.25)], [number(2.0, 0.125)], [number(np.nan, 0.0)]],
        FLOAT64,
    )
    assert found.v.tolist() == [1.0, 2.0, 3.0] and found.e.tolist() == [3.25, 0.125, np.inf]


def test_a_schedule_may_end() -> None:
    """From its last step on, where it raises there."""
    hyper = SCHEDULES["one_cycle"].Hyper(lr=0.3, total_steps=10, after="raise")
    found = [step.ended(SCHEDULES["one_cycle"], hyper, t) for t in (9, 10, 11)]
    assert found == [False, True, True]
    assert not step.ended(COSINE, COSINE.Hyper(), 10**6)
