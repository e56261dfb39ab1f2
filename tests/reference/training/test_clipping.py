"""Clipping: by norm in every library's form, by value, and by unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.lift import bounded
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.judge.contracts import agreement
from truestep.reference.training import (
    adaptive_gradient_clipping,
    clip_by_global_norm,
    clip_by_value,
)

ORACLE = PROFILES["oracle"]
FORMS = sorted(clip_by_global_norm.DIALECTS["form"])
# Norm 13 = |(3, -4, 12)|, spread over tensors of several shapes, one of them empty.
GRADIENTS = [np.array([3.0, -4.0]), np.zeros((0, 2)), np.array([[12.0]])]


def _hyper(max_norm: float, **dialect: Any) -> clip_by_global_norm.Hyper:
    return clip_by_global_norm.Hyper(max_norm=max_norm, **dialect)


def _flat(gradients: Any) -> Any:
    return np.concatenate([g.ravel() for g in gradients])


def test_longer_gradients_are_scaled_and_shorter_ones_kept() -> None:
    """max_norm 6.5 halves exactly; 26 changes no bit; PyTorch's eps shrinks a little more."""
    for form in FORMS:
        half = _flat(clip_by_global_norm.apply(_hyper(6.5, form=form), GRADIENTS))
        if form == "shrunk":
            np.testing.assert_array_equal(half, np.array([3.0, -4.0, 12.0]) * (6.5 / (13 + 1e-6)))
        elif form == "reciprocal":
            factor = 6.5 * (1 / 13)
            np.testing.assert_array_equal(half, np.array([3.0, -4.0, 12.0]) * factor)
        else:
            np.testing.assert_array_equal(half, [1.5, -2.0, 6.0])
    for form in ("threshold", "divided", "shrunk"):
        kept = clip_by_global_norm.apply(_hyper(26.0, form=form), GRADIENTS)
        for g, k in zip(GRADIENTS, kept, strict=True):
            np.testing.assert_array_equal(g, k)


def test_only_pytorchs_form_shrinks_a_gradient_of_the_largest_norm_again() -> None:
    """At norm = max_norm the others do nothing, so that clipping twice is clipping once."""
    for form in FORMS:
        once = _flat(clip_by_global_norm.apply(_hyper(13.0, form=form), GRADIENTS))
        assert np.array_equal(once, [3.0, -4.0, 12.0]) is (form != "shrunk")


def test_the_largest_element_is_the_other_norm() -> None:
    """max_norm 3 against 12: a quarter."""
    clipped = clip_by_global_norm.apply(_hyper(3.0, norm="infinity"), GRADIENTS)
    np.testing.assert_array_equal(_flat(clipped), [0.75, -1.0, 3.0])


def test_norm_clipping_commutes_with_scaling_rotation_and_order() -> None:
    """clip(k g, k c) = k clip(g, c) bit for bit; a rotation of all elements within rounding."""
    for form in ("threshold", "divided", "reciprocal"):
        h, scaled = _hyper(2.0, form=form), _hyper(2.0 * 2**40, form=form)
        clipped = clip_by_global_norm.apply(h, GRADIENTS)
        again = clip_by_global_norm.apply(scaled, [2.0**40 * g for g in GRADIENTS])
        np.testing.assert_array_equal(2.0**40 * _flat(clipped), _flat(again))
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    h = bounded(ORACLE).hyper(_hyper(2.0))
    g = Bounded.exact(GRADIENTS[0], ORACLE)
    turned = Bounded.exact(quarter @ GRADIENTS[0], ORACLE)
    (x,), (y,) = clip_by_global_norm.apply(h, [g]), clip_by_global_norm.apply(h, [turned])
    found = agreement(quarter @ x.v, y.v, np.abs(quarter) @ x.e + y.e)
    assert found.passed and found.judged == 2


@pytest.mark.parametrize(
    ("form", "with_inf"),
    [
        ("divided", [0.0, np.nan, 0.0]),
        ("reciprocal", [np.nan, np.nan, np.nan]),
        ("shrunk", [0.0, np.nan, 0.0]),
        ("threshold", [0.0, np.nan, 0.0]),
    ],
)
def test_infinities_and_nans_do_what_they_do_in_the_library(form: str, with_inf: Any) -> None:
    """As observed of optax, Keras and PyTorch; nan reaches every element in all of them."""
    h = _hyper(1.0, form=form)
    with np.errstate(all="ignore"):
        (clipped,) = clip_by_global_norm.apply(h, [np.array([3.0, np.inf, 0.5])])
        np.testing.assert_array_equal(clipped, with_inf)
        clipped = clip_by_global_norm.apply(h, [np.array([3.0, np.nan]), np.ones(1)])
        assert np.all(np.isnan(_flat(clipped)))


def test_no_gradients_and_zero_gradients_are_left_alone() -> None:
    """Norm 0 divides nothing."""
    for form in FORMS:
        h = _hyper(1.0, form=form)
        assert clip_by_global_norm.apply(h, []) == []
        if form != "reciprocal":
            (zero,) = clip_by_global_norm.apply(h, [np.zeros(3)])
            np.testing.assert_array_equal(zero, np.zeros(3))


def test_clipping_by_value_is_idempotent_and_keeps_nan() -> None:
    """Bit for bit; infinities become the limit."""
    h = clip_by_value.Hyper(max_value=0.5)
    g = np.array([0.25, -0.75, np.inf, -np.inf, np.nan, 0.5])
    once = clip_by_value.apply(h, g)
    np.testing.assert_array_equal(once, [0.25, -0.5, 0.5, -0.5, np.nan, 0.5])
    np.testing.assert_array_equal(clip_by_value.apply(h, once), once)


W = np.array([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0], [3.0, -0.5, 0.125]])
G = np.array([[0.5, -1.0, 0.125], [1.0, 0.0, -0.5], [1e-3, 2e-3, -3e-3]])


@pytest.mark.parametrize(
    ("library", "units", "recorded"),
    [
        (
            "timm",
            "rows",
            "0.25458753861 -0.50917507722 0.06364688465 0.00022360680 0.00000000000 "
            "-0.00011180340 0.00100000000 0.00200000000 -0.00300000000",
        ),
        (
            "optax",
            "columns",
            "0.35355324917 -0.51538717243 0.03124947060 0.70710649834 0.00000000000 "
            "-0.12499788241 0.00070710650 0.00103077434 -0.00074998729",
        ),
    ],
)
def test_adaptive_clipping_reaches_the_librarys_gradients(
    library: str, units: str, recorded: str
) -> None:
    """Clipping 1/4, floor 1e-6; timm 1.0.31 and optax 0.2.8, to the last recorded digit."""
    h = adaptive_gradient_clipping.Hyper(clipping=0.25, floor=1e-6, units=units)  # type: ignore[arg-type]
    clipped = adaptive_gradient_clipping.apply(h, W, G)
    assert [f"{x:.11f}" for x in clipped.ravel()] == recorded.split()


def test_adaptive_clipping_by_hand() -> None:
    """Rows of norm 5: weights (3, 4) with clipping 1/5 let norm 1 through, zero weights eps / 5."""
    h = adaptive_gradient_clipping.Hyper(clipping=0.25, eps=0.5)
    p = np.array([[3.0, 4.0], [0.0, 0.0], [30.0, 40.0]])
    g = np.array([[6.0, 8.0], [0.0, 2.0], [3.0, 4.0]])
    clipped = adaptive_gradient_clipping.apply(h, p, g)
    np.testing.assert_array_equal(clipped, [[0.75, 1.0], [0.0, 0.125], [3.0, 4.0]])
    vector = adaptive_gradient_clipping.apply(h, np.array([3.0, 4.0]), np.zeros(2))
    np.testing.assert_array_equal(vector, [0.0, 0.0])


@pytest.mark.parametrize(
    ("units", "due"),
    [
        ("rows", [[[0.375, 0.0], [0.5, 0.0]]]),
        ("rows_and_taps", [[[0.75, 0.0], [1.0, 0.0]]]),
        ("columns", [[[0.75, 0.0], [1.0, 0.0]]]),
    ],
)
def test_units_of_a_convolution_over_one_axis(units: str, due: Any) -> None:
    """One filter of two channels and two taps: weights of norm 5 in each unit, or of 2.5 in all."""
    h = adaptive_gradient_clipping.Hyper(clipping=0.25, units=units)  # type: ignore[arg-type]
    p = np.array([[[3.0, 0.0], [4.0, 0.0]]]) / (2 if units == "rows" else 1)
    clipped = adaptive_gradient_clipping.apply(h, p, np.array([[[6.0, 0.0], [8.0, 0.0]]]))
    np.testing.assert_array_equal(clipped, due)


def test_adaptive_clipping_above_the_limit() -> None:
    """The same as unless below it, but for nan and for a floor beyond the limit."""
    above, unless = (
        adaptive_gradient_clipping.Hyper(clipping=0.25, eps=0.5, floor=0.25, clips=clips)  # type: ignore[arg-type]
        for clips in ("above", "unless_below")
    )
    g = np.array([0.0, 0.0625])
    apply = adaptive_gradient_clipping.apply
    np.testing.assert_array_equal(apply(above, np.zeros(2), g), g / 2)
    np.testing.assert_array_equal(apply(unless, np.zeros(2), g), g)
    np.testing.assert_array_equal(apply(above, 100 * W, W), apply(unless, 100 * W, W))
    np.testing.assert_array_equal(apply(above, W, 4 * W), apply(unless, W, 4 * W))
    some = np.array([np.nan, 1.0])
    np.testing.assert_array_equal(apply(above, some, np.ones(2)), np.ones(2))
    np.testing.assert_array_equal(apply(unless, some, np.ones(2)), [np.nan, np.nan])
