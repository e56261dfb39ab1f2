"""Laws of schedules: ends, joins, monotone phases, periods, areas, scaling; facts of all files.

Over 300 lines: every law of every schedule on the references.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truestep.properties.arithmetic.exact import DIGITS, Exact
from truestep.properties.kinds.schedule.shapes import SHAPES
from truestep.reference import schedules
from truestep.reference.schedules import SCHEDULES

HEADINGS = ["Rule", "Shapes", "Domain", "Choices", "Special cases", "Judged", "Sources"]
ALL = pytest.mark.parametrize("rule", sorted(SCHEDULES))
U = 2.0**-53

# Hyperparameters that keep every term alive and the horizon near.
LIVE: dict[str, dict[str, Any]] = {
    "chebyshev": {"total_steps": 16},
    "constant": {},
    "constant_factor": {"total_steps": 6},
    "cosine": {"min_lr": 1e-4, "total_steps": 50},
    "cyclic": {"steps_up": 7, "steps_down": 9},
    "exponential": {"step_size": 3, "min_lr": 1e-6},
    "inverse_sqrt": {"warmup_steps": 8},
    "inverse_time": {"decay_rate": 0.5, "decay_steps": 3},
    "linear": {"start_factor": 0.25, "end_factor": 1.0, "total_steps": 20},
    "linear_warmup_cosine": {"min_lr": 1e-4, "warmup_steps": 5, "total_steps": 50},
    "linear_warmup_exponential": {"step_size": 3, "warmup_steps": 5, "min_lr": 1e-6},
    "linear_warmup_polynomial": {"min_lr": 1e-4, "warmup_steps": 5, "total_steps": 30},
    "multi_step": {"milestones": (3, 3, 10)},
    "noam": {"warmup_steps": 6},
    "one_cycle": {"total_steps": 40, "after": "hold"},
    "piecewise_interpolate": {"milestones": (3, 3, 10), "gamma": 0.5},
    "polynomial": {"min_lr": 1e-4, "total_steps": 30, "power": 1.5},
    "power": {"shift": 3.0, "power": 0.75},
    "rex": {"min_lr": 1e-4, "total_steps": 30},
    "warm_restarts": {"min_lr": 1e-5, "cycle_steps": 4, "decay": 0.7},
    "warmup_stable_decay": {"warmup_steps": 4, "decay_steps": 9, "total_steps": 30},
}


def dialects(rule: str) -> list[dict[str, str]]:
    """The defaults, and every dialect that departs from them in one field."""
    module = SCHEDULES[rule]
    return [{}] + [{f: v} for f, values in module.DIALECTS.items() for v in values]


def hypers(rule: str) -> list[Any]:
    """The live hyperparameters in every dialect that is defined for all t."""
    kept = [d for d in dialects(rule) if d.get("after") != "raise"]
    return [SCHEDULES[rule].Hyper(**{**LIVE[rule], **d}) for d in kept]


def test_table_lists_every_module_in_alphabetical_order() -> None:
    """A schedule's file without a line in SCHEDULES, or a line without a file, is named here."""
    folder = Path(next(iter(schedules.__path__)))
    assert list(SCHEDULES) == sorted(p.stem for p in folder.glob("*.py") if p.stem != "__init__")


@ALL
def test_docstring_has_the_seven_headings_in_order(rule: str) -> None:
    """Rule, Shapes, Domain, Choices, Special cases, Judged, Sources; none left out."""
    found = re.findall(r"^([A-Z][a-z ]+)$", SCHEDULES[rule].__doc__ or "", re.MULTILINE)
    assert found == HEADINGS


@ALL
def test_values_are_finite_and_non_negative(rule: str) -> None:
    """Every dialect, at small, boundary and enormous t, past every horizon."""
    times = [*range(120), 2**24 + 1, 2**31, 2**53 - 1, 2**60]
    for h in hypers(rule):
        values = np.array([float(SCHEDULES[rule].value(h, t)) for t in times])
        assert np.isfinite(values).all()
        assert (values >= 0).all()
        # A weighted mean may exceed its larger end by its own three roundings, and the highest
        # value has as many itself.
        assert (values <= SHAPES[rule](h).high * (1 + 6 * 2 * U)).all()


@ALL
def test_integers_of_any_type_give_the_same_bits(rule: str) -> None:
    """t as int, numpy.int32 or numpy.int64; evaluation order does not matter."""
    for h in hypers(rule):
        for t in (31, 0, 7):
            values = {float(SCHEDULES[rule].value(h, k)) for k in (t, np.int32(t), np.int64(t))}
            assert len(values) == 1


@ALL
@pytest.mark.parametrize(
    ("t", "error"), [(-1, ValueError), (1.0, TypeError), (True, TypeError), ("1", TypeError)]
)
def test_bad_steps_are_named(rule: str, t: Any, error: type[Exception]) -> None:
    """t must be an integer >= 0; the error shows what was given."""
    with pytest.raises(error, match=f"t must be .*{t!r}"):
        SCHEDULES[rule].value(SCHEDULES[rule].Hyper(**LIVE[rule]), t)


@ALL
def test_bad_hyperparameters_are_named(rule: str) -> None:
    """nan, inf, negative numbers and unknown choices are refused with the field's name."""
    module = SCHEDULES[rule]
    for field in dataclasses.fields(module.Hyper):
        bad: list[Any] = []
        if field.name in module.DIALECTS:
            bad = ["nonsense"]
        elif isinstance(field.default, float):
            bad = [float("nan"), float("inf"), -1.0, "1"]
        elif isinstance(field.default, int):
            bad = [-1, 1.5, True]
        assert bad or field.name == "milestones"
        for value in bad:
            with pytest.raises((TypeError, ValueError), match=field.name):
                module.Hyper(**{**LIVE[rule], field.name: value})


@pytest.mark.parametrize(
    ("rule", "hyper"),
    [
        ("cosine", {"min_lr": 1.0}),
        ("polynomial", {"min_lr": 1.0}),
        ("warm_restarts", {"min_lr": 1.0}),
        ("cyclic", {"min_lr": 1.0}),
        ("linear_warmup_cosine", {"warmup_steps": 9, "total_steps": 8}),
        ("warmup_stable_decay", {"warmup_steps": 9, "decay_steps": 9, "total_steps": 17}),
        ("multi_step", {"milestones": (3, 2)}),
        ("multi_step", {"milestones": (-1,)}),
        ("one_cycle", {"pct_start": 0.6, "phases": "three"}),
        ("one_cycle", {"total_steps": 2}),
        ("exponential", {"gamma": 1.5}),
        ("chebyshev", {"total_steps": 12}),
        ("chebyshev", {"min_curvature": 2.0}),
        ("constant_factor", {"factor": 1.5}),
        ("linear_warmup_exponential", {"min_lr": 1.0}),
        ("linear_warmup_polynomial", {"warmup_steps": 9, "total_steps": 8}),
        ("one_cycle", {"total_steps": 4, "knots": "whole", "pct_start": 0.2}),
        ("piecewise_interpolate", {"milestones": (3, 2)}),
        ("rex", {"min_lr": 1.0}),
    ],
)
def test_contradictory_hyperparameters_are_refused(rule: str, hyper: dict[str, Any]) -> None:
    """Ends in the wrong order, phases longer than the whole, growth where decay is meant."""
    with pytest.raises(ValueError, match="must"):
        SCHEDULES[rule].Hyper(**hyper)


# Ends, joins and phases.

positive = st.floats(1e-8, 1.0)
ratio = st.floats(0.0, 1.0)
horizon = st.integers(1, 10**6)


@given(lr=positive, ratio=ratio, T=horizon)
def test_decays_are_exact_at_both_ends(lr: float, ratio: float, T: int) -> None:
    """cosine and polynomial are lr at 0 and min_lr at the end, restarts are lr, bitwise."""
    m = lr * ratio
    for rule in ("cosine", "polynomial"):
        module = SCHEDULES[rule]
        h = module.Hyper(lr=lr, min_lr=m, total_steps=T)
        assert module.value(h, 0) == lr
        assert module.value(h, T) == module.value(h, T + 1) == module.value(h, 10 * T) == m
    restarts = SCHEDULES["warm_restarts"]
    h = restarts.Hyper(lr=lr, min_lr=m, cycle_steps=T, growth=3)
    assert [restarts.value(h, s) for s in (0, T, 4 * T, 13 * T)] == [lr] * 4


@given(lr=positive, ratio=ratio, W=st.integers(0, 1000), D=horizon)
def test_warmup_joins_the_cosine_at_the_peak(lr: float, ratio: float, W: int, D: int) -> None:
    """The peak is exactly lr at t = W; without a warm-up it is the cosine itself, bitwise."""
    module, cosine = SCHEDULES["linear_warmup_cosine"], SCHEDULES["cosine"]
    h = module.Hyper(lr=lr, min_lr=lr * ratio, warmup_steps=W, total_steps=W + D)
    alone = cosine.Hyper(lr=lr, min_lr=lr * ratio, total_steps=D)
    assert module.value(h, W) == lr
    for s in (0, 1, D // 2, D - 1, D, D + 1, 2 * D):
        assert module.value(h, W + s) == cosine.value(alone, s)
    if W:
        assert module.value(h, 0) == 0
        # One step before the peak: lr (1 - 1 / W) with two roundings of each side.
        assert abs(module.value(h, W - 1) - (lr - lr / W)) <= 4 * U * lr


def test_phases_are_monotone() -> None:
    """Strictly up during warm-up, constant in the stable phase, never up in the decay."""
    for rule in ("linear_warmup_cosine", "warmup_stable_decay", "inverse_sqrt", "noam"):
        module = SCHEDULES[rule]
        for h in hypers(rule):
            if getattr(h, "after", "hold") != "hold" or getattr(h, "cosine", "") == "running":
                continue
            values = [float(module.value(h, t)) for t in range(60)]
            peak = values.index(max(values))
            assert (np.diff(values[: peak + 1]) > 0).all()
            assert (np.diff(values[peak:]) <= 0).all()
    for rule in ("cosine", "polynomial", "exponential", "inverse_time", "power", "multi_step"):
        for h in hypers(rule):
            if getattr(h, "after", "hold") == "hold":
                values = [float(SCHEDULES[rule].value(h, t)) for t in range(60)]
                assert (np.diff(values) <= 0).all()


@given(lr=positive, ratio=ratio, T=horizon, t=st.integers(0, 10**7))
def test_bouncing_cosine_is_even_and_periodic(lr: float, ratio: float, T: int, t: int) -> None:
    """a(t + 2T) = a(t) bitwise, and a(2T - t) = a(t) to the rounding of the cosine's argument."""
    module = SCHEDULES["cosine"]
    h = module.Hyper(lr=lr, min_lr=lr * ratio, total_steps=T, after="bounce")
    value = module.value(h, t)
    assert module.value(h, t + 2 * T) == value
    t %= 2 * T
    # The argument is at most 2 pi with two roundings; 8 more roundings on the way out of it.
    assert abs(module.value(h, 2 * T - t) - value) <= 2 * (4 * np.pi + 8) * U * lr


@given(lr=positive, ratio=ratio, T=st.integers(1, 10**5), data=st.data())
def test_cosine_and_line_are_antisymmetric(
    lr: float, ratio: float, T: int, data: st.DataObject
) -> None:
    """a(t) + a(T - t) = lr + min_lr, up to the roundings of the two values."""
    t = data.draw(st.integers(0, T))
    for rule in ("cosine", "polynomial"):
        module = SCHEDULES[rule]
        h = module.Hyper(lr=lr, min_lr=lr * ratio, total_steps=T)
        total = module.value(h, t) + module.value(h, T - t)
        assert abs(total - (lr + lr * ratio)) <= 2 * (2 * np.pi + 8) * U * lr


@pytest.mark.parametrize("T", [1, 2, 7, 100, 1001])
def test_areas_are_the_closed_forms(T: int) -> None:
    """Sums over t < T: cosine and line T (b + m) / 2 + (b - m) / 2; an off-by-one shifts them."""
    b, m = 0.1, 0.01
    want = T * (b + m) / 2 + (b - m) / 2
    for rule in ("cosine", "polynomial"):
        module = SCHEDULES[rule]
        h = module.Hyper(lr=b, min_lr=m, total_steps=T)
        values = [module.value(h, t) for t in range(T)]
        assert abs(np.sum(values) - want) <= 20 * T * U * b
        if rule == "cosine" and T >= 2:
            squares = [module.value(module.Hyper(lr=b, total_steps=T), t) ** 2 for t in range(T)]
            assert abs(np.sum(squares) - b * b * (3 * T / 8 + 0.5)) <= 40 * T * U * b * b
    with mpmath.workdps(30):
        module = SCHEDULES["power"]
        h = module.Hyper(lr=b, shift=3.0, power=0.75)
        area = b * (mpmath.zeta(0.75, 3) - mpmath.zeta(0.75, T + 3))
        assert abs(np.sum([module.value(h, t) for t in range(T)]) - float(area)) <= 20 * T * U * b


@given(lr=positive, ratio=ratio, k=st.integers(-10, 0), t=st.integers(0, 200))
def test_scaling_lr_and_floor_by_a_power_of_two_scales_the_value(
    lr: float, ratio: float, k: int, t: int
) -> None:
    """Exact: every rule that has a lr is homogeneous in its learning rates."""
    for rule in sorted(SCHEDULES):
        module = SCHEDULES[rule]
        fields = {f.name for f in dataclasses.fields(module.Hyper)}
        rates = {"lr": lr} | ({"min_lr": lr * ratio} if "min_lr" in fields else {})
        scaled = {name: rate * 2.0**k for name, rate in rates.items()}
        value = module.value(module.Hyper(**{**LIVE[rule], **rates}), t)
        assert module.value(module.Hyper(**{**LIVE[rule], **scaled}), t) == value * 2.0**k


@given(T=st.integers(1, 1000), k=st.sampled_from([2, 4, 8, 64]), data=st.data())
def test_time_unit_does_not_matter(T: int, k: int, data: st.DataObject) -> None:
    """Stretching the horizon and t by a power of two gives the same bits."""
    t = data.draw(st.integers(0, 2 * T))
    for rule in ("cosine", "polynomial", "linear"):
        module = SCHEDULES[rule]
        value = module.value(module.Hyper(total_steps=T), t)
        assert module.value(module.Hyper(total_steps=k * T), k * t) == value


@pytest.mark.parametrize("growth", [1, 2, 3, 10])
def test_restarts_are_found_in_integers(growth: int) -> None:
    """Up to 10^18, the step before a restart belongs to the old cycle, the restart to the new."""
    module = SCHEDULES["warm_restarts"]
    for first in (1, 3, 5, 10):
        h = module.Hyper(lr=1.0, cycle_steps=first, growth=growth)
        start, length = 0, first
        for i in range(1000 if growth == 1 else 60):
            if start > 10**18:
                break
            assert module.cycle(h, start) == (i, start, length)
            assert module.cycle(h, start + length - 1) == (i, start, length)
            assert module.value(h, start) == 1.0
            start, length = start + length, length * growth


@given(s=st.integers(1, 10**6))
def test_noam_and_inverse_sqrt_halve_at_four_times_the_step(s: int) -> None:
    """Past the warm-up a(4s) = a(s) / 2 and four times the width halves the value."""
    noam, root = SCHEDULES["noam"], SCHEDULES["inverse_sqrt"]
    s += 8
    narrow, wide = noam.Hyper(warmup_steps=8, d_model=64), noam.Hyper(warmup_steps=8, d_model=256)
    value = noam.value(narrow, s - 1)
    assert noam.value(wide, s - 1) == value / 2
    # Two powers, each within an ulp, and two products.
    assert abs(noam.value(narrow, 4 * s - 1) - value / 2) <= 8 * U * value
    h = root.Hyper(lr=1.0, warmup_steps=8)
    assert abs(root.value(h, 4 * s) - root.value(h, s) / 2) <= 4 * U * root.value(h, s)


def test_one_cycle_past_its_end() -> None:
    """Not defined unless held; extrapolation, which turns negative, never happens."""
    module = SCHEDULES["one_cycle"]
    with pytest.raises(ValueError, match="t must be < total_steps = 40, got 40"):
        module.value(module.Hyper(total_steps=40), 40)
    h = module.Hyper(total_steps=40, after="hold")
    assert module.value(h, 39) == module.value(h, 40) == module.value(h, 400)
    assert module.value(h, 39) == h.lr / 25.0 / 1e4


# The recursive forms.


def test_cosine_recursion_equals_the_closed_form_to_fifty_digits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With 60-digit cosines PyTorch's recursion, bounce included, is the closed form."""
    module = SCHEDULES["cosine"]
    with mpmath.workdps(DIGITS):
        monkeypatch.setattr(module, "PI", Exact(mpmath.pi()))
        for T in (1, 2, 7, 20):
            h = module.Hyper(lr=0.5, min_lr=0.125, total_steps=T, after="bounce")
            lr: Any = Exact.of(h.lr)
            for t in range(4 * T):
                lr = module.advance(h, t, lr)
                error = abs((lr - module.value(h, t + 1)).x.item())
                assert error < mpmath.mpf(10) ** -50, (T, t)


@pytest.mark.parametrize("rule", ["constant", "exponential", "linear", "multi_step", "polynomial"])
def test_recursions_equal_the_closed_forms_to_their_roundings(rule: str) -> None:
    """advance from step to step stays within 10 roundings a step of value."""
    module = SCHEDULES[rule]
    for h in hypers(rule):
        if getattr(h, "after", "hold") != "hold":
            continue
        lr = module.value(h, 0)
        for t in range(60):
            lr = module.advance(h, t, lr)
            bound = 10 * (t + 1) * U * h.lr
            assert abs(lr - module.value(h, t + 1)) <= bound, (h, t)
