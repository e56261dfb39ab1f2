"""How far replicates stray, and where an outcome is open: by the numbers that are stated of it.

With 8192 replicates a root mean square of normal errors is known to within a twentieth, six times
its own standard deviation; a size that is twice what is stated, or half, is seen.

Over 300 lines, for every size is worked out where it is held.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.properties.arithmetic.counter import Counter
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.arithmetic.formats import FORMATS
from truestep.properties.arithmetic.profiles import PROFILES, Arithmetic
from truestep.properties.arithmetic.sampled import Replicates, Sampled, quantile, sums
from truestep.properties.arithmetic.sampled import operations as op

INF = np.inf
MANY, FEW = 8192, 8
FLOAT32, U = FORMATS["float32"], 2.0**-24
SIZES = np.array([1.5, 100.0])
# The error of one rounding at 1: uniform over an ulp of 2 u.
ROUNDING = 2 * U / np.sqrt(12)


def _world(count: int = MANY, **declared: Any) -> Replicates:
    arithmetic = Arithmetic("test", **declared) if declared else PROFILES["ieee_float32"]
    return Replicates(arithmetic, count, np.random.default_rng(7))


def _exact(x: Any, world: Replicates) -> Sampled:
    return Sampled.exact(np.asarray(x, np.float64), world)


def _rows(rows: Any, world: Replicates | None = None) -> Sampled:
    x = np.asarray(rows, np.float64)
    return Sampled(x, world or _world(len(x) - 1), FLOAT32)


def _strays(a: Sampled, due: Any) -> None:
    """Each element by as much as is due."""
    found = np.sqrt(np.mean((a.x[1:] - a.x[0]) ** 2, axis=0))
    ratio = found / np.broadcast_to(np.asarray(due), found.shape)
    assert np.all(np.abs(ratio - 1) < 0.05), (found, due)


def test_a_product_that_may_be_a_difference_strays_as_one() -> None:
    """(1 - a) x by the rounding of a x besides, of a host's 1 - a alone."""
    world = _world()
    x = _exact(SIZES, world)
    factor = 1 - Sampled.hyper(0.5, world) * Sampled.hyper(0.5, world)
    assert factor.shrinks == 0.25
    for made in (factor * x, x * factor):
        # Of the factor as it enters, of the product, and of a x.
        entered, rounded = ROUNDING / 2 * SIZES, ROUNDING * np.array([1.0, 64.0])
        _strays(made, np.hypot(np.hypot(entered, rounded), U * 0.25 * SIZES))
        assert made.x[0].tolist() == [1.125, 75.0]
    assert (2 - Sampled.hyper(0.5, world) * Sampled.hyper(0.5, world)).shrinks is None
    assert (1 - Sampled.hyper(0.5, world)).shrinks is None


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_with_a_matrix_product_rounds_at_every_term(sign: int) -> None:
    """By the other number's size, where products and sums may be fused."""
    a, b = np.array([[1.0, 2.0, 4.0, 8.0]]), np.array([[1.0], [-2.0], [0.5], [1.0]])
    for contraction in (True, False):
        world = _world(contraction=contraction)
        product, other = _exact(a, world) @ _exact(b, world), _exact([[1.5 * 2.0**20]], world)
        alone = np.sqrt(np.mean((product.x[1:] - product.x[0]) ** 2))
        chain = np.sqrt(4) / np.sqrt(3)
        assert product.chain is not None and np.all(product.chain == chain)
        apart = np.sqrt(2) * U * chain * 1.5 * 2.0**20 if contraction else 0.0
        due = np.sqrt(apart**2 + alone**2 + (ROUNDING * 2.0**20) ** 2)
        _strays(product + other if sign > 0 else product - other, due)
        _strays(other + product if sign > 0 else other - product, due)
        # It is no product of matrices any more; a number of the host leaves it one.
        assert (product + other).chain is None
        assert (Sampled.hyper(0.5, world) * product).chain is product.chain
        assert (_exact([[3.0]], world) * product).chain is None


def test_equal_products_are_rounded_alike() -> None:
    """At one addition after another, so that their number counts and not its root."""
    world = _world(FEW)
    product = _exact(np.full((1, 4), 3.0), world) @ _exact(np.full((4, 1), 5.0), world)
    assert product.chain is not None and np.all(product.chain == 4 / np.sqrt(3))


def test_what_is_exact_in_every_order() -> None:
    """Integers up to 256, of the operands and of the result; powers of two as factors."""
    world = _world(FEW)

    def strays(x: Any) -> bool:
        return bool(np.any(x.x[1:] != x.x[0]))

    def number(v: float) -> Sampled:
        return _exact([v], world)

    assert not strays(number(128) + number(128)) and strays(number(128) + number(129))
    assert not strays(number(256) - number(1)) and strays(number(257) - number(2))
    assert not strays(number(1.5) + number(0)) and not strays(number(0) - number(1.5))
    assert strays(number(1.5) + number(1.5)) and not strays(number(15) * number(17))
    assert strays(number(15) * number(18)) and not strays(number(0.25) * number(1.125))
    assert not strays(number(1.125 * 2**20) * number(-4)) and not strays(number(0) * number(300.5))
    assert not strays(number(300.5) / number(4)) and strays(number(4) / number(1.5))
    assert not strays(number(0) / number(1.5)) and not strays(number(0) * number(1.1))
    assert strays(number(512) / number(3)) and not strays(number(6) / number(3))
    assert strays(number(1.5) * number(1.5)) and not strays(np.square(number(16)))


def _around(value: float, spread: float, count: int = FEW) -> list[float]:
    """A value, and replicates on both sides of it by so much."""
    return [value, *[value + spread * (-1) ** i for i in range(count)]]


def test_what_lies_within_reach_of_zero() -> None:
    """Up to Student's quantile of its spread; not what no rounding has reached."""
    reach = quantile(FEW)
    near, far = 0.999 * reach, 1.001 * reach
    cases = ((near, 1.0), (far, 1.0), (-near, 1.0), (0.0, 0.0), (2 * near, 2.0))
    rows = np.array([_around(v, s) for v, s in cases]).T
    assert op.within_reach_of_zero(rows).tolist() == [True, False, True, False, True]


def test_a_close_comparison_goes_both_ways_among_the_replicates() -> None:
    """One after the other; the value's own outcome stays, and what is clear."""
    centres = (1.0, 100.0, -1.0, -100.0)
    left = _rows(np.array([_around(v, 1.0) for v in centres]).T)
    found = (left > 0).x
    assert found[:, 1].all() and not found[:, 3].any()
    assert found[0].tolist() == [True, True, False, False]
    for close in (0, 2):
        assert found[1:, close].tolist() == [True, False] * (FEW // 2)
    # Whichever way the replicates themselves fall.
    for centre, limit in ((1.0, 0.0), (500.0, 499.0), (-499.0, -500.0)):
        turned = (_rows(np.array([_around(centre, -1.0)]).T) > limit).x
        assert turned[1:, 0].tolist() == [True, False] * (FEW // 2)
    flags = left > 50
    assert (flags == flags).x.all()


def test_squares_of_what_is_hardly_more_than_rounding_have_long_tails() -> None:
    """By the quantile over sqrt(3), in the replicates alone; however it is squared."""
    x = _rows(np.array([_around(1.0, 1.0), _around(2.0**20, 2.0**-30)]).T)
    longer = quantile(FEW) / np.sqrt(3)
    for squared in (np.square(x), x * x, x * _rows(x.x, x.world)):
        assert squared.x[0].tolist() == [1.0, 2.0**40]
        plain = (x.x[1:, 0] ** 2) * longer
        assert np.all(np.abs(squared.x[1:, 0] - plain) <= 400 * U)
        assert np.all(np.abs(squared.x[1:, 1] - 2.0**40) <= 4 * U * 2.0**40)
    assert np.all(np.abs((x * (x + 1.0)).x[1:, 0]) < 7.0)


POLES = {"quotient": lambda x: 1.0 / x, "logarithm": np.log, "negative power": lambda x: x**-1.0}


@pytest.mark.parametrize("name", POLES)
def test_beside_a_pole_nothing_is_certain(name: str) -> None:
    """Every other replicate is nan; what is far from it is not touched, nor a positive power."""
    x = _rows(np.array([_around(2.0, 1.0), _around(100.0, 1.0)]).T)
    with np.errstate(all="ignore"):
        found = POLES[name](x).x
    assert np.isnan(found[:, 0]).tolist() == [False, *[True, False] * (FEW // 2)]
    assert not np.isnan(found[:, 1]).any()
    with np.errstate(all="ignore"):
        mixed = (x ** np.array([-1.0, 2.0])).x
    assert np.isnan(mixed[:, 0]).sum() == FEW // 2 and not np.isnan(mixed[:, 1]).any()
    assert not np.isnan((x**2.0).x).any() and not np.isnan((x / 3.0).x).any()
    assert x.x[1].tolist() == [3.0, 101.0]


def test_a_division_by_zero_leaves_no_trace_and_an_overflow_does() -> None:
    """Of a quotient by a number, of a power of one; not of what was infinite before."""
    with np.errstate(all="ignore"):
        for made, noted in (
            (lambda x: x / 1e-30, ["divide"]),
            (lambda x: x / 0.0, []),
            (lambda x: (x * 0.0) / 1e-30, []),
            (lambda x: x**20.0, ["power"]),
            (lambda x: (x * 0.0) ** -1.0, []),
            (lambda x: np.exp(x), ["exp"]),
            (lambda x: np.exp(x * INF), []),
        ):
            world = _world(FEW)
            made(_exact([1e30, 1.0], world))
            assert world.overflows == noted
        # A pole in one element hides no overflow in another.
        for made, noted in (
            (lambda x: np.ones(2) / x, ["divide"]),
            (lambda x: x**-2.0, ["power"]),
            (lambda x: np.ones(2) / (x * 1e20), []),
        ):
            world = _world(FEW)
            made(_exact([0.0, 1e-39], world))
            assert world.overflows == noted


def test_where_a_coefficient_is_zero_every_other_replicate_leaves_the_term_out() -> None:
    """Only where the other factor is not finite, and only of the host's zero."""
    world = _world(FEW)
    with np.errstate(all="ignore"):
        for made in (
            Sampled.hyper(0.0, world) * _exact([INF, 2.0], world),
            _exact([INF, 2.0], world) * Sampled.hyper(0.0, world),
        ):
            assert np.isnan(made.x[:, 0]).tolist() == [True, *[False, True] * (FEW // 2)]
            assert np.all(made.x[:, 1] == 0)
        assert np.isnan((_exact([0.0], world) * _exact([INF], world)).x).all()
        assert np.isinf((Sampled.hyper(0.5, world) * _exact([INF], world)).x).all()


@pytest.mark.parametrize(
    ("signs", "summation"),
    [("alike", "sequential"), ("mixed", "sequential"), ("alike", "pairwise"), ("alike", "float64")],
)
def test_a_sum_strays_by_its_terms_and_its_total(signs: str, summation: str) -> None:
    """Parts of a quarter each by their partial sums; what adds the parts is rounded besides."""
    world = _world(summation=summation)
    n = 64
    x = np.full(n, 1.5) if signs == "alike" else np.resize([1.5, -1.5], n)
    found = np.sum(_exact(x, world))
    count = world.arithmetic.additions(n // 4)
    inner = 2.0**-53 if summation == "float64" else U
    total, terms = float(x[: n // 4].sum()), np.sqrt(n // 4) * 1.5
    part = inner / np.sqrt(3) * np.hypot(np.sqrt(count / 2) * terms, np.sqrt(count / 3) * total)
    common = inner / np.sqrt(3) * np.sqrt(count / 3) * abs(total)
    least = 2 * part
    found_ = float(np.sqrt(np.mean((found.x[1:] - found.x[0]) ** 2)))
    # Beside the parts: three additions of sums of up to 96, and a rounding at the end.
    most = np.sqrt(4 * (part**2 + common**2) + (3 + 1) * (ROUNDING * 64) ** 2)
    assert 0.95 * least <= found_ <= 1.05 * most
    if signs == "mixed":
        _strays(found, least)
    if summation == "float64":
        # Rounded once, from float64.
        _strays(found, ROUNDING * 64)


def test_errors_of_a_sum_have_the_stated_size() -> None:
    """Of one vector of sums, and of products of like terms, whose errors are common to a line."""
    world = _world()
    total, terms, count = np.full((MANY + 1, 2), 8.0), np.full((MANY + 1, 2), 3.0), 12
    unit = U / np.sqrt(3)
    own = np.sqrt(6.0) * 3.0, np.sqrt(4.0) * 8.0
    out = Sampled(sums._astray(total, terms, count, world, FLOAT32), world, FLOAT32)
    # One axis: its line is the element's own.
    _strays(out, unit * np.sqrt(own[0] ** 2 + own[1] ** 2 + 4.0 * 64.0))
    alike = Sampled(sums._astray(total, terms, count, world, FLOAT32, True), world, FLOAT32)
    _strays(alike, unit * np.sqrt(own[0] ** 2 + own[1] ** 2 + 36.0 * 64.0))
    assert out.x[0].tolist() == [8.0, 8.0]
    few = sums._astray(total, terms, 1, world, FLOAT32, True)
    _strays(Sampled(few, world, FLOAT32), unit * np.sqrt(4.5 + 64.0 / 3 + 64.0))


def test_terms_that_are_nearly_one_number_are_alike() -> None:
    """From a cosine of 0.999 on, of more than one."""
    for n, total, alike in ((4, 2.0, True), (4, 1.9981, True), (4, 1.9979, False), (1, 1.0, False)):
        assert bool(sums._alike(np.array(total), np.array(1.0), n)) is alike
        assert bool(sums._alike(np.array(-total), np.array(1.0), n)) is alike


def test_sums_are_split_and_added_in_the_declared_order() -> None:
    """Four parts or panels; in pairs, the odd one at the end, or one by one."""
    assert sums._split(8, 1) == [slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8)]
    assert sums._split(3, 1) == [slice(0, 1), slice(1, 2), slice(2, 3)]
    assert [s.start for s in sums._split(600, 256)] == [0, 256, 512] and sums._split(0, 1) == []
    for summation in ("pairwise", "sequential"):
        world = _world(FEW, summation=summation)
        for n in (1, 2, 3, 5):
            parts = [np.full((FEW + 1, 2), 2.0**i) for i in range(n)]
            assert np.all(sums.added(parts, world, FLOAT32)[0] == 2.0**n - 1)
    scaled, unit = sums._scaled(np.array([1.0, -4.0, INF, np.nan]))
    assert unit == 4.0 and scaled[:2].tolist() == [0.25, -1.0]
    assert sums._scaled(np.zeros(2))[1] == 1.0
    names = {"float64": "float64", "pairwise": "bfloat16", "tensor_core": "float32"}
    for summation, name in names.items():
        inner = sums.accumulator(Arithmetic("x", summation=summation), FORMATS["bfloat16"])  # type: ignore[arg-type]
        assert inner.name == name


def test_axes_count_from_the_value_s_own() -> None:
    """Of several, of the last, of none."""
    x = _exact(np.arange(24.0).reshape(2, 3, 4), _world(FEW))
    assert sums.axes_of(x, None) == (1, 2, 3) and sums.axes_of(x, -1) == (3,)
    assert sums.axes_of(x, (0, -2)) == (1, 2)
    for axis in (None, 0, 1, -1, (0, 2)):
        for keepdims in (False, True):
            found = np.sum(x, axis=axis, keepdims=keepdims)
            due = np.sum(x.x[0], axis=axis, keepdims=keepdims)
            assert found.shape == due.shape and np.all(found.x[0] == due)
            mean = np.mean(x, axis=axis, keepdims=keepdims)
            np.testing.assert_array_equal(mean.x[0], np.mean(x.x[0], axis=axis, keepdims=keepdims))
            largest = np.max(x, axis=axis, keepdims=keepdims)
            np.testing.assert_array_equal(largest.x[0], x.x[0].max(axis=axis, keepdims=keepdims))


def test_sums_of_one_axis_and_products_of_nothing() -> None:
    """A vector's last axis is its first; a product over no terms is zero."""
    world = _world(FEW)
    assert float(np.sum(_exact([1.0, 2.0], world), axis=-1).x[0]) == 3.0
    nothing = _exact(np.zeros((2, 0)), world) @ _exact(np.zeros((0, 3)), world)
    assert nothing.shape == (2, 3) and not nothing.x.any()
    assert np.sum(_exact(np.zeros((2, 0)), world), axis=1).x.tolist() == [[0.0, 0.0]] * (FEW + 1)


def test_a_sum_that_leaves_the_range_is_noted() -> None:
    """Where its own terms were finite, whatever its neighbours' were."""
    far, near = [3e38, 3e38, 0.0], [INF, 1.0, 0.0]
    with np.errstate(all="ignore"):
        for rows, noted in (([far, near], True), ([near, near], False)):
            world = _world(FEW)
            np.sum(_exact(rows, world), axis=1)
            np.sum(_exact(np.transpose(rows), world), axis=0)
            assert world.overflows == (["sum"] * 2 if noted else [])
            world = _world(FEW)
            _exact(rows, world) @ _exact(np.full((3, 2), 2.0), world)
            _exact(np.full((2, 3), 2.0), world) @ _exact(np.transpose(rows), world)
            assert world.overflows == (["matmul"] * 2 if noted else [])


def test_what_is_joined_chosen_or_taken() -> None:
    """Along the value's axes; a number of the host is rounded where it meets an array."""
    world = _world(FEW)
    x = _exact(np.arange(6.0).reshape(2, 3), world)
    for axis in (0, 1, -1):
        for join in (np.concatenate, np.stack):
            np.testing.assert_array_equal(
                join([x, x], axis=axis).x[0], join([x.x[0], x.x[0]], axis=axis)
            )
    assert np.concatenate([x, x]).shape == (4, 3) and np.stack([x, x, x]).shape == (3, 2, 3)
    chosen = np.where(x > 2, x, 0.1)
    assert len(np.unique(chosen.x[1:, 0, 0])) > 1 and chosen.x[0, 0, 0] == 0.1
    assert not chosen.host and np.where(True, Sampled.hyper(1.0, world), 2.0).host
    assert float(np.vdot(x, x).x[0]) == 55.0 and np.outer(x[0], x[1]).x[0].tolist()[2] == [6, 8, 10]
    assert float(np.trace(x[:, :2]).x[0]) == 4.0
    for axis in (0, 1, -1):
        order = np.argsort(-x, axis=axis)
        due = np.argsort(-x.x[0], axis=axis, kind="stable")
        np.testing.assert_array_equal(order.x[0], due)
        taken = np.take_along_axis(x, order, axis=axis)
        np.testing.assert_array_equal(taken.x[0], np.take_along_axis(x.x[0], due, axis=axis))
        plain = np.take_along_axis(x, due[None], axis=axis)
        np.testing.assert_array_equal(plain.x, taken.x)
    for ord_ in (None, "fro"):
        assert float(np.linalg.norm(x[:1, 1:], ord=ord_).x[0]) == np.sqrt(5.0)
    assert float(np.linalg.norm(x[0], ord=2).x[0]) == np.sqrt(5.0)
    assert np.linalg.norm(x, ord=2, axis=1).shape == (2,)
    with pytest.raises(TypeError, match="ord=2"):
        np.linalg.norm(x, ord=2)


def test_keys_within_reach_of_one_another_have_no_order() -> None:
    """By the quantile of both their spreads."""
    reach = quantile(FEW) * np.sqrt(2)
    for apart, known in ((reach * 1.001, True), (reach * 0.999, False)):
        x = _rows(np.array([_around(0.0, 1.0), _around(apart, 1.0)]).T)
        if known:
            assert np.argsort(x).x[0].tolist() == [0, 1]
        else:
            with pytest.raises(Undecided):
                np.argsort(x)


def test_numbers_enter_as_a_kernel_reads_them() -> None:
    """Integers as numbers, flags as flags; what is subnormal as zero, where that is flushed."""
    least = FLOAT32.least_normal
    for subnormals, read in (("kept", least / 2), ("flushed", 0.0)):
        x = _exact([1.5, least, least / 2], _world(FEW, subnormals=subnormals))
        assert x.x[0].tolist() == [1.5, least, least / 2]
        assert np.all(x.x[1:] == [1.5, least, read])
    world = _world(FEW, counter="float32")
    assert Sampled.exact(np.array([1, 2]), world).x.dtype == np.float64
    assert Sampled.exact(np.array([True]), world).x.dtype == bool
    x = _exact([1.0], world)
    count, number = x.lift(Counter(2**24 + 1)), x.lift(2**24 + 1)
    assert count.host and count.format is FLOAT32 and len(np.unique(count.x[1:])) > 1
    assert number.host and number.format.name == "float64" and len(np.unique(number.x)) == 1
    assert x.lift(x) is x and not x.lift(np.array([0.1])).host


def test_an_array_in_another_shape() -> None:
    """By its sizes or by their tuple, one of which may be worked out."""
    x = _exact(np.arange(6.0), _world(FEW))
    for made in (x.reshape(2, 3), x.reshape((2, 3)), x.reshape(-1, 3), np.reshape(x, (2, 3))):
        assert made.shape == (2, 3) and made.x.shape == (FEW + 1, 2, 3)
        assert (made.ndim, made.size, len(made)) == (2, 6, 2)
    assert x.reshape(6).shape == (6,) and x.reshape(2, 3).T.shape == (3, 2)


def test_one_number_on_which_all_agree_is_one() -> None:
    """Whatever its shape; none of several, and none that strays."""
    world = _world(FEW)
    assert int(_exact([[3.0]], world)) == 3 and bool(_exact(1.0, world))
    assert not bool(_exact([0.0], world))
    for several in ([1.0, 1.0], []):
        with pytest.raises(TypeError, match="several elements"):
            int(_exact(several, world))
    for row in range(1, FEW + 1):
        rows = np.ones((FEW + 1, 1))
        rows[row] = 2.0
        with pytest.raises(Undecided):
            int(_rows(rows))
    for call in (
        lambda x: np.add(x, x, dtype=np.float64),
        lambda x: np.multiply.outer(x, x),
        lambda x: np.add.reduce(x),
    ):
        with pytest.raises(TypeError, match="is not supported on Sampled arrays"):
            call(_exact([1.0], world))
