"""Loss scaling: the state machines of the libraries, and exactness for powers of two."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from scipy.special import erf

from truestep.reference.optimizers import adamw
from truestep.reference.training import adaptive_loss_scaling, dynamic_loss_scaling

FINITE = [c == "1" for c in "1110110011111101"]
RECORDED = {
    # torch 2.13, GradScaler; keras 3.15.1, LossScaleOptimizer; DeepSpeed's DynamicLossScaler
    "": "1024 1024 2048 1024 1024 1024 512 256 256 256 512 512 512 1024 512 512",
    # DeepSpeed's, delayed_shift 2
    "at_growth": "1024 1024 2048 2048 2048 2048 1024 512 512 512 1024 1024 1024 2048 2048 2048",
    # DeepSpeed's, delayed_shift 2, consecutive_hysteresis
    "at_once": "1024 1024 2048 2048 2048 2048 2048 1024 1024 1024 2048 2048 2048 4096 4096 4096",
}


@pytest.mark.parametrize("restored", sorted(RECORDED))
def test_scales_follow_those_recorded_from_the_libraries(restored: str) -> None:
    """Sixteen steps, some of them overflowing, with a window of three from 1024."""
    hysteresis: dict[str, Any] = {"hysteresis": 2, "restored": restored} if restored else {}
    h = dynamic_loss_scaling.Hyper(initial=1024.0, window=3, **hysteresis)
    s = dynamic_loss_scaling.init(h)
    scales = []
    for was_finite in FINITE:
        s = dynamic_loss_scaling.step(h, s, was_finite)
        scales.append(f"{s.scale:.0f}")
    assert " ".join(scales) == RECORDED[restored]
    assert s.t == len(FINITE)


def test_the_scale_grows_only_after_consecutive_finite_steps_and_stays_a_power_of_two() -> None:
    """An overflow begins the count anew; limits hold."""
    h = dynamic_loss_scaling.Hyper(initial=4.0, window=2, min_scale=2.0, max_scale=8.0)
    s = dynamic_loss_scaling.init(h)
    scales = []
    for was_finite in (True, False, True, False, True, True, True, True, True, True):
        s = dynamic_loss_scaling.step(h, s, was_finite)
        scales.append(s.scale)
    assert scales == [4, 2, 2, 2, 2, 4, 4, 8, 8, 8]
    assert all(math.frexp(x)[0] == 0.5 for x in scales)


def test_limits_and_factors_out_of_order_are_refused_with_their_values() -> None:
    """A scale above its limit, limits that cross, a growth that does not grow."""
    with pytest.raises(ValueError, match=r"min_scale must be <= max_scale, got 4\.0 > 2\.0"):
        dynamic_loss_scaling.Hyper(initial=2.0, min_scale=4.0, max_scale=2.0)
    with pytest.raises(ValueError, match=r"initial must be <= 2, got 4\.0"):
        dynamic_loss_scaling.Hyper(initial=4.0, max_scale=2.0)
    with pytest.raises(ValueError, match=r"growth must be > 1, got 1\.0"):
        dynamic_loss_scaling.Hyper(growth=1.0)
    with pytest.raises(ValueError, match=r"backoff must lie in \[0, 1\), got 1\.0"):
        dynamic_loss_scaling.Hyper(backoff=1.0)


def test_unscaling_gives_back_every_bit() -> None:
    """For powers of two, over the whole range that does not over- or underflow."""
    h = dynamic_loss_scaling.Hyper(initial=2.0**16)
    s = dynamic_loss_scaling.init(h)
    g = np.random.default_rng(1).standard_normal(100) * 10.0 ** np.arange(-250, 250, 5)
    np.testing.assert_array_equal(dynamic_loss_scaling.unscale(s, g * s.scale), g)


def test_a_skipped_step_leaves_parameters_moments_and_counter() -> None:
    """The very objects that were there; a finite step replaces them."""
    h = adamw.Hyper()
    p = np.ones(2)
    before = (adamw.init(h, p), p)
    for g, moved in ((np.array([1.0, np.inf]), False), (np.ones(2), True)):
        was_finite = dynamic_loss_scaling.finite([np.zeros((0, 3)), g])
        assert was_finite is moved
        with np.errstate(all="ignore"):
            after = dynamic_loss_scaling.chosen(was_finite, before, adamw.step(h, *before, g))
        assert (after is before) is not moved


def test_adaptive_scales_keep_the_tolerated_share_of_underflow() -> None:
    """Of a normal product the share below 2^-24 is at most twice the tolerance.

    Twice, since scales are rounded down; where one would be below 1 or overflow, nothing is said.
    """
    h = adaptive_loss_scaling.Hyper()
    rng = np.random.default_rng(2)
    for size in (1e-8, 1e-7, 1e-6):
        delta, w = size * rng.standard_normal((8, 64)), 0.1 * rng.standard_normal((64, 32))
        scale = adaptive_loss_scaling.layer_scale(h, delta, w, fan_in=64)
        sigma = math.sqrt(np.mean(delta**2) * np.mean(w**2) * 32)
        assert scale > 1 and math.frexp(scale)[0] == 0.5
        assert erf(h.least / (math.sqrt(2) * scale * sigma)) <= 2 * h.tolerance
        assert scale * 64 * np.max(np.abs(delta)) * np.max(np.abs(w)) <= h.greatest


def test_adaptive_scales_are_one_where_nothing_can_be_gained() -> None:
    """Zero, empty and non-finite errors, and errors that are large already."""
    h = adaptive_loss_scaling.Hyper()
    w = np.ones((2, 2))
    for delta in (np.zeros(2), np.zeros(0), np.array([1.0, np.nan]), np.full(2, 1e30), np.ones(2)):
        assert adaptive_loss_scaling.layer_scale(h, delta, w, fan_in=2) == 1.0


def test_adaptive_scaling_changes_no_bit_of_the_weight_gradients() -> None:
    """Through three linear layers: the unscaled gradients are those without scales."""
    h = adaptive_loss_scaling.Hyper()
    rng = np.random.default_rng(3)
    weights = [rng.standard_normal((4, 4)) for _ in range(3)]
    inputs = [rng.standard_normal((5, 4)) for _ in range(3)]
    plain = scaled = 1e-5 * rng.standard_normal((5, 4))
    scales: list[float] = []
    for w, x in zip(reversed(weights), reversed(inputs), strict=True):
        gradient = adaptive_loss_scaling.unscale(x.T @ scaled, scales)
        np.testing.assert_array_equal(gradient, x.T @ plain)
        scale = adaptive_loss_scaling.layer_scale(h, scaled, w, fan_in=4)
        plain, scaled = plain @ w.T, (scaled * scale) @ w.T
        scales.append(scale)
    assert math.prod(scales) > 1


def test_states_are_frozen() -> None:
    """A scale is replaced with its state, never written."""
    s = dynamic_loss_scaling.init(dynamic_loss_scaling.Hyper())
    with pytest.raises(dataclasses.FrozenInstanceError):
        s.scale = 1.0  # type: ignore[misc]
