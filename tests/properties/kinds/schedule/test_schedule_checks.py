"""The checks of schedules catch planted faults, say what is computed, and clear faithful code.

Over 300 lines: a kernel, its phases, its domain and its faults need one another.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from truestep.fast import discovery
from truestep.fast.protocol import BackendUnavailable, Capability
from truestep.fast.reference_backend import Backend as Reference
from truestep.properties.arithmetic.decision import Undecided, every_branch
from truestep.properties.arithmetic.exact import DIGITS
from truestep.properties.arithmetic.lift import converted
from truestep.properties.arithmetic.profiles import ORACLE, PROFILES
from truestep.properties.arithmetic.whole import Whole
from truestep.properties.judge.results import CheckResult
from truestep.properties.kinds.schedule import cases
from truestep.properties.kinds.schedule import step as scheduling
from truestep.properties.kinds.schedule.laws import LAWS
from truestep.properties.kinds.schedule.shapes import SHAPES
from truestep.properties.kinds.table import KINDS
from truestep.properties.museum import FAULTS
from truestep.properties.run.plan import checks_of, replay_check, run_check
from truestep.properties.soundness.exactly import exact_value
from truestep.reference.schedules import SCHEDULES

Value = Callable[[Any, int], float]


@dataclass
class Kernel:
    """A backend of one schedule, given by a function of the hyperparameters and the step."""

    value: Value
    capability: Capability
    name: str = "kernel"

    def capabilities(self) -> list[Capability]:
        return [self.capability]

    def schedule_values(
        self, capability: Capability, hyper: Any, steps: Sequence[int]
    ) -> list[float]:
        return [self.value(hyper, t) for t in steps]


def kernel(rule: str, value: Value, **fields: Any) -> Kernel:
    """A float64 kernel of that rule."""
    given: dict[str, Any] = {"format": "float64", "arithmetic": "ieee_float64", **fields}
    return Kernel(value, Capability("schedule", rule, **given))


def failures(backend: Any, *names: str, level: str = "smoke") -> dict[str, CheckResult]:
    """The failing ones of the named checks, or of all."""
    chosen = [c for c in checks_of(backend) if not names or c.name in names]
    found = [run_check(backend, c, level=level, seed=0, told=False) for c in chosen]
    return {r.check: r for r in found if r.verdict in ("fail", "crashed")}


def stateful() -> Value:
    """A kernel that counts its own calls instead of reading the step."""
    calls: list[int] = []

    def value(h: Any, t: int) -> float:
        calls.append(t)
        return float(SCHEDULES["cosine"].value(h, len(calls) % 7))

    return value


def own(rule: str, then: Callable[[Any, int, float], float]) -> Value:
    """The reference's value, spoilt."""
    return lambda h, t: then(h, t, float(SCHEDULES[rule].value(h, t)))


# Every planted fault of a schedule is in the museum; here, one for each law and kind of failure.
@pytest.mark.parametrize(
    ("rule", "value", "check"),
    [
        ("cosine", stateful(), "law:depends_on_the_step_alone"),
        ("power", own("power", lambda h, t, x: x + 1e-9), "law:scales_with_the_learning_rate"),
        ("power", own("power", lambda h, t, x: math.nan if t > 9 else x), "values"),
        ("power", own("power", lambda h, t, x: -x), "law:stays_between_its_extremes"),
        ("noam", own("noam", lambda h, t, x: x * (1 + t % 2)), "law:monotone_within_phases"),
        (
            "inverse_sqrt",
            own("inverse_sqrt", lambda h, t, x: x / 2 if t >= h.warmup_steps else x),
            "law:continuous_within_phases",
        ),
    ],
)
def test_a_fault_is_caught_by_the_law_it_breaks(rule: str, value: Value, check: str) -> None:
    """The message names the law, and a snippet runs the case again."""
    result = failures(kernel(rule, value), check, level="standard")[check]
    assert result.verdict == "fail"
    assert f"schedule/{rule}/float64/{check}" in result.message
    assert ("the law: " in result.message) == check.startswith("law:")
    json.dumps(result.to_json(), allow_nan=False)


def test_a_failure_can_be_replayed() -> None:
    """The recorded case fails again, at the same step, and passes on the reference."""
    backend = FAULTS["cosine_horizon_one_longer"].backend()
    check = next(c for c in checks_of(backend) if c.name == "values")
    worst = run_check(backend, check, level="standard", seed=0).worst
    assert worst is not None
    again = replay_check(backend, check, worst["case"])
    assert again.verdict == "fail" and again.worst is not None
    assert (again.worst["t"], again.worst["got"]) == (worst["t"], worst["got"])
    assert replay_check(Reference(), check, worst["case"]).verdict == "pass"


def test_the_seed_decides_the_cases() -> None:
    """The same seed gives the same result, another seed another."""
    backend = kernel("cosine", squared)
    check = next(c for c in checks_of(backend) if c.name == "values")
    results = [run_check(backend, check, level="smoke", seed=seed) for seed in (0, 0, 1)]
    assert results[0].worst == results[1].worst != results[2].worst


# Faithful kernels.


@pytest.mark.parametrize("rule", sorted(SCHEDULES))
def test_the_reference_passes_in_every_dialect(rule: str) -> None:
    """Every check, every element judged, in every dialect one choice away from the default."""
    own, choices = SCHEDULES[rule].Hyper(), SCHEDULES[rule].DIALECTS.items()
    dialects = [{}] + [{f: v} for f, vs in choices for v in vs if v != getattr(own, f)]
    for i, dialect in enumerate(dialects):
        capability = Capability(
            "schedule", rule, "float64", "ieee_float64", dialect, variant=str(i)
        )
        backend = Kernel(lambda h, t: float(SCHEDULES[rule].value(h, t)), capability)
        for check in checks_of(backend):
            result = run_check(backend, check, level="smoke", seed=i)
            assert result.verdict == "pass", result.message
            assert result.judged_fraction == 1.0


def as_float32(rule: str) -> Value:
    """The reference's lines on float32 numbers: every quotient, product and cosine rounded."""
    module = SCHEDULES[rule]

    def number(x: int) -> Any:
        return np.float32(x)

    def value(h: Any, t: int) -> float:
        lifted = converted(
            h,
            lambda _, x: (
                np.float32(x)
                if isinstance(x, float)
                else Whole(x, number)
                if isinstance(x, int)
                else x
            ),
        )
        function = scheduling.over(module, "value", np.float32(np.pi))
        with np.errstate(all="ignore"):
            return float(function(lifted, Whole(t, number)))

    return value


@pytest.mark.parametrize("rule", sorted(SCHEDULES))
def test_float32_arithmetic_passes_as_declared_and_fails_as_float64(rule: str) -> None:
    """A kernel in float32 stays within the contract of float32, and of no finer one."""
    fields = {"format": "float32", "arithmetic": "float32_hyper"}
    backend = kernel(rule, as_float32(rule), **fields)
    assert not failures(backend)
    assert not failures(backend, "values", level="standard")
    if rule != "constant":
        assert failures(kernel(rule, as_float32(rule)), "values", level="standard")


def squared(h: Any, t: int) -> float:
    """The square of half the angle's cosine, the floor added last."""
    angle = math.pi * min(t, h.total_steps) / h.total_steps
    return float(h.min_lr + (h.lr - h.min_lr) * math.cos(angle / 2) ** 2)


# Faithful code that is written otherwise than the reference.
OTHERWISE: dict[str, tuple[str, Value]] = {
    "a common denominator": (
        "inverse_time",
        lambda h, t: h.lr * h.decay_steps / (h.decay_steps + h.decay_rate * t),
    ),
    "a negative power": ("power", lambda h, t: h.lr * (t + h.shift) ** -h.power),
    "a reciprocal": (
        "inverse_time",
        lambda h, t: h.lr * (1 / (1 + h.decay_rate / h.decay_steps * t)),
    ),
    "half the angle": ("cosine", squared),
    "one root of the quotient": (
        "noam",
        lambda h, t: (
            h.lr / math.sqrt(h.d_model) * min((t + 1) ** -0.5, (t + 1) * h.warmup_steps**-1.5)
        ),
    ),
}


@pytest.mark.parametrize("name", sorted(OTHERWISE))
def test_other_orders_of_evaluation_pass(name: str) -> None:
    """An equivalent formula costs less than the slack."""
    assert not failures(kernel(*OTHERWISE[name]), level="standard")


RECURSIVE = {
    "constant": {},
    "cosine": {"after": "bounce"},
    "exponential": {},
    "linear": {},
    "multi_step": {},
    "polynomial": {},
}


@dataclass
class Recursion(Kernel):
    """A kernel that makes every value from the last one."""

    def schedule_values(
        self, capability: Capability, hyper: Any, steps: Sequence[int]
    ) -> list[float]:
        module = SCHEDULES[capability.rule]
        lr, found = float(module.value(hyper, 0)), {}
        for t in range(max(steps, default=0) + 1):
            found[t] = self.value(hyper, t) + lr
            lr = float(module.advance(hyper, t, lr))
        return [found[t] for t in steps]


@pytest.mark.parametrize("rule", sorted(RECURSIVE))
def test_recursions_pass_in_lockstep_and_as_a_whole(rule: str) -> None:
    """Every value from the backend's own last one; the whole run by the sum of all its errors."""
    capability = Capability(
        "schedule", rule, "float64", "ieee_float64", RECURSIVE[rule], recursive=True
    )
    backend = Recursion(lambda h, t: 0.0, capability)
    assert next(c.name for c in checks_of(backend)) == "closed_form"
    assert not failures(backend)


def test_a_recursion_that_departs_is_caught() -> None:
    """One step that goes another way fails in lockstep; so does a kernel of another rule."""
    capability = Capability("schedule", "exponential", "float64", "ieee_float64", recursive=True)
    found = failures(
        Recursion(lambda h, t: h.lr * 1e-9 * (t == 3), capability), "closed_form", "every_step"
    )
    assert set(found) == {"closed_form", "every_step"}
    halving = Kernel(lambda h, t: max(h.lr * 0.49**t, h.min_lr), capability)
    assert failures(halving, "values")


# The end of a schedule that raises.


def test_an_error_past_the_end_is_demanded_where_the_dialect_promises_it() -> None:
    """A kernel that goes on is caught, a ValueError passes, another error is a crash."""

    def ending(error: Exception | None) -> Value:
        def value(h: Any, t: int) -> float:
            if t >= h.total_steps and error is not None:
                raise error
            return float(SCHEDULES["one_cycle"].value(h, min(t, h.total_steps - 1)))

        return value

    assert not failures(kernel("one_cycle", ending(ValueError("over"))))
    goes_on = failures(kernel("one_cycle", ending(None)))
    assert set(goes_on) == {"past_the_end"}
    assert "lies past the last step" in goes_on["past_the_end"].message
    crashed = failures(kernel("one_cycle", ending(IndexError("list"))), "past_the_end")
    assert crashed["past_the_end"].verdict == "crashed"


def test_unsupported_hyperparameters_are_not_judged() -> None:
    """A kernel that refuses some is judged by the others; one that refuses all, not at all."""

    def some(h: Any, t: int) -> float:
        if h.total_steps % 2:
            raise BackendUnavailable("an even number of steps is needed")
        return float(SCHEDULES["cosine"].value(h, t))

    def none(h: Any, t: int) -> float:
        raise BackendUnavailable("nothing is supported")

    check = next(c for c in checks_of(kernel("cosine", some)) if c.name == "values")
    result = run_check(kernel("cosine", some), check, level="standard", seed=0)
    assert result.verdict == "pass" and 0 < result.judged_fraction < 1
    result = run_check(kernel("cosine", none), check, level="standard", seed=0)
    assert result.verdict == "not_judged" and result.judged_fraction == 0


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda h, t: "0.1", "must be a real number, got '0.1'"),
        (lambda h, t: None, "must be a real number, got None"),
        (lambda h, t: 1 / 0, "the backend raised ZeroDivisionError"),
    ],
)
def test_a_broken_protocol_is_told(value: Any, message: str) -> None:
    """What comes back must be numbers; an exception is the backend's crash."""
    assert message in failures(kernel("cosine", value), "values")["values"].message


def test_a_recursive_capability_needs_a_recursive_form() -> None:
    """Discovery refuses a declaration that nothing could judge."""
    backend = kernel("noam", lambda h, t: 0.0, recursive=True)
    with pytest.raises(discovery.BrokenBackend, match="no recursive form"):
        discovery.check(backend, "mine")


# The contract itself.


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_bound_holds_against_sixty_digits(data: st.DataObject) -> None:
    """|float64 value - exact value| stays within the bound of the reference's own arithmetic."""
    rule = data.draw(st.sampled_from(sorted(SCHEDULES)))
    module = SCHEDULES[rule]
    capability = Capability("schedule", rule, "float64", "ieee_float64")
    h = module.Hyper(**data.draw(cases.hypers(capability)))
    t = data.draw(st.integers(0, 300))
    if scheduling.ended(module, h, t):
        return
    bound = scheduling.closed(module, h, [t], ORACLE)
    with mpmath.workdps(DIGITS):
        exact = exact_value(module, h, t)
        error = abs(mpmath.mpf(float(bound.v[0])) - exact.x.item())
        assert error <= float(bound.e[0]), (rule, h, t)


def test_both_branches_of_an_open_comparison_are_allowed() -> None:
    """Where rounding decides on which side of a knot a step lies, the values of both sides pass."""
    module = SCHEDULES["one_cycle"]
    h = module.Hyper(total_steps=1000, pct_start=0.29, after="hold")
    knot = 289  # 0.29 * 1000 - 1, where 0.29 is no binary number
    bound = scheduling.closed(module, h, [knot], PROFILES["float32_hyper"])
    assert math.isfinite(float(bound.e[0]))


def test_every_branch_is_followed_once() -> None:
    """Two open comparisons in a row open four paths; a limit on them is kept."""
    third = scheduling.Bounded.hyper(1 / 3, PROFILES["float32_hyper"])

    def compute() -> str:
        return ("a" if third < 1 / 3 else "b") + ("c" if third <= 1 / 3 else "d")

    assert sorted(every_branch(compute)) == ["ac", "ad", "bc", "bd"]
    with pytest.raises(Undecided, match="more than 3 paths"):
        every_branch(compute, most=3)
    with pytest.raises(Undecided):
        bool(third < 1 / 3)


def test_integers_of_a_schedule_stay_exact_among_themselves() -> None:
    """Sums, remainders and even quotients are exact; an uneven one carries its rounding."""

    def number(x: int) -> Any:
        return scheduling.counted(x, ORACLE)

    seven, two = Whole(7, number), Whole(2, number)
    assert [seven + 2, 2 + seven, seven - 2, 2 - seven, seven * 2, seven // 2, 9 // two] == [
        9,
        9,
        5,
        -5,
        14,
        3,
        4,
    ]
    assert all(isinstance(x, Whole) for x in (seven % two, 5 % two, -seven, *divmod(seven, 2)))
    assert float((Whole(14, number) / 7).e) == 0.0
    assert float((seven / two).e) > 0.0 and float((2 / seven).v) == 2 / 7
    assert float((seven**-0.5).v) == 7**-0.5
    assert float(scheduling.counted(2**24 + 1, PROFILES["float32_hyper"]).e) >= 1.0
    with pytest.raises(TypeError):
        seven + "1"


# Tables.


def test_every_schedule_has_a_shape_a_picture_and_fields_to_draw() -> None:
    """A schedule that a table lacks is named here."""
    assert list(SHAPES) == list(SCHEDULES) == list(cases.PICTURED)
    for rule, module in SCHEDULES.items():
        constant = {name for name, limits in module.Hyper.RANGES.items() if not limits.usual}
        assert not constant, f"{rule}: {constant}"


def test_every_law_says_what_holds() -> None:
    """A failing law is explained by its docstring."""
    assert all((law.__doc__ or "").strip().endswith(".") for law in LAWS.values())
    assert list(LAWS) == sorted(LAWS)
    names = KINDS["schedule"].names(Capability("schedule", "power"))
    assert [f"law:{name}" for name in LAWS] == [n for n in names if n.startswith("law:")]


def test_a_report_gets_the_values_and_the_conditions() -> None:
    """The check of values carries a chart of backend and reference, and the certificate."""
    check = next(c for c in checks_of(Reference()) if c.id == "schedule/power/float64/values")
    extra = run_check(Reference(), check, level="smoke", seed=0).extra
    roles = {series["role"]: series["y"] for series in extra["chart"]["series"]}
    assert roles["exact"] == roles["measured"] and len(roles["exact"]) > 50
    assert extra["robbins_monro"]["both"] is True
    assert "p = 1" in extra["robbins_monro"]["proof"]
