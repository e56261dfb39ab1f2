"""Low-rank rules: projections known exactly, and what holds whatever the projection."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.lift import bounded
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.judge.contracts import agreement
from truestep.reference.optimizers import adamw, apollo, galore

ORACLE = PROFILES["oracle"]
RNG = np.random.default_rng(6)
P = RNG.standard_normal((4, 5))
GRADIENTS = RNG.standard_normal((4, 4, 5))
# Two orthonormal columns of a Hadamard matrix, exact in binary.
HADAMARD = np.array([[1.0, 1.0], [1.0, -1.0], [1.0, 1.0], [1.0, -1.0]]) / 2
INTEGERS = np.array(
    [[3.0, -1.0, 2.0, 0.0, 5.0], [1.0, 4.0, -2.0, 1.0, 0.0], [0, 2, 7, -1, 1], [1, 0, -3, 1, 1]]
)
# Distinct singular values 8, 4, 2 with unit vectors as singular vectors.
SIGNED_PERMUTATION = np.array([[0.0, 0.0, 8.0, 0.0], [0.0, -4.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]])
# Adam without memory: the sign of what it is given, since adding this eps rounds to nothing.
SIGN: dict[str, Any] = {"lr": 1.0, "beta1": 0.0, "beta2": 0.0, "eps": 2.0**-60}
# APOLLO, and APOLLO-Mini.
MINI: Any = {"scaling": "tensor", "rank": 1, "scale": 128.0}
SCALINGS: list[Any] = [{}, MINI]


def _run(module: Any, h: Any, p: Any, gradients: Any) -> tuple[Any, Any]:
    s = module.init(h, p)
    for g in gradients:
        s, p = module.step(h, s, p, np.asarray(g))
    return s, p


def _bounded_step(module: Any, h: Any, s: Any, p: Any, g: Any) -> tuple[Any, Any]:
    """One step in float64, with a bound on its rounding errors."""
    fields = {f.name: getattr(s, f.name) for f in dataclasses.fields(s)}
    lifted = bounded(ORACLE).state(module.State, fields)
    x, y = Bounded.exact(p, ORACLE), Bounded.exact(g, ORACLE)
    return module.step(bounded(ORACLE).hyper(h), lifted, x, y)  # type: ignore[no-any-return]


def _within(left: Any, right: Any, bound: Any) -> bool:
    """Whether both agree within the bound, which says something about every element."""
    found = agreement(np.asarray(left), np.asarray(right), np.asarray(bound))
    return found.passed and found.judged == found.elements


def test_galore_projects_on_the_leading_singular_vectors() -> None:
    """Of a matrix with unit singular vectors the projector and the step are exact."""
    for g in (SIGNED_PERMUTATION, SIGNED_PERMUTATION.T):
        h = galore.Hyper(**SIGN, rank=2, scale=0.5)
        s, p = _run(galore, h, np.zeros(g.shape), [g])
        np.testing.assert_array_equal(p, -0.5 * np.sign(np.where(np.abs(g) > 3, g, 0.0)))
        projector = s.left.T if s.left.size else s.right
        np.testing.assert_array_equal(projector @ projector.T, np.eye(2))


def test_galore_with_all_directions_moves_by_its_scale_times_the_gradients_sign() -> None:
    """rank >= min(m, n), and each side: P P^T = I, here with unit vectors."""
    g = SIGNED_PERMUTATION
    for side in galore.DIALECTS["side"]:
        h = galore.Hyper(**SIGN, rank=9, scale=0.25, side=side)  # type: ignore[arg-type]
        _, p = _run(galore, h, np.zeros(g.shape), [g])
        np.testing.assert_array_equal(p, -0.25 * np.sign(g))


def test_galore_chooses_its_side() -> None:
    """Smaller or larger, left, right or both; the right one of a square; k <= min(m, n)."""
    due = {
        "smaller": [(3, 2), (0, 0), (2, 7)],
        "larger": [(0, 0), (2, 7), (3, 2)],
        "left": [(3, 2), (0, 0), (2, 7)],
        "right": [(0, 0), (2, 7), (3, 2)],
        "both": [(3, 2), (2, 7), (2, 2)],
    }
    for side, shapes in due.items():
        s = galore.init(galore.Hyper(rank=2, side=side), np.zeros((3, 7)))  # type: ignore[arg-type]
        assert [s.left.shape, s.right.shape, s.m.shape] == shapes
    square = galore.init(galore.Hyper(rank=9), np.zeros((3, 3)))
    assert (square.left.shape, square.right.shape) == ((0, 0), (3, 3))


def test_galore_moves_within_the_span_of_its_projector() -> None:
    """Between refreshes Delta = -lr scale P sign(P^T G): exact with a Hadamard projector."""
    h = galore.Hyper(**SIGN, rank=2, scale=0.5)
    zeros = np.zeros((2, 5))
    s = galore.State(1, HADAMARD, np.zeros((0, 0)), zeros, zeros)
    new, p = galore.step(h, s, np.zeros((4, 5)), INTEGERS)
    np.testing.assert_array_equal(p, -0.5 * HADAMARD @ np.sign(HADAMARD.T @ INTEGERS))
    np.testing.assert_array_equal(p, HADAMARD @ (HADAMARD.T @ p))
    assert new.left is s.left


def test_galore_ignores_the_signs_of_singular_vectors_with_their_moments() -> None:
    """A negated column of P with negated rows of m leaves p as it is, bit for bit."""
    h = galore.Hyper(lr=0.1, rank=2, weight_decay=0.1)
    s, p = _run(galore, h, P, GRADIENTS[:2])
    signs = np.array([1.0, -1.0])
    flipped = dataclasses.replace(s, left=s.left * signs, m=signs[:, None] * s.m)
    ends = [galore.step(h, state, p, GRADIENTS[2])[1] for state in (s, flipped)]
    np.testing.assert_array_equal(*ends)


def test_galore_follows_reflections_and_permutations_of_its_projected_side() -> None:
    """W G with W P in the place of P moves by W Delta; exact for integers and halves."""
    h = galore.Hyper(lr=0.1, rank=2)
    w = np.zeros((4, 4))
    w[[0, 1, 2, 3], [2, 0, 3, 1]] = [1.0, -1.0, -1.0, 1.0]
    zeros = np.zeros((2, 5))
    moves = [
        galore.step(h, galore.State(1, q, np.zeros((0, 0)), zeros, zeros), np.zeros((4, 5)), g)[1]
        for q, g in ((HADAMARD, INTEGERS), (w @ HADAMARD, w @ INTEGERS))
    ]
    np.testing.assert_array_equal(w @ moves[0], moves[1])


@pytest.mark.parametrize(
    ("refresh", "same"),
    [
        ("from_first", [False, True, True, False, True, True, False]),
        ("multiples", [False, True, False, True, True, False, True]),
    ],
)
def test_galore_takes_projectors_when_they_are_due(refresh: str, same: list[bool]) -> None:
    """With a gap of 3 at t = 1, 4, 7 or at t = 1, 3, 6; the same object stays between."""
    h = galore.Hyper(rank=2, update_gap=3, refresh=refresh)  # type: ignore[arg-type]
    s, p = galore.init(h, P), P
    kept = []
    for g in (*GRADIENTS, *GRADIENTS[:3]):
        new, p = galore.step(h, s, p, g)
        kept.append(new.left is s.left)
        s = new
    assert kept == same


@pytest.mark.parametrize(
    ("decay", "due"),
    [("after", [0.5, np.nan]), ("shrunk", [0.5, np.inf]), ("before", [0.25, np.inf])],
)
def test_galores_decay_of_a_moved_or_an_infinite_parameter(decay: str, due: list[float]) -> None:
    """A step of 1/2 from 3/2 and a decay of 1/2 in exact numbers; inf - inf is nan."""
    h = galore.Hyper(lr=0.5, beta1=0.0, beta2=0.0, eps=0.0, weight_decay=1.0, decay=decay)  # type: ignore[arg-type]
    s = galore.init(h, np.zeros(2))
    with np.errstate(invalid="ignore"):
        p = galore.step(h, s, np.array([1.5, np.inf]), np.array([4.0, 4.0]))[1]
    np.testing.assert_array_equal(p, due)


@pytest.mark.parametrize(("module", "dialect"), [(galore, {}), *((apollo, x) for x in SCALINGS)])
def test_tensors_that_are_no_matrices_take_adams_step(module: Any, dialect: Any) -> None:
    """Bit for bit AdamW's with decay after the step, here by 1/2, without a scale."""
    h = module.Hyper(lr=0.125, weight_decay=4.0, **{**dialect, "scale": 7.0})
    due = adamw.Hyper(lr=0.125, weight_decay=4.0, eps=1e-6, decay="after")
    for shape in ((20,), (2, 2, 5), ()):
        gradients = [g.ravel()[: int(np.prod(shape))].reshape(shape) for g in GRADIENTS]
        p = P.ravel()[: int(np.prod(shape))].reshape(shape)
        ends = [_run(m, x, p, gradients)[1] for m, x in ((module, h), (adamw, due))]
        np.testing.assert_array_equal(*ends)


def test_apollo_draws_its_projection_from_seed_and_refresh() -> None:
    """The same numbers again for the same seed; others for another seed, refresh or gap."""
    h = apollo.Hyper(rank=3, seed=5, update_gap=2)
    first, again = apollo.drawn(h, (4, 5), 0), apollo.init(h, P).projection
    np.testing.assert_array_equal(first, again)
    assert first.shape == (3, 4) and apollo.drawn(h, (5, 4), 0).shape == (4, 3)
    assert not np.array_equal(first, apollo.drawn(h, (4, 5), 1))
    assert not np.array_equal(first, apollo.drawn(dataclasses.replace(h, seed=6), (4, 5), 0))
    s, p = apollo.init(h, P), P
    drawn = []
    for g in GRADIENTS:
        s, p = apollo.step(h, s, p, g)
        drawn.append(s.projection)
    assert drawn[0] is drawn[1] and drawn[2] is drawn[3]
    np.testing.assert_array_equal(drawn[2], apollo.drawn(h, (4, 5), 1))


def test_apollos_projection_has_the_stated_variance() -> None:
    """Entries N(0, 1/r): a sum of n squares times r is chi squared, within 6 deviations of n."""
    n = 256 * 300
    x = apollo.drawn(apollo.Hyper(rank=256), (300, 400), 0)
    assert abs(np.sum(x * x) * 256 - n) <= 6 * np.sqrt(2 * n)


@pytest.mark.parametrize("rank", [1, 2])
def test_apollos_first_step_is_scaled_by_the_projected_norm_of_each_channel(rank: int) -> None:
    """With eps = 0 Adam gives signs: |Delta_j| = lr sqrt(scale) sqrt(rank) |G_j| / |P G_j|."""
    h = apollo.Hyper(lr=0.5, eps=0.0, scale=4.0, rank=rank)
    s = dataclasses.replace(apollo.init(h, P), projection=HADAMARD.T[:rank])
    for g, flip in ((INTEGERS, False), (INTEGERS.T, True)):
        state = s
        if flip:
            tall = apollo.init(h, P.T)
            state = dataclasses.replace(tall, projection=HADAMARD[:, :rank])
        _, x = _bounded_step(apollo, h, state, np.zeros(g.shape), g)
        r = apollo.project(state.projection, g)
        assert np.all(r != 0), "a zero would make Adam's sign 0 and the law another"
        size = np.sqrt(np.sum(r * r, axis=1 if flip else 0, keepdims=True))
        due = -0.5 * 2 * np.sqrt(rank) * g / size
        # due itself takes six roundings of relative error 2^-53 each.
        assert _within(x.v, due, x.e + 6 * 2.0**-53 * np.abs(due))


def test_apollo_mini_moves_along_the_gradient() -> None:
    """One factor for the whole tensor: Delta_i g_j = Delta_j g_i, within its bound."""
    h = apollo.Hyper(lr=0.5, seed=3, **MINI)
    _, x = _bounded_step(apollo, h, apollo.init(h, P), np.zeros((4, 5)), INTEGERS)
    g, first = Bounded.exact(INTEGERS, ORACLE), x[0, 0]
    left, right = x * INTEGERS[0, 0], g * first
    assert _within(left.v, right.v, left.e + right.e)


@pytest.mark.parametrize("form", SCALINGS)
def test_the_limiter_bounds_the_growth_of_the_norm(form: Any) -> None:
    """A growth of 1/2 halves every norm after the first; "none" keeps none, and moves farther."""
    h = apollo.Hyper(growth=0.5, **form)
    s, p = _run(apollo, h, P, GRADIENTS[:2])
    new, limited = _bounded_step(apollo, h, s, p, GRADIENTS[2])
    assert _within(new.norm.v, 0.5 * s.norm, new.norm.e)
    free = apollo.Hyper(growth=0.5, limiter="none", **form)
    assert _run(apollo, free, P, GRADIENTS[:2])[0].norm == 0
    _, moved = apollo.step(free, s, p, GRADIENTS[2])
    assert np.all(np.abs(moved - p) > np.abs(limited.v - p) + limited.e)


@pytest.mark.parametrize("form", SCALINGS)
def test_the_scale_may_come_after_the_limiter(form: Any) -> None:
    """Both placements make the same step; the norm is that of the update the limiter meets."""
    steps = []
    for placement in ("before", "after"):
        h = apollo.Hyper(growth=0.5, scale_placement=placement, **{**form, "scale": 16.0})
        steps.append(_run(apollo, h, P, GRADIENTS[:3]))
    (before, p), (after, q) = steps
    np.testing.assert_array_equal(p, q)
    assert before.norm == 4 * after.norm > 0


def test_a_zero_gradient_freezes_apollo_torchs_form_but_not_this_one() -> None:
    """After zero its norms are held below 1e-8 growth^k, where it adds 1e-8 to the last norm."""
    for guard, frozen in (("eps", True), ("none", False)):
        h = apollo.Hyper(guard=guard, seed=1)  # type: ignore[arg-type]
        s, _ = _run(apollo, h, P, [0 * P, *GRADIENTS[1:]])
        assert bool(s.norm <= 1e-8 * sum(h.growth**k for k in range(1, 4))) is frozen


def test_a_constant_gradient_dips_where_corrections_come_after_the_limiter() -> None:
    """The limiter then follows the uncorrected norm, (1 - b1^t) / sqrt(1 - b2^t): apollo-torch.

    Against the first step lengths dip to 0.53 at t = 10, and recover by t = 50.
    """
    h = apollo.Hyper(lr=1.0, eps=0.0, rank=2, correction="last")
    s, p, moves, due, held = apollo.init(h, P), P, [], [], np.inf
    for t in range(1, 61):
        s, new = apollo.step(h, s, p, INTEGERS)
        moves.append(np.linalg.norm(new - p))
        p = new
        factor = np.sqrt(1 - h.beta2**t) / (1 - h.beta1**t)
        held = min(1 / factor, h.growth * held)
        due.append(held * factor)
    assert [f"{x / moves[0]:.9f}" for x in moves] == [f"{x:.9f}" for x in due]
    assert [f"{due[t - 1]:.2f}" for t in (2, 5, 10, 20, 60)] == [
        "0.75",
        "0.57",
        "0.53",
        "0.61",
        "1.00",
    ]
    h = apollo.Hyper(lr=1.0, eps=0.0, rank=2)
    ends = [_run(apollo, h, P, t * [INTEGERS])[0].norm for t in (1, 10)]
    assert f"{ends[0]:.9f}" == f"{ends[1]:.9f}"
