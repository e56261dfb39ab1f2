"""Muon: an independent route in 40 digits, and the laws that define it."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mp

from truestep.reference.newton_schulz import COEFFICIENTS, triple
from truestep.reference.optimizers import muon

sys.path.insert(0, str(Path(__file__).parent))
from forty_digits import GRADIENTS, HADAMARD, SQUARE, P, digits, matrix, run


def _norm(x: Any) -> Any:
    return mp.sqrt(mp.fsum(v * v for v in x))


def _f(x: Any, coefficients: Any = (3.4445, -4.7750, 2.0315)) -> Any:
    """One step of Newton-Schulz on a singular value."""
    a, b, c = coefficients
    return a * x + b * x**3 + c * x**5


@pytest.mark.parametrize("norm", ["frobenius", "spectral", "schatten"])
@pytest.mark.parametrize("coefficients", ["constant", "quintic"])
@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (4, 4), (1, 4), (4, 1)])
def test_muon_maps_the_singular_values_of_the_momentum(
    shape: tuple[int, int], coefficients: str, norm: str
) -> None:
    """p = -lr U f^k(S / (|M| + eps)) V^T, by a singular value decomposition in 40 digits."""
    g = SQUARE[0].ravel()[: shape[0] * shape[1]].reshape(shape) * np.logspace(0, -2, shape[1])
    steps = 10 if coefficients == "eight_and_two" else 6
    h = muon.Hyper(
        lr=0.5, eps=0.25, ns_steps=steps, nesterov=False, coefficients=coefficients, norm=norm
    )  # type: ignore[arg-type]
    _, p = run(muon, h, np.zeros(shape), [g])
    u, s, v = mp.svd_r(matrix(g))
    size = {"frobenius": _norm(s), "spectral": max(s), "schatten": mp.sqrt(_norm(x * x for x in s))}
    by = max(size[norm], mp.sqrt(0.25)) if norm == "schatten" else size[norm] + 0.25
    out = []
    for x in s:
        y = x / by
        for i in range(steps):
            y = _f(y) if coefficients == "constant" else _f(y, triple(coefficients, i))
        out.append(-0.5 * y)
    assert digits(p) == digits(u * mpmath.diag(out) * v)


@pytest.mark.parametrize("coefficients", [name for name in COEFFICIENTS if name != "quintic"])
def test_muon_takes_the_published_lists_step_by_step(coefficients: str) -> None:
    """As above, each of its triples in turn, and the last one again."""
    test_muon_maps_the_singular_values_of_the_momentum((3, 4), coefficients, "frobenius")


def test_the_coefficients_bounds_and_fixed_points() -> None:
    """f never exceeds 1.20237 on [0, 1], nor leaves [0.68183, 1.20237]; its fixed points repel."""
    a, b, c = (mp.mpf(str(x)) for x in (3.4445, -4.7750, 2.0315))
    h = muon.Hyper()
    assert (h.ns_a, h.ns_b, h.ns_c, h.ns_steps) == (3.4445, -4.7750, 2.0315, 5)

    def f(x: Any) -> Any:
        return _f(x, (a, b, c))

    def roots(constant: Any, linear: Any, square: Any) -> list[Any]:
        middle = mp.sqrt(linear**2 - 4 * square * constant)
        return [mp.sqrt((-linear + sign * middle) / (2 * square)) for sign in (-1, 1)]

    peak, trough = roots(a, 3 * b, 5 * c)
    top, bottom = f(peak), f(trough)
    assert [f"{float(x):.5f}" for x in (peak, trough, top, bottom)] == [
        "0.55453",
        "1.05014",
        "1.20237",
        "0.68183",
    ]
    # A polynomial's extremes lie at critical points and ends: both intervals map into the band.
    assert max(f(1), top) == top and bottom <= f(1)
    assert bottom <= f(bottom) <= top and bottom <= f(top) <= top
    fixed = roots(a - 1, b, c)
    assert [f"{float(x):.4f}" for x in fixed] == ["0.8680", "1.2637"]
    slopes = [a + 3 * b * x**2 + 5 * c * x**4 for x in fixed]
    assert [f"{float(x):.2f}" for x in slopes] == ["-1.58", "6.47"]
    # f rises up to the peak: what starts at x or above is at least min(f(x), bottom) after a step.
    least = {}
    for start in ("0.01", "0.002", "0.001", "0.0001"):
        x = mp.mpf(start)
        for _ in range(5):
            x = min(f(x), bottom)
        least[start] = f"{float(x):.4f}"
    assert least == {"0.01": "0.6818", "0.002": "0.6818", "0.001": "0.4705", "0.0001": "0.0485"}


def test_muon_leaves_one_by_one_matrices_at_the_image_of_one() -> None:
    """Not at 1: an orthogonal matrix is not reproduced."""
    h = muon.Hyper(lr=1.0, eps=0.0, ns_steps=1)
    _, p = run(muon, h, np.zeros((1, 1)), [[[-7.0]]])
    assert digits(p) == ["0.7010000000"]


def test_muon_follows_orthogonal_matrices_on_both_sides() -> None:
    """O(Q M W) = Q O(M) W, and O(M^T) = O(M)^T; by rows ("aol") for permutations alone."""
    h = muon.Hyper(lr=1.0)
    o = muon.orthogonalized(h, SQUARE[0])
    turned = muon.orthogonalized(h, HADAMARD @ SQUARE[0] @ HADAMARD[::-1])
    assert digits(turned) == digits(HADAMARD @ o @ HADAMARD[::-1])
    assert digits(muon.orthogonalized(h, SQUARE[0].T)) == digits(o.T)
    np.testing.assert_array_equal(
        muon.orthogonalized(h, GRADIENTS[0].T), muon.orthogonalized(h, GRADIENTS[0]).T
    )
    h = muon.Hyper(norm="aol")
    o = muon.orthogonalized(h, SQUARE[0])
    order = [2, 0, 3, 1]
    assert digits(muon.orthogonalized(h, SQUARE[0][order])) == digits(o[order])
    assert digits(muon.orthogonalized(h, HADAMARD @ SQUARE[0])) != digits(HADAMARD @ o)


@pytest.mark.parametrize("nesterov", [False, True])
def test_muons_sum_and_average_point_the_same_way(nesterov: bool) -> None:
    """M_ema = (1 - momentum) M_sum, and without eps the iteration does not see the factor."""
    ends = [
        run(muon, muon.Hyper(eps=0.0, nesterov=nesterov, momentum_form=form), P, GRADIENTS)[1]
        for form in ("sum", "ema")
    ]
    assert digits(ends[0]) == digits(ends[1])


@pytest.mark.parametrize("nesterov", [False, True])
def test_muons_debiased_average_of_a_constant_gradient_is_a_multiple_of_it(nesterov: bool) -> None:
    """M = c_t G; with the dual norm its length counts: p moves by -lr c_t <G, O> O."""
    h = muon.Hyper(
        lr=1.0,
        momentum=0.5,
        eps=0.0,
        nesterov=nesterov,
        momentum_form="debiased",
        magnitude="dual_norm",
    )
    total = sum(
        0.5 * (1 - 0.5**t) / (1 - 0.5 ** (t + 1)) + 0.5 / (1 - 0.5**t) if nesterov else 1.0
        for t in (1, 2, 3)
    )
    o = muon.orthogonalized(h, P)
    _, p = run(muon, h, np.zeros((3, 4)), [P, P, P])
    assert digits(p) == digits(-total * np.sum(P * o) * o)


def test_muons_average_is_kept_corrected_or_added_to_the_gradient() -> None:
    """Without lookahead both forms of correction point the same way; g + b in exact numbers."""
    ends = [
        run(muon, muon.Hyper(eps=0.0, nesterov=False, momentum_form=form), P, GRADIENTS)
        for form in ("debiased", "in_average")
    ]
    assert digits(ends[0][1]) == digits(ends[1][1])
    assert digits(ends[0][0].b / (1 - 0.95**4)) == digits(ends[1][0].b)
    h = muon.Hyper(momentum=0.5, momentum_form="added")
    b, m = muon.with_momentum(h, 2, np.array([3.0]), np.array([4.0]))
    assert (b.item(), m.item()) == (3.5, 7.5)
    plain = dataclasses.replace(h, nesterov=False)
    b, m = muon.with_momentum(plain, 2, np.array([3.0]), np.array([4.0]))
    assert (b.item(), m.item()) == (3.5, 3.5)


def test_muons_scales_and_decays() -> None:
    """Each scale for 4 x 1 and 1 x 4; the decay by lr without scale, or through the gradient."""
    due = {"none": (1, 1), "tall": (2, 1), "wide": (1, 2), "ratio": (2, 0.5), "rms": (0.5, 0.5)}
    for scale, factors in due.items():
        h = muon.Hyper(rms=0.25, scale=scale)  # type: ignore[arg-type]
        assert [muon.shape_scale(h, 4, 1), muon.shape_scale(h, 1, 4)] == list(factors)
    zero = np.zeros((3, 4))
    h = muon.Hyper(lr=0.5, weight_decay=0.5, scale="rms")
    np.testing.assert_array_equal(run(muon, h, P, [zero])[1], 0.75 * P)
    coupled = dataclasses.replace(h, decay="coupled")
    bare = dataclasses.replace(h, weight_decay=0.0)
    np.testing.assert_array_equal(
        run(muon, coupled, P, [zero])[1], run(muon, bare, P, [0.5 * P])[1]
    )


def test_muon_takes_the_first_axis_against_all_others() -> None:
    """Shapes (2, 3, 2), (12,) and () step as (2, 6), (12, 1) and (1, 1) do, bit for bit."""
    h = muon.Hyper(scale="tall", weight_decay=0.1)
    for shape, flat in (((2, 3, 2), (2, 6)), ((12,), (12, 1)), ((), (1, 1))):
        n = int(np.prod(shape))
        parts = [x.ravel()[:n] for x in (P, GRADIENTS[0])]
        ends = [run(muon, h, parts[0].reshape(x), [parts[1].reshape(x)])[1] for x in (shape, flat)]
        np.testing.assert_array_equal(ends[0], ends[1].reshape(shape))


def test_muon_ends_where_momentum_is_nan_or_zero() -> None:
    """nan in one element makes all of p nan; zero stays zero unless eps is 0, when it is 0 / 0."""
    with np.errstate(invalid="ignore"):
        for norm in muon.DIALECTS["norm"]:
            h = muon.Hyper(norm=norm)  # type: ignore[arg-type]
            g = GRADIENTS[0].copy()
            g[1, 2] = np.nan
            s, p = run(muon, h, P, [g])
            assert np.all(np.isnan(p)) and np.isnan(s.b).sum() == 1
            np.testing.assert_array_equal(run(muon, h, P, [0 * P])[1], P)
            bare = dataclasses.replace(h, eps=0.0)
            assert np.all(np.isnan(run(muon, bare, P, [0 * P])[1]))
    s, p = run(muon, muon.Hyper(), np.zeros((0, 3)), [np.zeros((0, 3))])
    assert (s.t, p.shape) == (1, (0, 3))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"lr": -1.0}, ValueError),
        ({"momentum": 1.0}, ValueError),
        ({"eps": float("nan")}, ValueError),
        ({"ns_b": float("inf")}, ValueError),
        ({"ns_a": "3"}, TypeError),
        ({"ns_steps": 0}, ValueError),
        ({"ns_steps": 5.0}, TypeError),
        ({"rms": -0.2}, ValueError),
        ({"weight_decay": -0.1}, ValueError),
        ({"scale": "original"}, ValueError),
        ({"norm": "nuclear"}, ValueError),
    ],
)
def test_muon_refuses_what_its_domain_excludes(
    fields: dict[str, Any], error: type[Exception]
) -> None:
    """The error names the field."""
    with pytest.raises(error, match=next(iter(fields))):
        muon.Hyper(**fields)


# The farthest from 1 that these lists leave a singular value between the two given ones.
REACH = (
    ("aol", 0.1, 0.85, 0.02), ("cans", 1e-3, 1.0, 0.13), ("cubic", 1e-2, 1.0, 0.31),
    ("eight_and_two", 1e-3, 1.0, 1e-3),
    ("polar_express", 1e-3, 1.0, 1e-12), ("polar_express_1e-2", 1e-3, 1.0, 1e-12),
    ("polar_express_2e-2", 1e-3, 1.0, 1e-12), ("quintic", 1e-2, 1.0, 0.04),
)  # fmt: skip


@pytest.mark.parametrize(("name", "least", "most", "distance"), REACH)
def test_published_lists_bring_singular_values_near_one(
    name: str, least: float, most: float, distance: float
) -> None:
    """A mistyped coefficient leaves one of them elsewhere."""
    x = np.geomspace(least, most, 500)
    for i in range(len(COEFFICIENTS[name])):
        x = _f(x, triple(name, i))
    assert np.max(np.abs(x - 1)) < distance
