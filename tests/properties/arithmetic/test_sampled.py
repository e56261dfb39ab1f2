"""Monte Carlo arithmetic: what it computes, how far replicates stray, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.arithmetic.profiles import PROFILES, Arithmetic
from truestep.properties.arithmetic.sampled import Replicates, Sampled
from truestep.reference.stages import symmetric

COUNT = 256
U = format_named("float32").u
RNG = np.random.default_rng(5)
SQUARE = RNG.standard_normal((6, 6)).astype(np.float32).astype(np.float64)
SYMMETRIC = SQUARE @ SQUARE.T
VECTOR = RNG.standard_normal(6).astype(np.float32).astype(np.float64)


def world(profile: str | Arithmetic = "ieee_float32", count: int = COUNT) -> Replicates:
    """A fresh world of so many replicates."""
    arithmetic = PROFILES[profile] if isinstance(profile, str) else profile
    return Replicates(arithmetic, count, np.random.default_rng(11))


def exact(x: Any, profile: str | Arithmetic = "ieee_float32") -> Sampled:
    """x as an input."""
    return Sampled.exact(np.asarray(x, dtype=np.float64), world(profile))


def spread(a: Sampled) -> Any:
    """Root mean square of the replicates' distances from the value, per element."""
    return np.sqrt(np.mean((a.x[1:] - a.x[0]) ** 2, axis=0))


FORMULAS = {
    "chain": lambda x: np.sqrt(np.abs(x * 3.7 - 0.25)) / (1.5 + x * x),
    "clipped": lambda x: np.clip(x, -0.5, np.exp(-x)),
    "column_mean": lambda x: np.mean(x, axis=0, keepdims=True) + np.sum(x, axis=1),
    "concatenated": lambda x: np.concatenate([x, np.stack([x[0], x[1]])], axis=0),
    "diagonal": lambda x: np.diag(np.diagonal(x)) + np.outer(x[0], x[1]),
    "largest": lambda x: np.max(np.abs(x), axis=1) - np.min(x, axis=1),
    "moved": lambda x: np.moveaxis(x[None], 0, 1).reshape(3, -1).T @ x[:3],
    "norm": lambda x: x / np.linalg.norm(x) + np.trace(x),
    "power": lambda x: np.abs(x) ** 0.25,
    "product": lambda x: x @ x.T @ x[:, 0],
    "selected": lambda x: np.where(x > 0, x * 1.1, np.minimum(x, 0.1)),
    "triangles": lambda x: np.tril(x) @ np.triu(x) + x[0] @ x,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_row_zero_is_the_float64_result(name: str) -> None:
    """The value is what NumPy computes, up to the float64 rounding of another order of a sum."""
    formula = FORMULAS[name]
    got, due = formula(exact(SQUARE)), formula(SQUARE)
    assert got.shape == due.shape
    # Sums here have at most 36 terms, of sizes below 100.
    assert np.max(np.abs(got.x[0] - due)) <= 36 * 100 * 2.0**-53


@pytest.mark.parametrize("name", FORMULAS)
def test_float32_results_stray_as_far_as_the_replicates(name: str) -> None:
    """NumPy in float32 errs by no more than a few times the replicates, and these by no more."""
    formula = FORMULAS[name]
    sampled = formula(exact(SQUARE))
    kernel = formula(SQUARE.astype(np.float32)).astype(np.float64)
    error = np.linalg.norm(kernel - sampled.x[0])
    allowed = np.linalg.norm(spread(sampled))
    assert error <= 4 * allowed
    if name not in ("concatenated", "largest"):
        assert allowed > 0
    assert allowed <= 64 * U * np.linalg.norm(np.abs(SQUARE) @ np.abs(SQUARE) @ np.abs(SQUARE) + 1)


def test_what_is_exact_stays_exact() -> None:
    """Products with powers of two, with zero and one, and sums with zero do not stray."""
    x = exact(SQUARE)
    for y in (2 * x, x / 4, x * 0.0, x + 0, x * 1.0, -x, np.maximum(x, 0), np.abs(x), x[1:].T):
        assert np.all(spread(y) == 0)
    assert np.all(spread(exact([3.0]) * exact([5.0])) == 0)


def test_one_rounding_has_the_variance_of_a_rounding() -> None:
    """A product's error is uniform over one ulp: standard deviation ulp / sqrt(12)."""
    x = exact(np.full(4, 1.0 + 2.0**-20)) * exact(np.full(4, 1.0 + 2.0**-21))
    ratio = spread(x) / (2 * U / np.sqrt(12))
    # The mean of 1024 uniform errors' squares lies within a tenth of its expectation: 5 sigma.
    assert abs(float(np.mean(ratio**2)) - 1) < 0.15


def test_host_scalars_are_rounded_where_they_enter() -> None:
    """1 - beta2 is computed in double: rounded once as it meets a float32 array."""
    h = Sampled.hyper(0.999, world())
    assert np.all(spread(1 - h) <= 2.0**-52)
    assert float(spread((1 - h) * exact([1.0]))[0]) <= U * 1e-3
    narrow = Sampled.hyper(0.999, world("float32_hyper"))
    assert float(spread(1 - narrow)[()]) > U / 8


def test_sums_stray_with_the_declared_order() -> None:
    """4096 equal terms: one by one they err far more than in pairs, and in double hardly at all."""
    x = np.full(4096, 1.1)

    def strays(summation: Any) -> float:
        arithmetic = Arithmetic("test", summation=summation)
        return float(spread(np.sum(exact(x, arithmetic)))[()]) / (U * 4096)

    assert strays("float64") < strays("pairwise") < strays("sequential") / 3


def test_tensor_cores_round_their_factors() -> None:
    """Factors in bfloat16 make a product stray by 2^-9 and not by 2^-24."""
    core = Arithmetic("test", summation="tensor_core", input_format="bfloat16")
    a, b = exact(SQUARE, core), exact(SQUARE)
    assert np.mean(spread(a @ a)) > 1000 * np.mean(spread(b @ b))


@pytest.mark.parametrize("name", ["eigh", "svd", "qr", "inv", "solve", "cholesky"])
def test_decompositions_recompose(name: str) -> None:
    """Each row is the decomposition of a matrix within a few n u of the given one."""
    a = exact(SYMMETRIC)
    size = np.linalg.norm(SYMMETRIC, 2)
    if name == "eigh":
        values, vectors = np.linalg.eigh(a)
        whole = (vectors.x * values.x[:, None, :]) @ vectors.x.transpose(0, 2, 1)
    elif name == "svd":
        u, s, vt = np.linalg.svd(a, full_matrices=False)
        whole = (u.x * s.x[:, None, :]) @ vt.x
    elif name == "qr":
        q, r = np.linalg.qr(a)
        whole = q.x @ r.x
    elif name == "inv":
        whole = np.linalg.inv(np.linalg.inv(a).x)
        size *= np.linalg.cond(SYMMETRIC)
    elif name == "solve":
        x = np.linalg.solve(a, exact(VECTOR)).x
        whole = np.broadcast_to(SYMMETRIC, a.x.shape)
        assert np.max(np.abs((whole @ x[..., None])[..., 0] - VECTOR)) <= (
            60 * U * np.linalg.cond(SYMMETRIC) * np.linalg.norm(VECTOR)
        )
    else:
        factor = np.linalg.cholesky(a).x
        whole = factor @ factor.transpose(0, 2, 1)
    assert np.max(np.abs(whole - SYMMETRIC)) <= 60 * U * size
    if name not in ("inv", "solve"):
        assert np.max(np.abs(whole[1:] - whole[0])) > U * size / 10


def test_vectors_keep_the_signs_of_the_value() -> None:
    """A replicate whose eigenvector came out with the other sign is turned round."""
    _, vectors = np.linalg.eigh(exact(SYMMETRIC))
    assert np.max(np.abs(vectors.x - vectors.x[0])) < 1e-2


def test_an_open_branch_is_undecided() -> None:
    """A comparison on which replicates differ cannot steer Python; one on which all agree can."""
    third = exact([1.0])[0] / 3
    assert third > 0.3
    with pytest.raises(Undecided):
        bool(third * 3 < 1)
    with pytest.raises(TypeError, match="several"):
        bool(exact([1.0, 2.0]) > 0)


def test_a_close_comparison_is_open_and_a_clear_one_is_not() -> None:
    """Noise against zero is open although no replicate is zero; equal exact numbers are not."""
    one = exact([1.0])[0]
    third = one / 3
    noise = third * 3 - one
    for close in (noise > 0, noise == 0, third * 3 <= 1):
        with pytest.raises(Undecided):
            bool(close)
    assert third > 0.25 and not third > 0.5 and one == 1 and not one > 1


def test_an_overflow_is_noted_and_a_division_by_zero_is_not() -> None:
    """Range errors from finite numbers leave a trace; nan and inf among the operands do not."""
    x = exact([1e30, 1.0])
    x * x
    assert x.world.overflows == ["multiply"]
    y = exact([1.0, np.inf])
    y * y, y / 0.0, np.sum(y)
    assert y.world.overflows == []
    z = exact([1.0]) / 0.0
    assert z.world.overflows == []


def test_stages_change_the_format() -> None:
    """A stage that the arithmetic names computes in its format; any other leaves things alone."""
    arithmetic = Arithmetic("test", stages={"iteration": "bfloat16"})
    x = exact(SQUARE, arithmetic)
    assert x.staged("another") is x
    inside = x.staged("iteration")
    assert inside.format.name == "bfloat16"
    assert np.max(spread(inside)) > 1e-4
    assert inside.staged("").format.name == "float32"


@pytest.mark.parametrize(
    "attempt",
    [
        lambda x: np.arctan2(x, x),
        lambda x: np.add.reduce(x),
        lambda x: np.add(x, x, dtype=np.float32),
        lambda x: np.fft.fft(x),
        lambda x: np.linalg.svd(x),
        lambda x: np.linalg.norm(x, ord=1),
        lambda x: np.asarray(x),
        lambda x: float(x[0, 0]),
    ],
)
def test_what_is_not_supported_raises(attempt: Any) -> None:
    """Nothing falls back to plain float64 without its replicates."""
    with pytest.raises(TypeError):
        attempt(exact(SQUARE))


def test_a_symmetric_matrix_may_be_read_either_way() -> None:
    """Replicates are the matrix or its transpose, both of them; an exactly symmetric one stays."""
    world = Replicates(PROFILES["ieee_float32"], 32, np.random.default_rng(4))
    nearly = np.asarray([[2.0, 1.0], [1.5, 3.0]])
    rows = symmetric(Sampled.exact(nearly, world)).x
    turned = np.all(rows == nearly.T, axis=(1, 2))
    assert np.all(turned | np.all(rows == nearly, axis=(1, 2)))
    assert 0 < turned.sum() < 32
    assert not any(
        np.array_equal(symmetric(Sampled.exact(nearly, world)).x[0], nearly.T) for _ in range(16)
    )
    even = (nearly + nearly.T) / 2
    assert np.array_equal(
        symmetric(Sampled.exact(even, world)).x, np.broadcast_to(even, (33, 2, 2))
    )
    assert symmetric(nearly) is nearly


MOVES: dict[str, Any] = {
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 4, 6)),
    "diag": lambda x: np.diag(x.reshape(-1)),
    "diagonal": np.diagonal,
    "moveaxis": lambda x: np.moveaxis(x, 0, -1),
    "ravel": lambda x: np.ravel(np.transpose(x)),
    "repeat": lambda x: np.repeat(x, 2, axis=1),
    "roll": lambda x: np.roll(x, 1, axis=0),
    "transposed_transpose": lambda x: np.transpose(np.transpose(x)),
    "tril": np.tril,
    "triu": lambda x: np.triu(x, 1),
}


@pytest.mark.parametrize("name", MOVES)
def test_rows_are_moved_together_as_each_is_alone(name: str) -> None:
    """Element by element, minus zeros too, and in the same layout: it decides the order of sums."""
    rows = np.asarray(RNG.standard_normal((9, 4, 6)))
    rows[:, 1, 2] = -0.0
    moved = MOVES[name](Sampled(rows, world(count=8), format_named("float32"))).x
    alone = np.stack([MOVES[name](row) for row in rows])
    assert moved.shape == alone.shape
    assert moved.tobytes() == alone.tobytes()
    long = [i for i, n in enumerate(moved.shape) if n > 1]
    assert [moved.strides[i] for i in long] == [alone.strides[i] for i in long]


@pytest.mark.parametrize("x", [np.inf, -np.inf, np.nan])
def test_a_term_whose_coefficient_is_zero_may_be_absent(x: float) -> None:
    """Replicates disagree on 0 x where x is not finite; of a tensor's own zero, all are nan."""
    factor = exact([x, 1.0])
    with np.errstate(invalid="ignore"):
        term = Sampled.hyper(0.0, factor.world) * factor
        product = Sampled.exact(np.zeros(2), factor.world) * factor
    assert 0 < np.count_nonzero(term.x[:, 0] == 0) < len(term.x)
    assert np.all(np.isnan(product.x[:, 0]))
    assert np.all(term.x[:, 1] == 0)


def test_an_order_that_roundings_may_turn_is_open() -> None:
    """Of keys far apart it is known, of what remains where two numbers cancel it is not."""
    x = exact([1.0, 3.0, 2.0])
    order = np.argsort(x * np.float64(1 / 3))
    np.testing.assert_array_equal(order.x, np.broadcast_to([0, 2, 1], order.x.shape))
    noise = np.sum(exact(SQUARE) * x[0] * (1 / 3), axis=0) - np.sum(exact(SQUARE) * (1 / 3), axis=0)
    with pytest.raises(Undecided):
        np.argsort(noise)
    # Equal numbers that no rounding has reached keep their places.
    np.testing.assert_array_equal(np.argsort(exact([0.0, 0.0])).x[0], [0, 1])


def test_the_sign_of_an_infinite_average_is_open() -> None:
    """In another order it is that of inf - inf: half of the replicates have nan, others it."""
    given = exact([np.inf, -np.inf, 1.0])
    average = exact([0.5, -2.0, 3.0]) * 0.5 + given * 0.5
    signs = np.sign(average).x
    np.testing.assert_array_equal(signs[0], [1.0, -1.0, 1.0])
    assert np.all(np.isnan(signs[1::2, :2])) and np.all(signs[2::2, :2] == [1.0, -1.0])
    assert np.all(signs[:, 2] == 1.0)


def test_inputs_are_read_by_every_replicate_and_subnormals_flushed_by_all() -> None:
    """Where the arithmetic says so; the value keeps them, and a mask is no number."""
    flushing = world(Arithmetic("test", subnormals="flushed"), 8)
    x = Sampled.exact(np.asarray([1e-40, 1.0]), flushing).x
    assert x.shape == (9, 2) and x[0, 0] == 1e-40
    assert np.all(x[1:, 0] == 0) and np.all(x[:, 1] == 1)
    mask = Sampled.exact(np.asarray([True, False]), flushing).x
    assert mask.dtype == bool and mask.shape == (9, 2)


def test_one_row_that_differs_leaves_a_truth_undecided() -> None:
    """The value itself, the first replicate, or the last."""
    for row in (0, 1, 8):
        rows = np.ones(9)
        rows[row] = 0.0
        with pytest.raises(Undecided):
            bool(Sampled(rows, world(count=8), format_named("float32")))


def test_what_enters_a_stage_is_no_number_of_the_host() -> None:
    """It has that format from there on; arrays tell their value, rows and format."""
    arithmetic = Arithmetic("test", stages={"iteration": "bfloat16"})
    inside = Sampled.hyper(0.1, world(arithmetic, 8)).staged("iteration")
    assert (inside.host, inside.format.name) == (False, "bfloat16")
    rows = np.asarray([[1.0, 2.0]] + 8 * [[1.5, 2.5]])
    told = repr(Sampled(rows, world(count=8), format_named("float32")))
    assert told == "Sampled(array([1., 2.]), 8 replicates, float32)"
