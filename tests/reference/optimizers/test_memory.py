"""Memory-efficient rules: printed numbers, hand computations and the laws that define them.

Over 300 lines: each rule of the family by hand and by its identities.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.lift import bounded
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.judge.contracts import agreement
from truestep.reference.optimizers import (
    adafactor,
    adagrad,
    adalomo,
    adam_mini,
    adamw,
    came,
    lomo,
    sgd,
    sm3,
)

ORACLE = PROFILES["oracle"]
RNG = np.random.default_rng(5)
P = RNG.standard_normal((3, 4))
GRADIENTS = RNG.standard_normal((4, 3, 4))
# A matrix of rank one whose entries are powers of two of both signs.
RANK_ONE = np.outer([1.0, -4.0, 0.5], [2.0, 1.0, -0.25, 8.0])
# Adafactor without all that is not its second moment: p moves by -U.
BARE: dict[str, Any] = {
    "lr": 1.0,
    "eps1": 0.0,
    "clip": "none",
    "parameter_scale": "none",
    "step_size": "constant",
}


def _run(module: Any, h: Any, p: Any, gradients: Any) -> tuple[Any, Any]:
    s = module.init(h, p)
    for g in gradients:
        s, p = module.step(h, s, p, np.asarray(g))
    return s, p


def _bounded(module: Any, h: Any, p: Any, gradients: Any) -> tuple[Any, Any]:
    """The same steps in float64, with a bound on their rounding errors."""
    state = module.init(h, p)
    fields = {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}
    s, lifted = bounded(ORACLE).state(module.State, fields), bounded(ORACLE).hyper(h)
    x = Bounded.exact(p, ORACLE)
    for g in gradients:
        s, x = module.step(lifted, s, x, Bounded.exact(g, ORACLE))
    return s, x


def _within(left: Any, right: Any, bound: Any) -> bool:
    """Whether both agree within the bound, which says something about every element."""
    found = agreement(left, right, bound)
    return found.passed and found.judged == found.elements


def _agree(left: Bounded, right: Bounded) -> bool:
    return _within(left.v, right.v, left.e + right.e)


def _equals(x: Bounded, value: Any) -> bool:
    return _within(x.v, np.broadcast_to(np.asarray(value, dtype=np.float64), x.shape), x.e)


def test_adafactor_reaches_the_printed_parameters_of_pytorch() -> None:
    """Three steps on a matrix, and one with decay, to the last printed digit."""
    p = np.array([[1.0, -2.0, 0.5], [0.0, 0.25, -1.0]])
    gradients = [np.array([[0.5 * t, -1.0, 0.125], [1.0, 0.25 * (t - 1), -0.5]]) for t in (1, 2, 3)]
    h = adafactor.Hyper(lr=0.1, eps_placement="floor")
    _, q = _run(adafactor, h, p, gradients)
    assert [f"{x:.16g}" for x in q.ravel()] == [
        "0.7455825378327179",
        "-1.644269818329912",
        "0.4118420661824144",
        "-0.3210628942081177",
        "0.1551302495451603",
        "-0.5997175471076972",
    ]
    h = adafactor.Hyper(lr=0.1, weight_decay=0.1, eps_placement="floor")
    _, q = _run(adafactor, h, p, gradients[:1])
    assert [f"{x:.16g}" for x in q.ravel()] == [
        "0.9253623778907297",
        "-1.835465883059728",
        "0.4599453276088168",
        "-0.1300807052462444",
        "0.2475",
        "-0.8489076652877926",
    ]


def test_adafactors_estimate_keeps_the_row_and_column_means() -> None:
    """In rational arithmetic the means of R C / mean(R) are R and C, whatever the squares."""
    squares = np.array(
        [[Fraction(i * j % 7 + 1, i + j) for j in range(1, 5)] for i in range(1, 4)], dtype=object
    )
    r, c = squares.mean(axis=1, keepdims=True), squares.mean(axis=0, keepdims=True)
    v = adafactor.rank_one(adafactor.Hyper(), r, c, rows=0)
    assert np.all(v.mean(axis=1, keepdims=True) == r)
    assert np.all(v.mean(axis=0, keepdims=True) == c)


def test_adafactors_estimate_is_exact_for_rank_one_only() -> None:
    """In rational arithmetic V = G^2 if G^2 has rank one, and differs if it has not."""
    squares = np.array([[Fraction(x) for x in row] for row in RANK_ONE**2], dtype=object)
    for extra, expected in ((0, True), (1, False)):
        squares[0, 0] += extra
        r, c = squares.mean(axis=1, keepdims=True), squares.mean(axis=0, keepdims=True)
        v = adafactor.rank_one(adafactor.Hyper(), r, c, rows=0)
        assert bool(np.all(v == squares)) is expected


def test_adafactors_first_update_of_a_rank_one_gradient_is_its_sign() -> None:
    """beta2_1 = 0 and V = G^2, so that U = sign(G)."""
    _, x = _bounded(adafactor, adafactor.Hyper(**BARE), np.zeros((3, 4)), [RANK_ONE])
    assert _equals(x, -np.sign(RANK_ONE))


def test_adafactors_first_step_forgets_the_state_it_began_with() -> None:
    """beta2_1 = 0: bit for bit the step from any averages."""
    h = adafactor.Hyper()
    fresh = adafactor.init(h, P)
    other = adafactor.State(0, fresh.r + 7.0, fresh.c + 3.0, fresh.v, fresh.m)
    ends = [adafactor.step(h, s, P, GRADIENTS[0])[1] for s in (fresh, other)]
    np.testing.assert_array_equal(*ends)


def test_adafactor_commutes_with_transposition_and_permutations() -> None:
    """Of rows and of columns; within the rounding of sums in another order."""
    h = adafactor.Hyper(weight_decay=0.1)
    _, x = _bounded(adafactor, h, P, GRADIENTS)
    _, y = _bounded(adafactor, h, P.T, GRADIENTS.transpose(0, 2, 1))
    assert _agree(x, y.T)
    rows, columns = [2, 0, 1], [3, 1, 0, 2]
    _, y = _bounded(adafactor, h, P[rows][:, columns], GRADIENTS[:, rows][:, :, columns])
    assert _agree(x[np.ix_(rows, columns)], y)


@pytest.mark.parametrize("module", [adafactor, adalomo])
def test_the_factored_rules_ignore_the_gradients_scale(module: Any) -> None:
    """With eps1 = 0, by powers of two bit for bit."""
    h = module.Hyper(eps1=0.0, weight_decay=0.1)
    ends = [_run(module, h, P, c * GRADIENTS)[1] for c in (1.0, 2.0**40, 2.0**-40)]
    np.testing.assert_array_equal(ends[0], ends[1])
    np.testing.assert_array_equal(ends[0], ends[2])


def test_adafactors_update_is_clipped_to_its_root_mean_square() -> None:
    """After two small gradients a large one gives an update of RMS clip_threshold."""
    h = adafactor.Hyper(**(BARE | {"clip": "rms", "clip_threshold": 0.25}))
    _, before = _bounded(adafactor, h, np.zeros((3, 4)), GRADIENTS[:2])
    _, after = _bounded(adafactor, h, np.zeros((3, 4)), [*GRADIENTS[:2], 1e6 * GRADIENTS[2]])
    assert _equals(adafactor.rms(after - before), 0.25)


def test_adafactor_chooses_its_axes() -> None:
    """The last two, the largest two, the leading two, and none below min_size."""
    shape = (20, 30, 3, 5)
    chosen = {
        axes: adafactor.factored_axes(adafactor.Hyper(axes=axes), shape)  # type: ignore[arg-type]
        for axes in ("last", "largest", "leading")
    }
    assert chosen == {"last": (3, 2), "largest": (1, 0), "leading": (1, 0)}
    h = adafactor.Hyper(axes="leading", min_size=21)
    assert adafactor.factored_axes(h, shape) is None
    assert adafactor.factored_axes(h, (3, 21, 21)) == (2, 1)
    assert adafactor.factored_axes(h, (40,)) is None


def test_adafactors_relative_step_is_the_lesser_of_lr_and_the_inverse_root() -> None:
    """lr = 3/4 at t = 1, 1/2 = 1 / sqrt(t) at t = 4; warm-up gives 1e-6 t; a zero p counts eps2."""
    for step_size, moves in (("relative", (0.75, 0.5)), ("warmup", (1e-6, 4e-6))):
        fields = BARE | {"lr": 0.75, "step_size": step_size, "parameter_scale": "rms", "eps2": 0.5}
        h = adafactor.Hyper(**fields)
        for t, due in zip((1, 4), moves, strict=True):
            s = dataclasses.replace(adafactor.init(h, np.zeros(2)), t=t - 1, v=np.ones(2))
            _, p = adafactor.step(h, s, np.zeros(2), np.array([1.0, -1.0]))
            np.testing.assert_array_equal(p, [-due / 2, due / 2])


def test_adalomo_is_adafactor_with_a_constant_rate() -> None:
    """Bit for bit without decay, within rounding with it."""
    same: dict[str, Any] = {"lr": 0.25, "decay": "step", "step_size": "constant"}
    for p, gradients in ((P, GRADIENTS), (P[0], GRADIENTS[:, 0])):
        _, a = _run(adalomo, adalomo.Hyper(lr=0.25), p, gradients)
        _, b = _run(adafactor, adafactor.Hyper(**same), p, gradients)
        np.testing.assert_array_equal(a, b)
        h = adalomo.Hyper(lr=0.25, weight_decay=0.5)
        _, x = _bounded(adalomo, h, p, gradients)
        _, y = _bounded(adafactor, adafactor.Hyper(**same, weight_decay=0.5), p, gradients)
        assert _agree(x, y)


def test_cames_first_steps_have_their_known_lengths() -> None:
    """100/9 lr for a matrix of rank one, lr/10 for a vector, with the default betas."""
    h = came.Hyper(lr=1.0, eps1=0.0, eps2=0.0)
    _, x = _bounded(came, h, np.zeros((3, 4)), [RANK_ONE])
    assert _equals(x, -np.sign(RANK_ONE) * (100 / 9))
    _, x = _bounded(came, h, np.zeros(3), [np.array([2.0, -2.0, 2.0])])
    assert _equals(x, np.array([-0.1, 0.1, -0.1]))


def test_came_commutes_with_transposition() -> None:
    """Within the rounding of its means."""
    h = came.Hyper(lr=0.1, weight_decay=0.1)
    _, x = _bounded(came, h, P, GRADIENTS)
    _, y = _bounded(came, h, P.T, GRADIENTS.transpose(0, 2, 1))
    assert _agree(x, y.T)


def test_adam_mini_with_blocks_of_one_element_is_adamw() -> None:
    """Bit for bit: with "elements", and with the rows of a vector."""
    fields: dict[str, Any] = {"lr": 0.1, "weight_decay": 0.5, "eps": 1e-3}
    _, due = _run(adamw, adamw.Hyper(**fields, decay="before"), P[0], GRADIENTS[:, 0])
    for blocks in ("elements", "rows"):
        h = adam_mini.Hyper(**fields, blocks=blocks)  # type: ignore[arg-type]
        _, p = _run(adam_mini, h, P[0], GRADIENTS[:, 0])
        np.testing.assert_array_equal(p, due)


def test_adam_minis_first_step_has_lr_as_the_root_mean_square_of_each_block() -> None:
    """Rows (1, 7) and (-7, 1) have the mean square 25: with lr = 5 every element moves by g."""
    g = np.array([[1.0, 7.0], [-7.0, 1.0]])
    fields: dict[str, Any] = {"lr": 5.0, "beta1": 0.5, "beta2": 0.75, "eps": 0.0}
    for blocks, heads in (("rows", 1), ("heads", 2), ("tensor", 1), ("heads", 1)):
        h = adam_mini.Hyper(**fields, blocks=blocks, heads=heads)  # type: ignore[arg-type]
        s, p = _run(adam_mini, h, np.zeros((2, 2)), [g])
        np.testing.assert_array_equal(p, -g)
        assert s.v.size == (2 if blocks == "rows" or heads == 2 else 1)


def test_adam_minis_heads_are_contiguous_and_divide_the_tensor() -> None:
    """As many heads as rows are the rows; a head may span rows; else the sizes are shown."""
    rows, heads = adam_mini.Hyper(lr=0.1), adam_mini.Hyper(lr=0.1, blocks="heads", heads=3)
    ends = [_run(adam_mini, h, P, GRADIENTS)[1] for h in (rows, heads)]
    np.testing.assert_array_equal(*ends)
    h = adam_mini.Hyper(blocks="heads", heads=5)
    with pytest.raises(ValueError, match=r"heads must divide the 12 elements of p, got 5"):
        adam_mini.init(h, P)


def test_adam_minis_second_moment_ignores_rotations_within_a_block() -> None:
    """(3, 4) and (0, 5) and (-5, 0) have one mean square, and so one step length."""
    h = adam_mini.Hyper(lr=1.0, blocks="tensor", beta1=0.5, beta2=0.75)
    v = [_run(adam_mini, h, np.zeros(2), [g])[0].v for g in ([3, 4], [0, 5], [-5, 0])]
    assert v[0] == v[1] == v[2] == 25 / 8


def test_lomo_without_clipping_is_sgd() -> None:
    """Bit for bit without decay; a loss scale of 2^10 rounds nothing."""
    _, due = _run(sgd, sgd.Hyper(lr=0.1), P, GRADIENTS)
    _, p = _run(lomo, lomo.Hyper(lr=0.1), P, GRADIENTS)
    np.testing.assert_array_equal(p, due)
    _, p = _run(lomo, lomo.Hyper(lr=0.1, loss_scale=1024.0), P, 1024 * GRADIENTS)
    np.testing.assert_array_equal(p, due)


def test_lomo_clips_by_value_by_the_norm_and_by_both() -> None:
    """(3, 4) to norm 5/2 is halved; clamped to 7/2 it is (3, 7/2), and half of that."""
    due = {"none": (3, 4), "value": (3, 3.5), "norm": (1.5, 2), "both": (1.5, 1.75)}
    for clip, move in due.items():
        h = lomo.Hyper(lr=1.0, clip=clip, clip_norm=2.5, clip_value=3.5, eps=0.0)  # type: ignore[arg-type]
        _, p = _run(lomo, h, np.zeros(2), [[3.0, 4.0]])
        np.testing.assert_array_equal(p, np.negative(move))


def test_sm3_bounds_adagrads_sum_and_lies_below_its_first_form() -> None:
    """In integers: sum g^2 <= nu of SM3-II <= nu of SM3-I, and the slices' sums never fall."""
    gradients = np.rint(3 * GRADIENTS)
    hypers = [sm3.Hyper(form=form) for form in ("second", "first")]  # type: ignore[arg-type]
    states = [sm3.init(h, P) for h in hypers]
    total = np.zeros_like(P)
    for g in gradients:
        total = total + g * g
        before = [s.mu for s in states]
        states = [sm3.step(h, s, P, g)[0] for h, s in zip(hypers, states, strict=True)]
        second, first = (sm3.least(s.mu, P.shape) for s in states)
        assert np.all(total <= second) and np.all(second <= first)
        assert all(np.all(a <= s.mu) for a, s in zip(before, states, strict=True))
    assert np.any(second < first)


def test_sm3_of_a_vector_is_adagrad() -> None:
    """The slices of a vector are its elements: one sum bit for bit, one p within rounding."""
    s, _ = _run(sm3, sm3.Hyper(lr=0.1, momentum=0.0), P[0], GRADIENTS[:, 0])
    np.testing.assert_array_equal(s.mu, (GRADIENTS[:, 0] ** 2).cumsum(axis=0)[-1])
    assert _agree(
        _bounded(sm3, sm3.Hyper(lr=0.1, momentum=0.0), P[0], GRADIENTS[:, 0])[1],
        _bounded(adagrad, adagrad.Hyper(lr=0.1, eps=0.0), P[0], GRADIENTS[:, 0])[1],
    )


def test_sm3_by_hand() -> None:
    """Two steps on a 2 x 2 matrix: nu = g^2, then min of row and column sums + g^2; 0/0 is 0."""
    h = sm3.Hyper(lr=1.0, momentum=0.0)
    first, second = np.array([[2.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 3.0], [0.0, 0.0]])
    s, p = _run(sm3, h, np.zeros((2, 2)), [first])
    np.testing.assert_array_equal(s.mu, [4, 1, 4, 0])
    np.testing.assert_array_equal(p, [[-1, 0], [-1, 0]])
    s, p = sm3.step(h, s, p, second)
    np.testing.assert_array_equal(s.mu, [9, 1, 4, 9])
    np.testing.assert_array_equal(p, [[-1, -1], [-1, 0]])


def test_sm3_commutes_with_transposition_and_never_moves_beyond_lr() -> None:
    """Bit for bit, since minima and maxima round nothing; |u| <= 1 as nu >= g^2."""
    h = sm3.Hyper(lr=0.5, momentum=0.0)
    _, p = _run(sm3, h, P, GRADIENTS)
    _, q = _run(sm3, h, P.T, GRADIENTS.transpose(0, 2, 1))
    np.testing.assert_array_equal(p, q.T)
    zero = np.zeros_like(P)
    s = sm3.init(h, zero)
    for g in GRADIENTS:
        s, move = sm3.step(h, s, zero, g)
        assert np.max(np.abs(move)) <= 0.5
