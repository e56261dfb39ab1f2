"""Delayed scaling: the histories and scales of Transformer Engine, step by step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from truestep.reference.training import delayed_scaling

# max |x| of eight tensors, and the scales after them with a history of three.
EXTREMES = (2.0, 8.0, 1.0, 0.5, 0.25, 0.0, math.inf, 4.0)
SCALES = {
    # 448 over the largest of the last three; where one is infinite, the scale stays.
    "max": (224.0, 56.0, 56.0, 56.0, 448.0, 896.0, 896.0, 896.0),
    # 448 over the last one.
    "most_recent": (224.0, 56.0, 448.0, 896.0, 1792.0, 1792.0, 1792.0, 112.0),
}


def run(extremes: tuple[float, ...], scale: float = 1.0, **fields: Any) -> list[dict[str, Any]]:
    """The outputs of the calls on tensors of these extremes."""
    h = delayed_scaling.Hyper(amax_history_len=3, **fields)
    history, found = np.zeros(3), []
    for extreme in extremes:
        x = np.array([extreme / 2, -extreme])
        out = delayed_scaling.run(h, x=x, amax_history=history, scale=np.float64(scale))
        found.append(out)
        history, scale = out["amax_history"], out["scale"]
    return found


@pytest.mark.parametrize("algorithm", sorted(SCALES))
def test_scales_follow_the_last_three_extremes(algorithm: str) -> None:
    """Zero and infinity among them; what is cast was scaled by the scale before."""
    with np.errstate(invalid="ignore"):
        found = run(EXTREMES, amax_compute_algo=algorithm)
    assert tuple(float(out["scale"]) for out in found) == SCALES[algorithm]
    before = (1.0, *SCALES[algorithm][:-1])
    for extreme, scale, out in zip(EXTREMES, before, found, strict=True):
        if math.isfinite(extreme):
            assert out["scaled"][1] == -min(extreme * scale, 448.0)


def test_the_newest_entry_moves_to_the_end_and_leaves_a_zero() -> None:
    """torch.roll(amax_history, -1) with the first entry zeroed: the oldest is forgotten."""
    histories = [out["amax_history"].tolist() for out in run((2.0, 8.0, 1.0, 0.5))]
    assert histories == [[0, 0, 2], [0, 2, 8], [0, 8, 1], [0, 1, 0.5]]


def test_several_casts_before_an_update_share_an_entry() -> None:
    """The kernels raise the newest entry to the maximum; it counts where it is the largest."""
    h = delayed_scaling.Hyper(amax_history_len=2)
    history = np.array([16.0, 1.0])
    out = delayed_scaling.run(h, x=np.ones(1), amax_history=history, scale=np.float64(1))
    assert (out["scale"], out["amax_history"].tolist()) == (28.0, [0.0, 16.0])


def test_margins_and_powers_of_two() -> None:
    """448 / 3 is 149.33: 2^7 is the power below it, and 2^4 with a margin of three."""
    scales = [
        run((3.0,), margin=margin, power=power)[0]["scale"]
        for margin in (0, 3)
        for power in ("none", "floor")
    ]
    np.testing.assert_array_equal(scales, [448 / 3, 128.0, 56 / 3, 16.0])


def test_tiny_extremes_have_the_largest_scale() -> None:
    """Where largest / amax, or where the scale itself, is beyond float32."""
    greatest = delayed_scaling.GREATEST
    assert run((1e-40,))[0]["scale"] == greatest
    between = 4e-37  # 448 over this is beyond float32, an eighth of it is not
    assert run((between,), margin=3)[0]["scale"] == 56 / between
    assert run((between,), margin=3, overflow="of_quotient")[0]["scale"] == greatest


@pytest.mark.parametrize(("nan", "scale"), [("seen", 1.0), ("passed_over", 448.0)])
def test_nans_are_seen_or_passed_over(nan: str, scale: float) -> None:
    """By torch's maximum, and by fmaxf."""
    h = delayed_scaling.Hyper(amax_history_len=2, nan=nan)
    x = np.array([1.0, np.nan])
    out = delayed_scaling.run(h, x=x, amax_history=np.zeros(2), scale=np.float64(1))
    assert out["scale"] == scale
    assert np.isnan(out["amax_history"][1]) == (nan == "seen")
    assert np.isnan(out["scaled"][1])


def test_a_reciprocal_is_what_is_divided_by() -> None:
    """448 / 2 is 224, kept as its reciprocal, by which the next tensor is divided."""
    first, second = run((2.0, 1.0), kept="reciprocal")
    assert first["scale"] == 1 / 224
    np.testing.assert_array_equal(second["scaled"], [0.5 / (1 / 224), -1 / (1 / 224)])


def test_a_newest_entry_that_is_replaced_does_not_count() -> None:
    """16 stood there before; of two casts the later one is known."""
    h = delayed_scaling.Hyper(amax_history_len=2, newest="replaced")
    history = np.array([16.0, 1.0])
    out = delayed_scaling.run(h, x=np.full(1, 2.0), amax_history=history, scale=np.float64(1))
    assert (out["scale"], out["amax_history"].tolist()) == (224.0, [0.0, 2.0])
