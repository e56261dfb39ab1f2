"""Several gradients for one step, and rates that follow batch, width and staleness."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from truestep.reference.training import (
    data_parallel,
    gradient_accumulation,
    gradient_noise_scale,
    linear_scaling,
    mup_adam,
    mup_sgd,
    stale_gradients,
)

# Integers, so that every sum below is exact.
GRADIENTS = np.rint(8 * np.random.default_rng(8).standard_normal((4, 2, 3)))


@pytest.mark.parametrize("form", sorted(gradient_accumulation.DIALECTS["form"]))
def test_accumulation_gives_the_mean_when_it_is_due(form: str) -> None:
    """After four micro-batches, exactly; then it begins again. One form gives the sum."""
    h = gradient_accumulation.Hyper(steps=4, form=form)  # type: ignore[arg-type]
    s = gradient_accumulation.init(h, GRADIENTS[0])
    gradients = 12 * GRADIENTS  # divisible by 2, 3 and 4: running means round nothing
    for _ in range(2):
        for i, g in enumerate(gradients):
            s, result = gradient_accumulation.step(h, s, g)
            assert (result is None) is (i < 3)
        due = gradients.sum(axis=0) / (1 if form == "sum" else 4)
        np.testing.assert_array_equal(result, due)
        assert s.t == 0 and not np.any(s.total)


def test_accumulation_of_unequal_micro_batches_needs_their_sizes() -> None:
    """Means over 3, 1, 1, 3 examples: only the weighted form gives the mean over all 8."""
    sizes = (3.0, 1.0, 1.0, 3.0)
    due = sum(n * g for n, g in zip(sizes, GRADIENTS, strict=True)) / 8
    for form in ("weighted", "terms", "mean", "running"):
        h = gradient_accumulation.Hyper(steps=4, form=form)  # type: ignore[arg-type]
        s = gradient_accumulation.init(h, GRADIENTS[0])
        for n, g in zip(sizes, GRADIENTS, strict=True):
            s, result = gradient_accumulation.step(h, s, g, n)
        assert np.array_equal(result, due) is (form == "weighted")


def test_accumulating_one_micro_batch_is_none_at_all() -> None:
    """steps = 1 passes every gradient on, bit for bit."""
    h = gradient_accumulation.Hyper()
    s = gradient_accumulation.init(h, GRADIENTS[0])
    for g in GRADIENTS / 7:
        s, result = gradient_accumulation.step(h, s, g)
        np.testing.assert_array_equal(result, g)


def test_workers_average_to_the_gradient_of_the_union() -> None:
    """By examples always; by workers for equal shards only. The order of workers is no matter."""
    union = np.tensordot([3, 1, 1, 3], GRADIENTS, axes=1) / 8
    for weights in ("workers", "examples"):
        h = data_parallel.Hyper(weights=weights)  # type: ignore[arg-type]
        unequal = data_parallel.average(h, list(GRADIENTS), [3, 1, 1, 3])
        assert np.array_equal(unequal, union) is (weights == "examples")
        equal = data_parallel.average(h, list(GRADIENTS), [2, 2, 2, 2])
        np.testing.assert_array_equal(equal, GRADIENTS.mean(axis=0))
        order = data_parallel.average(h, list(GRADIENTS[::-1]), [2, 2, 2, 2])
        np.testing.assert_array_equal(order, equal)
        np.testing.assert_array_equal(data_parallel.average(h, [GRADIENTS[0]], [1]), GRADIENTS[0])


def test_workers_may_weigh_their_gradients_before_the_sum() -> None:
    """Shares of 1/4, and of 3/8 and 1/8, are exact: both forms agree bit for bit."""
    for weights in ("workers", "examples"):
        due, got = (
            data_parallel.average(
                data_parallel.Hyper(weights=weights, form=form),  # type: ignore[arg-type]
                list(GRADIENTS),
                [3, 1, 1, 3],
            )
            for form in ("sum", "shares")
        )
        np.testing.assert_array_equal(got, due)


def test_workers_without_gradients_or_sizes_are_refused() -> None:
    """The error shows what was given."""
    h = data_parallel.Hyper()
    with pytest.raises(ValueError, match=r"one worker at least, got \[\]"):
        data_parallel.average(h, [], [])
    with pytest.raises(ValueError, match=r"sizes must be 2 integers >= 1, got \[1, 0\]"):
        data_parallel.average(h, list(GRADIENTS[:2]), [1, 0])


def test_noise_of_workers_is_their_sample_variance() -> None:
    """In rational arithmetic: S = b sum |g_w - mean|^2 / (W - 1) and G2 = |mean|^2 - S / (W b)."""
    g = [[Fraction(int(x)) for x in worker.ravel()] for worker in GRADIENTS]
    workers, batch = len(g), 5
    mean = [sum(column) / workers for column in zip(*g, strict=True)]
    spread = sum((x - m) ** 2 for worker in g for x, m in zip(worker, mean, strict=True))
    small = sum(x * x for worker in g for x in worker) / workers
    big = sum(m * m for m in mean)
    # 1/small - 1/big would be a float: the sizes enter as fractions past the validation.
    h = gradient_noise_scale.Hyper()
    object.__setattr__(h, "small", Fraction(batch))
    object.__setattr__(h, "big", Fraction(batch * workers))
    g2, s = gradient_noise_scale.estimates(h, small, big)
    assert s == batch * spread / (workers - 1)
    assert g2 == big - s / (workers * batch)


def test_noise_scale_is_the_ratio_of_averages() -> None:
    """(G2, S) = (1, 8), then (7, 8): 16 / 8 with equal weights, against the mean of 8 and 8/7."""
    for form, due in (("ratio_of_averages", 2.0), ("average_of_ratios", (8 + 8 / 7) / 2)):
        h = gradient_noise_scale.Hyper(small=1, big=2, ema=0.5, form=form)  # type: ignore[arg-type]
        # As if the first had been seen for ever: the second then weighs as much as all before.
        s = gradient_noise_scale.State(
            t=60, g2=np.asarray(1.0), s=np.asarray(8.0), ratio=np.asarray(8.0)
        )
        # |G_small|^2 = G2 + S / small and |G_big|^2 = G2 + S / big.
        s = gradient_noise_scale.step(h, s, np.asarray(7.0 + 8), np.asarray(7.0 + 4))
        assert f"{gradient_noise_scale.noise_scale(h, s):.12f}" == f"{due:.12f}"


@pytest.mark.parametrize("form", sorted(gradient_noise_scale.DIALECTS["form"]))
def test_noise_scale_of_one_measurement_is_its_ratio(form: str) -> None:
    """The averages' zero start cancels or is corrected; before any measurement there is none."""
    h = gradient_noise_scale.Hyper(small=1, big=2, ema=0.75, form=form)  # type: ignore[arg-type]
    s = gradient_noise_scale.init(h)
    assert math.isnan(gradient_noise_scale.noise_scale(h, s))
    s = gradient_noise_scale.step(h, s, np.asarray(9.0), np.asarray(5.0))
    assert gradient_noise_scale.noise_scale(h, s) == 8.0


def test_noise_scale_ignores_the_gradients_scale_and_is_zero_without_noise() -> None:
    """B by powers of two bit for bit; equal gradients give S = 0."""
    h = gradient_noise_scale.Hyper(small=2, big=8)
    values = []
    for c in (1.0, 2.0**10):
        s = gradient_noise_scale.init(h)
        s = gradient_noise_scale.step(h, s, np.asarray(3.0 * c), np.asarray(2.0 * c))
        values.append(gradient_noise_scale.noise_scale(h, s))
    assert values[0] == values[1]
    assert gradient_noise_scale.estimates(h, np.asarray(2.0), np.asarray(2.0)) == (2.0, 0.0)


def test_linear_scaling_warms_up_from_the_base_rate() -> None:
    """Eight times the batch: 0.25 to 2 over four steps; the root of four times gives 0.5."""
    h = linear_scaling.Hyper(lr=0.25, base_batch=256, warmup_steps=4)
    rates = [linear_scaling.value(h, 2048, t) for t in range(6)]
    assert rates == [0.25, 0.6875, 1.125, 1.5625, 2.0, 2.0]
    assert linear_scaling.value(h, 256, 1) == 0.25
    root = linear_scaling.Hyper(lr=0.25, base_batch=256, rule="square_root")
    assert linear_scaling.value(root, 1024, 0) == 0.5
    with pytest.raises(ValueError, match=r"t must be >= 0, got -1"):
        linear_scaling.value(h, 256, -1)


def test_one_large_step_is_k_small_ones_of_a_frozen_gradient() -> None:
    """The rule's first-order equality, exactly: one step by the mean at k lr, k steps at lr."""
    h = linear_scaling.Hyper(lr=0.25, base_batch=8)
    p = small = np.zeros((2, 3))
    for g in GRADIENTS:
        small = small - linear_scaling.value(h, 8, 0) * g
    p = p - linear_scaling.value(h, 32, 0) * GRADIENTS.mean(axis=0)
    np.testing.assert_array_equal(p, small)


def test_momentum_correction_keeps_the_buffer_in_units_of_gradients() -> None:
    """u = lr m stays lr' m when the rate changes."""
    m = np.array([3.0, -1.0])
    u = 0.5 * m * linear_scaling.momentum_correction(0.5, 2.0)
    np.testing.assert_array_equal(u, 2.0 * m)


def test_mup_rates_are_the_tables() -> None:
    """Widths 4 and 2 over the base model's: rates and decays by role, exactly."""
    sgd = mup_sgd.Hyper(lr=0.5, weight_decay=0.25, fan_in=4.0, fan_out=2.0)
    due = {"input": 1.0, "bias": 1.0, "hidden": 0.5, "output": 0.125}
    assert {role: mup_sgd.rates(sgd, role)[0] for role in due} == due  # type: ignore[arg-type]
    adam = mup_adam.Hyper(lr=0.5, weight_decay=0.25, fan_in=4.0)
    due = {"input": 0.5, "bias": 0.5, "hidden": 0.125, "output": 0.125}
    assert {role: mup_adam.rates(adam, role)[0] for role in due} == due  # type: ignore[arg-type]
    assert mup_sgd.rates(sgd, "input")[1] == mup_adam.rates(adam, "hidden")[1] == 0.25


def test_mup_rates_are_those_of_the_package() -> None:
    """Recorded from mup 1.0.0: Linear(5, 32), Linear(32, 64), MuReadout(64, 3) over a base of 8."""
    recorded: dict[Any, Any] = {
        mup_sgd: {"input": (0.4, 0.125), "hidden": (0.1, 0.5), "output": (0.4, 0.125)},
        mup_adam: {"input": (0.1, 0.5), "hidden": (0.025, 2.0), "output": (0.1, 0.5)},
    }
    widths = {"input": (1.0, 4.0), "hidden": (4.0, 4.0), "output": (4.0, 1.0)}
    for module, due in recorded.items():
        for role, (fan_in, fan_out) in widths.items():
            fields = (
                {"fan_in": fan_in, "fan_out": fan_out} if module is mup_sgd else {"fan_in": fan_in}
            )
            h = module.Hyper(lr=0.1, weight_decay=0.5, form="package", **fields)
            lr, decay = module.rates(h, role)
            assert (f"{lr:.12g}", f"{decay:.12g}") == tuple(f"{x:.12g}" for x in due[role])
            assert f"{lr * decay:.12g}" == "0.05"


def test_mup_of_the_base_model_is_the_base_model() -> None:
    """All widths 1: every role has lr and weight_decay, bit for bit."""
    for module in (mup_sgd, mup_adam):
        for form in module.DIALECTS["form"]:
            h = module.Hyper(lr=0.3, weight_decay=0.7, form=form)  # type: ignore[attr-defined]
            for role in ("input", "hidden", "output", "bias"):
                assert module.rates(h, role) == (0.3, 0.7)  # type: ignore[attr-defined]


def test_stale_gradients_move_less() -> None:
    """tau = 0 and 1 by lr g, tau = 4 by a quarter; compensation adds lambda g^2 (p - then)."""
    p, g = np.array([1.0, 2.0]), np.array([4.0, -2.0])
    h = stale_gradients.Hyper(lr=0.5)
    for tau, factor in ((0, 0.5), (1, 0.5), (4, 0.125)):
        np.testing.assert_array_equal(stale_gradients.step(h, p, p, g, tau), p - factor * g)
    constant = stale_gradients.Hyper(lr=0.5, rate="constant")
    np.testing.assert_array_equal(stale_gradients.step(constant, p, p, g, 4), p - 0.5 * g)
    h = stale_gradients.Hyper(lr=0.5, gradient="compensated", compensation=0.25)
    moved = stale_gradients.step(h, p, np.array([0.0, 4.0]), g, 1)
    np.testing.assert_array_equal(moved, p - 0.5 * (g + np.array([4.0, -2.0])))


@pytest.mark.parametrize("tau", range(7))
def test_the_largest_stable_rate_is_where_a_root_meets_the_unit_circle(tau: int) -> None:
    """z^{tau+1} - z^tau + lr curvature: all roots inside below the rate, one outside above."""
    rate = stale_gradients.largest_stable_rate(2.0, tau)
    radii = []
    for factor in (0.999, 1.001):
        coefficients = np.zeros(tau + 2)
        coefficients[0], coefficients[-1] = 1.0, factor * rate * 2.0
        coefficients[1] -= 1.0
        radii.append(np.max(np.abs(np.roots(coefficients))))
    assert radii[0] < 1 < radii[1]
    if tau < 4:
        assert f"{rate * 2:.4f}" == ("2.0000", "1.0000", "0.6180", "0.4450")[tau]
