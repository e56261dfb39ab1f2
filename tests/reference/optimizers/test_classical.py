"""Identities of the classical methods: exact, in rational arithmetic where no root is taken."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pytest

from truestep.reference.optimizers import (
    asgd,
    heavy_ball,
    kiefer_wolfowitz,
    lms,
    nesterov,
    perceptron,
    polyak_ruppert,
    robbins_monro,
    sgd,
)

Rational = np.ndarray[Any, np.dtype[np.object_]]


def _rational(*values: str) -> Rational:
    return np.array([Fraction(value) for value in values], dtype=object)


def _with(hyper: Any, **fields: Fraction | int) -> Any:
    """The Hyper with these fields written past its validation, which knows no Fraction."""
    for field, value in fields.items():
        object.__setattr__(hyper, field, value)
    return hyper


X = [_rational("1/3", "-2"), _rational("5", "1/7"), _rational("-4/9", "3"), _rational("1", "1/2")]


def test_heavy_ball_visits_the_points_of_both_momentum_forms() -> None:
    """In rational arithmetic, with constant lr and the gradient of a quadratic."""
    fields = {"lr": Fraction(1, 7), "momentum": Fraction(9, 10), "weight_decay": Fraction(1, 5)}
    paths = []
    for module, hyper in (
        (heavy_ball, heavy_ball.Hyper()),
        (sgd, sgd.Hyper()),
        (sgd, sgd.Hyper(momentum_form="lr_inside")),
    ):
        h = _with(hyper, **fields, **({"dampening": 0} if module is sgd else {}))
        p = _rational("1", "-2/3")
        s = module.State(0, p) if module is heavy_ball else module.State(0, 0 * p)
        path = []
        for _ in range(6):
            s, p = module.step(h, s, p, np.array([3 * p[0] + p[1], p[0] + 2 * p[1] - 1]))
            path.append(list(p))
        paths.append(path)
    assert paths[0] == paths[1] == paths[2]


def test_momentum_forms_part_when_lr_changes() -> None:
    """lr inside keeps the old gradient's own lr; lr outside applies the new one to it."""
    ends = {}
    form: Any
    for form in ("lr_outside", "lr_inside"):
        p, s = np.zeros(1), sgd.State(0, np.zeros(1))
        for lr, g in ((1.0, 1.0), (0.5, 0.0)):
            h = sgd.Hyper(lr=lr, momentum=0.5, momentum_form=form)
            s, p = sgd.step(h, s, p, np.array([g]))
        ends[form] = float(p[0])
    assert ends == {"lr_outside": -1.25, "lr_inside": -1.5}


def test_decoupled_decay_shrinks_p_before_the_step() -> None:
    """By hand from p = 2, g = 3 with lr weight_decay = 1/4: 1.5 - 1.5, and Nesterov's 0.75 more."""
    fields: dict[str, Any] = {"lr": 0.5, "weight_decay": 0.5, "momentum": 0.5}
    p, g = np.array([2.0]), np.array([3.0])
    h = sgd.Hyper(**fields, decay="decoupled")
    assert sgd.step(h, sgd.init(h, p), p, g)[1].tolist() == [0.0]
    form: Any
    for form, expected in (("lookahead", 0.0), ("torch", -0.75), ("keras", -0.75)):
        n = nesterov.Hyper(**fields, decay="decoupled", form=form)
        assert nesterov.step(n, nesterov.init(n, p), p, g)[1].tolist() == [expected], form


def test_robbins_monro_with_steps_one_over_t_is_the_mean() -> None:
    """p_n is the mean of the observations, exactly, and forgets p_0."""
    h = _with(robbins_monro.Hyper(), lr=1, offset=0, power=1, target=0)
    h = _with(h, lr=Fraction(1))
    p, s = _rational("100", "-100"), robbins_monro.State(0)
    for n, x in enumerate(X, start=1):
        s, p = robbins_monro.step(h, s, p, p - x)
        assert list(p) == list(sum(X[1:n], X[0]) / n)


def test_robbins_monro_subtracts_its_target_and_counts_from_the_offset() -> None:
    """The first step is lr / (1 + offset)^power times (y - target)."""
    h = robbins_monro.Hyper(lr=8.0, offset=3.0, power=0.5, target=1.0)
    s, p = robbins_monro.step(h, robbins_monro.State(0), np.array([10.0]), np.array([1.5]))
    assert (s.t, p.tolist()) == (1, [8.0])


def test_kiefer_wolfowitz_is_gradient_descent_on_a_quadratic_whatever_the_width() -> None:
    """Central differences of a quadratic are its gradient; of a cubic, off by the width squared."""
    h = kiefer_wolfowitz.Hyper(lr=0.25, power=1.0, width=0.5, width_power=1.0)
    p, s = np.array([1.0, -2.0]), kiefer_wolfowitz.State(0)
    seen = []

    def quadratic(x: Any) -> Any:
        seen.append(x)
        return x[0] * x[0] + 3 * x[0] * x[1] + 2 * x[1] * x[1]

    for t in (1, 2):
        gradient = np.array([2 * p[0] + 3 * p[1], 3 * p[0] + 4 * p[1]])
        expected = p - 0.25 / t * gradient
        s, p = kiefer_wolfowitz.step(h, s, p, quadratic)
        np.testing.assert_array_equal(p, expected)
    assert len(seen) == 2 * 2 * p.size
    for t in (1, 2):
        s, p = kiefer_wolfowitz.step(h, kiefer_wolfowitz.State(t - 1), np.zeros(()), lambda x: x**3)
        assert (s.t, float(p)) == (t, -0.25 / t * (0.5 / t) ** 2)
    up = kiefer_wolfowitz.Hyper(lr=0.25, width=0.5, maximize=True)
    _, p = kiefer_wolfowitz.step(up, kiefer_wolfowitz.State(0), np.zeros((1, 1)), lambda x: x.sum())
    assert p.tolist() == [[0.25]]
    assert kiefer_wolfowitz.step(h, s, np.zeros((0, 2)), lambda x: x.sum())[1].shape == (0, 2)


def test_perceptron_learns_a_tie_and_scales_with_lr() -> None:
    """From p = 0 the first example is a mistake by default; doubling lr only doubles p."""
    data = [
        (np.array([1.0, 2.0]), 1.0),
        (np.array([2.0, -1.0]), -1.0),
        (np.array([1.0, -1.0]), 1.0),
    ]
    ends = []
    for lr in (1.0, 2.0):
        p, s = np.zeros(2), perceptron.State(0)
        for x, y in data:
            s, p = perceptron.step(perceptron.Hyper(lr=lr), s, p, x, response=np.float64(y))
        ends.append(p)
    # By hand: p = (1, 2) after a tie, (-1, 3) after another, (0, 2) after a score of -4.
    assert ends[0].tolist() == [0.0, 2.0] and s.t == 3
    np.testing.assert_array_equal(ends[1], 2 * ends[0])
    correct = perceptron.Hyper(tie="correct")
    _, p = perceptron.step(
        correct, perceptron.State(0), np.zeros(2), data[0][0], response=np.float64(1.0)
    )
    assert p.tolist() == [0.0, 0.0]


def test_perceptron_stays_within_novikoffs_bound() -> None:
    """At most (R / margin)^2 mistakes on separable examples, however often they are shown."""
    rng = np.random.default_rng(5)
    direction = np.array([0.6, 0.8])
    xs = rng.uniform(-1, 1, (200, 2))
    xs = xs[np.abs(xs @ direction) > 0.125]
    ys = np.sign(xs @ direction)
    radius = np.max(np.sum(xs * xs, axis=1))
    margin = np.min(np.abs(xs @ direction))
    p, s, mistakes = np.zeros(2), perceptron.State(0), 0
    for _ in range(20):
        for x, y in zip(xs, ys, strict=True):
            s, moved = perceptron.step(perceptron.Hyper(), s, p, x, response=y)
            mistakes += not np.array_equal(moved, p)
            p = moved
    assert 0 < mistakes <= radius / margin**2
    assert np.all(ys * (xs @ p) > 0)


def test_lms_is_sgd_on_half_the_squared_error() -> None:
    """In rational arithmetic; the other loss steps twice as far."""
    p, x, d = _rational("1/2", "-3"), _rational("2", "1/4"), Fraction(7, 5)
    g = -(d - p[0] * x[0] - p[1] * x[1]) * x
    loss: Any
    for loss, factor in (("half_square", 1), ("square", 2)):
        h = _with(lms.Hyper(loss=loss), lr=Fraction(1, 9))
        s, moved = lms.step(h, lms.State(0), p, x, response=d)
        assert s.t == 1
        assert list(moved) == list(p - factor * Fraction(1, 9) * g)


@pytest.mark.parametrize("lr", [Fraction(1), Fraction(1, 3), Fraction(2)])
def test_normalized_lms_multiplies_the_error_by_one_minus_lr(lr: Fraction) -> None:
    """In rational arithmetic with eps = 0 the step multiplies the error by 1 - lr."""
    h = _with(lms.Hyper(normalization="power"), lr=lr, eps=0)
    p, x, d = _rational("1/2", "-3"), _rational("2", "1/4"), Fraction(7, 5)
    _, moved = lms.step(h, lms.State(0), p, x, response=d)
    assert d - np.sum(moved * x) == (1 - lr) * (d - np.sum(p * x))


def test_polyak_ruppert_averages_the_iterates_after_its_start() -> None:
    """Rational arithmetic: the average is the mean of p_{start+1}, ..., p_t; p is plain SGD."""
    for start in (0, 2):
        h = _with(polyak_ruppert.Hyper(start=start), lr=Fraction(1, 3), power=1, weight_decay=0)
        p = _rational("1", "-1")
        s, path = polyak_ruppert.init(h, p), list[Rational]()
        for t, g in enumerate(X, start=1):
            expected = p - Fraction(1, 3 * t) * g
            s, p = polyak_ruppert.step(h, s, p, g)
            assert list(p) == list(expected)
            path.append(p)
            kept = path[start:] or path[-1:]
            assert list(s.average) == list(sum(kept[1:], kept[0]) / len(kept))


def test_polyak_ruppert_decays_through_the_gradient() -> None:
    """p - lr (g + weight_decay p)."""
    h = polyak_ruppert.Hyper(lr=0.5, weight_decay=0.25)
    _, p = polyak_ruppert.step(h, polyak_ruppert.State(0, np.ones(1)), np.ones(1), np.array([3.0]))
    assert p.tolist() == [1 - 0.5 * 3.25]


@pytest.mark.parametrize("average", ["exponential", "weighted"])
def test_polyak_ruppert_moving_average_starts_with_a_copy(
    average: Literal["exponential", "weighted"],
) -> None:
    """First a copy, then average + (1 - ema) (p - average), by either formula."""
    h = polyak_ruppert.Hyper(lr=1.0, power=0.0, ema=0.75, average=average)
    p = np.array([0.0])
    s = polyak_ruppert.init(h, p)
    averages = []
    for g in (-4.0, -4.0, 4.0):
        s, p = polyak_ruppert.step(h, s, p, np.array([g]))
        averages.append(float(s.average[0]))
    assert averages == [4.0, 5.0, 4.75]


def test_asgd_averages_from_step_t0_plus_two() -> None:
    """Rational arithmetic: the average is p up to step t0 + 2, then the mean from p_{t0+2} on."""
    h = _with(asgd.Hyper(t0=1), lr=Fraction(1, 3), lambd=Fraction(1, 8), alpha=1, weight_decay=0)
    p = _rational("1", "-1")
    s, path = asgd.init(h, p), [p]
    for t, g in enumerate(X + X, start=1):
        eta = Fraction(1, 3) / (1 + Fraction(t - 1, 24))
        expected = p * (1 - eta / 8) - eta * g
        s, p = asgd.step(h, s, p, g)
        assert list(p) == list(expected)
        path.append(p)
        kept = path[3:] or path[-1:]
        assert list(s.average) == list(sum(kept[1:], kept[0]) / len(kept))


def test_powers_of_counts_stay_in_the_range() -> None:
    """Within the declared domains no step raises; lr over a power beyond float64 is 0."""
    h, p = asgd.Hyper(lr=1e3, lambd=1.0, alpha=32.0), np.ones(2)
    s = replace(asgd.init(h, p), t=2**31 - 2)
    assert np.array_equal(asgd.step(h, s, p, p)[1], p)
    limits = robbins_monro.Hyper.RANGES
    largest = {name: limits[name].high for name in ("offset", "power")}
    s = replace(robbins_monro.init(robbins_monro.Hyper(), p), t=2**31 - 2)
    assert np.all(robbins_monro.step(robbins_monro.Hyper(**largest), s, p, p)[1] <= p)
