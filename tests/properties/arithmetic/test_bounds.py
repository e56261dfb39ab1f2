"""What an error bound is after one operation, to the last bit, with the facts that go on with it.

A bound that is too narrow fails what is right, which simulated kernels show; one that is too wide
lets faults through, which nothing shows but the numbers themselves. Each is worked out here from
the units of float16: sums of powers of two, so that no order of evaluation matters.

Over 300 lines, for that is one table of numbers after another.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy.special import erfinv as special

from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.bounded import operations as op
from truestep.properties.arithmetic.bounded.elementary import erfinv
from truestep.properties.arithmetic.decision import Decision
from truestep.properties.arithmetic.formats import FORMATS
from truestep.properties.arithmetic.profiles import PROFILES, Arithmetic
from truestep.reference.silence import SILENCE

FLOAT16, HALF = PROFILES["float16"], FORMATS["float16"]
INF, NAN = np.inf, np.nan
# Of float16: u = 2^-11, eta = 2^-25, the largest number 65504; of float64, u = 2^-53.
U, ETA, MOST, DOUBLE = 2.0**-11, 2.0**-25, 65504.0, 2.0**-53


def _x(v: Any, e: Any = 0.0, arithmetic: Arithmetic = FLOAT16, **facts: Any) -> Bounded:
    values = np.asarray(v, np.float64)
    errors = np.broadcast_to(np.asarray(e, np.float64), values.shape).copy()
    for name in {"mass", "reach"} & facts.keys():
        facts[name] = np.asarray(facts[name], np.float64)
    return Bounded(values, errors, arithmetic, HALF, **facts)


def _host(v: float, e: float = 0.0, **facts: Any) -> Bounded:
    return _x(v, e, host=True, **facts)


def _facts(x: Bounded, **due: Any) -> None:
    for name, wanted in due.items():
        found = getattr(x, name)
        found = found.tolist() if isinstance(found, np.ndarray) else found
        assert found == wanted, f"{name} is {found!r}, due is {wanted!r}"


# Operands with every fact set: 4 +- 0.5 and 2 +- 1.
A = _x([4.0], [0.5], mass=[6.0], reach=[8.0], links=2, divisor=3.0, fraction=5.0, depth=7.0)
B = _x([2.0], [1.0], mass=[3.0], reach=[16.0], links=1, divisor=11.0, fraction=13.0, depth=17.0)


def test_a_sum_rounds_once_by_the_mass_of_its_chain() -> None:
    """Its factors begin anew; what roots and quotients may have multiplied goes on."""
    for out, v in ((op.add(A, B), 6.0), (op.add(A, B, -1), 2.0), (op.subtract(A, B), 2.0)):
        _facts(out, v=[v], e=[1.5 + U * (9.0 + 1.5)], mass=[9.0], reach=[9.0], links=0)
        _facts(out, fraction=65.0, divisor=1.0, depth=1.0, nonnegative=False, host=False)
        _facts(out, shrinks=None, beyond=False, hazy=None, sheer=False)


def test_a_flushed_sum_may_lose_the_least_normal_number() -> None:
    """A sum of subnormal size is exact else."""
    flushing = dataclasses.replace(FLOAT16, subnormals="flushed")
    out = op.add(_x([4.0], [0.5], flushing), _x([2.0], [1.0], flushing))
    _facts(out, e=[1.5 + U * (6.0 + 1.5) + 2.0**-14])


def test_a_sum_with_zero_is_exact_and_whole_numbers_of_the_host_up_to_1_over_u() -> None:
    """Where the other is known to be zero, and where both summands are whole and exact."""
    zeros, ones = _x([0.0, -0.0, 0.0], [0.0, 0.0, 0.25]), _x([1.5, 1.5, 1.5], [0.25, 0.0, 0.0])
    for out in (op.add(zeros, ones), op.add(ones, zeros), op.subtract(ones, zeros)):
        _facts(out, e=[0.25, 0.0, 0.25 + U * (1.5 + 0.25)])
    least = 2.0**11
    for a, b, e in (
        (least - 1, 1.0, 0.0),
        (least, 1.0, U * (least + 1)),
        (1.5, 1.5, U * 3),
        (1.0, 1.5, U * 2.5),
    ):
        _facts(op.add(_host(a), _host(b)), e=e, host=True)
    _facts(op.add(_host(2.0, 0.5), _host(1.0)), e=0.5 + U * 3.5)
    _facts(op.add(_x([2.0]), _x([1.0])), e=[U * 3], host=False)


def test_what_cannot_be_negative() -> None:
    """A sum of what cannot, a product of such or of a number with itself; a root, a quotient."""
    plus, free = _x([1.0], nonnegative=True), _x([1.0])
    for made, due in (
        (lambda a, b: op.add(a, b), [True, False, False]),
        (lambda a, b: op.subtract(a, b), [False, False, False]),
        (lambda a, b: op.multiply(a, b), [True, False, False]),
        (lambda a, b: op.divide(a, b), [True, False, False]),
        (np.maximum, [True, True, True]),
        (np.minimum, [True, False, False]),
        (lambda a, b: np.where(np.array([True]), a, b), [True, False, False]),
        (lambda a, b: np.stack([a, b]), [True, False, False]),
        (lambda a, b: np.reshape(a, (1, 1)) @ np.reshape(b, (1, 1)), [True, False, False]),
    ):
        other = dataclasses.replace(plus)
        assert [made(*x).nonnegative for x in ((plus, other), (plus, free), (free, plus))] == due
    assert op.multiply(free, free).nonnegative and op.square(free).nonnegative
    assert op.sqrt(free).nonnegative and abs(free).nonnegative and np.exp(free).nonnegative
    assert not np.log(plus).nonnegative and not (-plus).nonnegative
    for f in (np.sum, np.max, np.min, np.mean, np.sort, np.copy):
        assert f(plus).nonnegative and not f(free).nonnegative
    # Of the host: 1 - a, by the ends of both.
    one, half = _host(1.0, 0.25), _host(0.5, 0.25)
    assert op.subtract(_host(1.0), _host(1.0)).nonnegative and op.subtract(one, half).nonnegative
    assert not op.subtract(one, _host(0.5, 0.5)).nonnegative
    assert not op.subtract(_x(1.0), _x(0.5)).nonnegative


def test_the_complement_of_a_product_of_the_host_may_be_taken_apart() -> None:
    """1 - a of a product a: of the lines' own 1 alone, and with the factors' reach."""
    product = op.multiply(_host(0.5, reach=8.0), _host(-0.25))
    assert product.shrinks == 0.0
    out = op.subtract(_host(1.0), product)
    _facts(out, shrinks=0.125, reach=8.0)
    assert op.subtract(_host(2.0), product).shrinks is None
    assert op.subtract(_host(1.0), _host(0.5)).shrinks is None
    assert op.add(_host(1.0), product).shrinks is None
    assert op.subtract(_x(1.0), dataclasses.replace(product, host=False)).shrinks is None
    assert op.multiply(_x([1.0]), _host(0.5)).shrinks is None


@pytest.mark.parametrize("turned", [False, True])
def test_what_may_be_taken_apart_errs_as_the_difference_does(turned: bool) -> None:
    """x - a x: of the product and of the constant by a roundoff each, of the sum by another."""
    factor, x = _host(0.75, shrinks=0.25), _x([4.0], [0.5], links=1)
    out = op.multiply(*((x, factor) if turned else (factor, x)))
    far, share = 4.5, 0.25
    apart = 0.75 * 0.5 + 2 * U * share * far
    e = apart + U * (3.0 + apart) + 2 * ETA * 4.0
    _facts(out, v=[3.0], e=[e], mass=[1.25 * far], shrinks=None)
    # 1 - a = 0: the two terms cancel, with an error of their size.
    gone = op.multiply(_host(0.0, shrinks=1.0), x)
    _facts(gone, v=[0.0], e=[2 * U * far + U * 2 * U * far + 2 * ETA * 4.0], mass=[2 * far])
    # With another number of the host it is a product as any other.
    scalar = op.multiply(factor, _host(3.0))
    _facts(scalar, e=U * 2.25 + ETA * 3.0, mass=2.25, shrinks=0.0)


def test_a_product_rounds_once_and_every_link_may_underflow() -> None:
    """What it loses there is multiplied by all that the chain holds; a host's share divides."""
    out = op.multiply(A, B)
    e = 4.0 * 1.0 + 2.0 * 0.5 + 0.5 * 1.0
    _facts(out, v=[8.0], e=[e + U * (8.0 + e) + 4 * ETA * 128.0 * 119.0], mass=[8.0])
    _facts(out, reach=[128.0], links=4, divisor=33.0, fraction=65.0, depth=119.0, sheer=False)
    for share, divisor in ((0.25, 4.0), (-0.25, 4.0), (1.0, 1.0), (1.5, 1.0), (0.0, 1.0)):
        assert op.multiply(_x([3.0]), _host(share)).divisor == divisor
        assert op.multiply(_host(share), _x([3.0])).divisor == divisor
    assert op.multiply(_x([3.0]), _x([0.25])).divisor == 1.0
    assert op.multiply(_host(0.5), _host(0.25)).divisor == 8.0


def test_a_power_of_two_does_not_round_and_from_one_on_does_not_underflow() -> None:
    """As a number of the host, known for certain."""
    x = _x([3.0], [0.5])
    for two in (4.0, -4.0, 1.0):
        e = abs(two) * 0.5
        _facts(op.multiply(x, _host(two)), e=[e])
        _facts(op.multiply(_host(two), x), e=[e])
    _facts(op.multiply(x, _host(0.25)), e=[0.125 + ETA * 3.0])
    _facts(op.multiply(_host(0.25), x), e=[0.125 + ETA * 3.0])
    _facts(op.multiply(x, _x([4.0])), e=[2.0 + U * 14.0 + ETA * 12.0])
    _facts(op.divide(x, _host(0.25)), e=[2.0])
    _facts(op.divide(x, _host(1.0)), e=[0.5])
    _facts(op.divide(x, _host(4.0)), e=[0.125 + ETA * 3.0])
    _facts(op.divide(x, _x([4.0])), e=[0.125 + U * 0.875 + ETA * 3.0])


def test_a_quotient_by_the_ends_of_its_divisor() -> None:
    """Its reach is by what the divisor may be at least, and by the scalars in it."""
    e = 0.5 + 2.0 * 1.0
    out = op.divide(A, B)
    _facts(out, v=[2.0], e=[e + U * (2.0 + e) + 5 * ETA * 88.0 * 91.0], mass=[2.0])
    _facts(out, reach=[88.0], links=5, divisor=3.0, fraction=5.0, depth=91.0, hazy=None)
    small = dataclasses.replace(B, v=np.array([0.5]), e=np.array([0.25]), fraction=1.0)
    e = (0.5 + 8.0 * 0.25) / 0.25
    _facts(op.divide(A, small), v=[8.0], e=[e + U * (8.0 + e) + 4 * ETA * 352.0 * 7.0])
    _facts(op.divide(A, small), reach=[352.0], links=4, depth=7.0)
    _facts(op.divide(A, dataclasses.replace(small, fraction=1.5)), links=5, depth=10.5)
    rough = dataclasses.replace(FLOAT16, ulps_division=2.0)
    e = 2.0 * 1.0
    out = op.divide(_x([4.0], 0.0, rough), _x([2.0], 1.0, rough))
    _facts(out, e=[e + 4 * U * (2.0 + e) + 4 * ETA * 4.0])


def test_a_scalar_divisor_may_multiply_elsewhere() -> None:
    """From 1 on what is divided again, below 1 what is under a root or beside a sum."""
    for c, divisor, fraction in (
        (4.0, 12.0, 5.0), (-4.0, 12.0, 5.0), (1.0, 3.0, 5.0), (0.25, 3.0, 20.0), (-0.25, 3.0, 20.0),
        (1.5, 4.5, 5.0),
    ):  # fmt: skip
        _facts(op.divide(A, _host(c)), divisor=divisor, fraction=fraction)
    # A tensor of no axes is no number of the host.
    _facts(op.divide(_x(3.0, divisor=3.0, fraction=5.0), _x(0.25)), divisor=3.0, fraction=5.0)
    _facts(op.divide(_x(3.0, divisor=3.0), _x(4.0)), divisor=12.0)
    with SILENCE:
        assert op.divide(A, _host(0.0)).fraction == 5.0


def test_a_root_by_the_ends_of_its_interval() -> None:
    """Farther below than above; twice the declared ulps in roundoffs."""
    x = _x([4.0, 4.0], [2.25, 0.0], fraction=25.0)
    low = 2.0 - np.sqrt(1.75)
    _facts(op.sqrt(x), v=[2.0, 2.0], e=[low + U * (2.0 + low), U * 2.0], fraction=5.0)
    _facts(op.sqrt(x), mass=[2.0, 2.0], reach=[2.0, 2.0], links=0, host=False)
    rough = dataclasses.replace(FLOAT16, ulps_sqrt=2.0)
    _facts(op.sqrt(_x([4.0], 0.0, rough)), e=[4 * U * 2.0])
    # Of what cannot be negative, down to zero; of a small number, more above than below.
    wide = _x([0.25, 0.25], [2.0, 0.5], nonnegative=True)
    up = np.sqrt(2.25) - 0.5
    _facts(op.sqrt(wide), e=[up + U * (0.5 + up), 0.5 + U * (0.5 + 0.5)])


def test_a_power_by_the_ends_of_both_intervals() -> None:
    """Of an exact exponent by the base's; of an open one by the larger logarithm too."""
    base, two = _x([4.0], [2.0]), _x([2.0])
    e = 36.0 - 16.0
    _facts(op.power(base, two), v=[16.0], e=[e + 2 * U * (16.0 + e) + 2 * ETA], mass=[16.0])
    inverse = _x([-1.0])
    e = 0.5 - 0.25
    _facts(op.power(base, inverse), v=[0.25], e=[e + 2 * U * (0.25 + e) + 2 * ETA])
    rough = dataclasses.replace(FLOAT16, ulps_power=4.0)
    _facts(op.power(_x([4.0], 0.0, rough), _x([2.0], 0.0, rough)), e=[8 * U * 16.0 + 8 * ETA])
    open_ = op.power(base, _x([2.0], [0.125]))
    e = 20.0 + (16.0 + 20.0) * np.expm1(np.log(6.0) * 0.125)
    _facts(open_, e=[e + 2 * U * (16.0 + e) + 2 * ETA])
    small = op.power(_x([0.5], [0.25]), _x([2.0], [0.125]))
    e = 0.5625 - 0.25
    e += (0.25 + e) * np.expm1(-np.log(0.25) * 0.125)
    _facts(small, e=[e + 2 * U * (0.25 + e) + 2 * ETA])
    # The host's exponent is rounded as it enters.
    host = op.power(base, Bounded.hyper(0.3, FLOAT16))
    assert host.e.tolist() == op.power(base, _x([0.3], [U * 0.3 + ETA])).e.tolist()
    # Of the elements beside it the exponent is exact.
    both = op.power(_x([4.0, 4.0], 2.0), _x([2.0, 2.0], [0.0, 0.125]))
    assert both.e[0] == op.power(base, two).e[0] and both.e[1] == open_.e[0]
    with SILENCE:
        from_zero = _x([1.0, 4.0], 2.0, nonnegative=True)
        assert op.power(from_zero, _x([0.5, 2.0], [0.0, 0.125])).e[0] < 2


# Of a power: base, its error, exponent, its error, whether the base cannot be negative; the bound.
POWERS = [
    (0.0, 0.0, 2.0, 0.0, False, 0.0),
    (0.0, 0.0, 0.5, 0.25, False, 0.0),
    (0.0, 0.0, 0.5, 0.5, True, INF),
    (0.0, 0.0, -1.0, 0.0, False, INF),
    (5.0, 0.0, 0.0, 0.0, False, 0.0),
    (1.0, 0.0, 0.5, 0.25, False, 0.0),
    (1.0, 0.25, 0.5, 0.0, False, None),
    (3.0, 0.5, 1.0, 0.0, False, 0.5),
    (3.0, 0.5, 1.0, 0.25, False, None),
    (-3.0, 0.5, 1.0, 0.0, False, 0.5),
    (-3.0, 0.5, 3.0, 0.0, False, None),
    (-3.0, 0.5, 0.5, 0.0, False, INF),
    (-3.0, 0.5, 3.0, 0.25, False, INF),
    (1.0, 2.0, 0.5, 0.0, False, INF),
    (1.0, 2.0, 0.5, 0.0, True, None),
    (1.0, 1.0, 0.5, 0.0, False, None),
    (1.0, 1.0, -1.0, 0.0, False, INF),
    (1.0, 1.0, -1.0, 0.0, True, INF),
    (1.0, 2.0, -0.5, 0.0, True, INF),
    (1.0, 2.0, 0.0, 0.0, True, 0.0),
    (1.0, 2.0, 0.0, 0.25, True, INF),
    (0.0, 0.0, 0.0, 0.25, True, INF),
    (0.0, 0.5, -1.0, 0.0, True, INF),
    (0.0, 0.5, 2.0, 0.0, False, None),
    (-1.0, 1.0, -1.0, 0.0, False, INF),
    (1.0, 0.5, -1.0, 0.0, False, None),
    (-1.0, 0.5, -1.0, 0.0, False, None),
    (NAN, 0.0, 2.0, 0.0, False, 0.0),
    (2.0, 0.0, NAN, 0.0, False, 0.0),
    (NAN, INF, 2.0, 0.0, False, INF),
]


@pytest.mark.parametrize(("v", "e", "exponent", "error", "nonnegative", "due"), POWERS)
def test_where_a_power_is_exact_or_unknown(
    v: float, e: float, exponent: float, error: float, nonnegative: bool, due: float | None
) -> None:
    """None: it rounds, and is known."""
    with SILENCE:
        found = op.power(_x([v], [e], nonnegative=nonnegative), _x([exponent], [error]))
    assert float(found.e[0]) == due if due is not None else 0 < found.e[0] < INF


def test_the_first_power_is_the_number_where_one_ulp_is_declared() -> None:
    """Beyond one ulp a kernel's may be another."""
    rough = dataclasses.replace(FLOAT16, ulps_power=2.0)
    _facts(op.power(_x([3.0], 0.0), _x([1.0], 0.0)), e=[0.0])
    _facts(op.power(_x([3.0], 0.0, rough), _x([1.0], 0.0, rough)), e=[4 * U * 3.0 + 4 * ETA])


# Of an operation of two numbers with errors: the bound, None for one that is finite and not zero.
SPECIAL = {
    op.add: [
        (INF, 0.0, 1.0, 0.5, 0.0), (1.0, 0.5, INF, 0.0, 0.0), (INF, 0.0, 1.0, INF, INF),
        (1.0, INF, INF, 0.0, INF), (INF, 0.0, INF, 0.0, 0.0), (INF, 0.0, -INF, 0.0, INF),
        (NAN, 0.0, 1.0, INF, 0.0), (1.0, 0.0, NAN, 0.0, 0.0), (INF, INF, 1.0, 0.0, INF),
        (INF, 0.0, INF, INF, INF), (INF, INF, INF, 0.0, INF), (MOST, 0.0, 64.0, 0.0, INF),
    ],
    op.multiply: [
        (INF, 0.0, 2.0, 1.0, 0.0), (2.0, 1.0, INF, 0.0, 0.0), (INF, 0.0, 2.0, 2.0, INF),
        (2.0, 2.0, INF, 0.0, INF), (INF, 0.0, NAN, 0.0, 0.0), (INF, 0.0, 0.0, 0.0, INF),
        (0.0, 0.0, 3.0, 1.0, 0.0), (3.0, 1.0, -0.0, 0.0, 0.0), (0.0, 0.0, 1.0, INF, INF),
        (1.0, INF, 0.0, 0.0, INF), (0.0, 0.5, 3.0, 0.0, None), (256.0, 0.0, 256.0, 0.0, INF),
        (INF, INF, 2.0, 0.0, INF), (0.0, 0.0, INF, 0.0, INF),
    ],
    op.divide: [
        (0.0, 0.0, 0.0, 0.0, 0.0), (1.0, 0.5, 0.0, 0.0, 0.0), (1.0, 1.0, 0.0, 0.0, INF),
        (INF, 0.0, 2.0, 1.0, 0.0), (INF, 0.0, 2.0, 2.0, INF), (INF, 0.0, INF, 0.0, 0.0),
        (NAN, 0.0, 1.0, 0.0, 0.0), (1.0, 0.0, NAN, 0.0, 0.0), (1.0, 0.0, INF, 0.0, INF),
        (0.0, 0.0, 2.0, 1.0, 0.0), (0.0, 0.0, 2.0, 2.0, INF), (1.0, 0.5, 2.0, 2.0, INF),
        (1.0, 0.0, 0.0, 0.5, INF), (1.0, 0.0, 2.0**-16, 0.0, INF), (INF, 0.0, 1.0, INF, INF),
        (INF, INF, 1.0, 0.0, INF), (1.0, 0.5, 2.0, 1.0, None), (MOST, 0.0, 0.5, 0.0, INF),
    ],
    np.maximum: [
        (1.0, 0.5, 2.0, 0.25, 0.25), (2.0, 0.25, 1.0, 2.0, 1.0), (1.0, 0.0, 1.0, 0.5, 0.5),
        (INF, 0.0, 1.0, INF, 0.0), (-INF, 0.0, 1.0, 0.5, INF), (NAN, 0.0, 1.0, 0.0, 0.0),
        (1.0, INF, 2.0, 0.0, INF), (INF, 0.0, NAN, 0.0, 0.0), (-INF, 0.0, -INF, 0.0, 0.0),
        (INF, INF, 1.0, 0.0, INF), (1.0, 0.5, 3.0, 0.0, 0.0),
    ],
    np.minimum: [
        (1.0, 0.5, 2.0, 0.25, 0.5), (2.0, 0.25, 1.0, 2.0, 2.0), (-INF, 0.0, 1.0, INF, 0.0),
        (INF, 0.0, 1.0, 0.5, INF), (NAN, 0.0, 1.0, 0.0, 0.0), (INF, 0.0, INF, 0.0, 0.0),
        (1.0, 0.0, 3.0, 0.5, 0.0), (3.0, 0.5, 1.0, 0.0, 0.0),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "case"), [(f, case) for f, cases in SPECIAL.items() for case in cases]
)
def test_what_is_certain_of_an_operation(operation: Any, case: tuple[Any, ...]) -> None:
    """Beside a usual element and alone: none hangs on what stands beside it."""
    a_v, a_e, b_v, b_e, due = case
    with SILENCE:
        alone = operation(_x([a_v], [a_e]), _x([b_v], [b_e])).e.tolist()
        beside = operation(_x([1.5, a_v], [0.0, a_e]), _x([1.5, b_v], [0.0, b_e])).e.tolist()
    assert alone == beside[1:] and beside[0] < 1
    assert alone == [due] if due is not None else 0 < alone[0] < INF


ROOTS = [
    (NAN, 0.0, 0.0), (INF, 0.0, 0.0), (-INF, 0.0, 0.0), (-1.0, 0.5, 0.0), (-1.0, 1.0, INF),
    (1.0, 2.0, INF), (0.0, 0.0, 0.0), (1.0, 1.0, None), (INF, INF, INF), (-1.0, 2.0, INF),
]  # fmt: skip
SIGNS = [
    (2.0, 1.0, 0.0), (-2.0, 1.0, 0.0), (2.0, 2.0, 1.0), (2.0, 3.0, 2.0), (-2.0, 3.0, 2.0),
    (-2.0, 2.0, 1.0), (0.0, 0.0, 0.0), (0.0, 1.0, 1.0), (NAN, 0.0, 0.0), (INF, 0.0, INF),
    (1.0, INF, 2.0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("function", "case"), [(np.sqrt, case) for case in ROOTS] + [(np.sign, case) for case in SIGNS]
)
def test_what_is_certain_of_a_function(function: Any, case: tuple[Any, ...]) -> None:
    """By its argument's error: a certain infinity that was computed may be a nan."""
    v, e, due = case
    with SILENCE:
        alone = function(_x([v], [e])).e.tolist()
        beside = function(_x([1.5, v], [0.0, e])).e.tolist()
    assert alone == beside[1:] and beside[0] < 1
    assert alone == [due] if due is not None else 0 < alone[0] < INF


def test_a_given_infinity_has_a_sign_and_is_chosen_or_not() -> None:
    """It is none in no order; the result of a choice between such is given again."""
    x, one = _x([INF, -INF], given=True), _x([1.0, 1.0], given=True)
    _facts(np.sign(x), e=[0.0, 0.0])
    out = np.maximum(x, one)
    _facts(out, v=[INF, 1.0], e=[0.0, 0.0], given=True)
    _facts(np.maximum(_x([-INF, 1.0]), one), e=[INF, 0.0], given=False)


def test_a_coefficient_of_the_host_that_is_zero_leaves_a_term_out() -> None:
    """Not one that may be something else, nor two tensors, nor two numbers of the host."""
    for x in (INF, NAN):
        for turned in (False, True):
            pairs = [(_host(0.0), _x([x])), (_host(0.0, 0.5), _x([x])), (_x([0.0]), _x([x]))]
            with SILENCE:
                found = [op.multiply(*(pair[::-1] if turned else pair)).e[0] for pair in pairs]
            nan = 0.0 if np.isnan(x) else INF
            assert found == [INF, nan, nan]
    with SILENCE:
        assert float(op.multiply(_host(0.0), _host(NAN)).e) == 0.0


def test_a_number_over_an_infinity_is_zero_where_that_is_none_for_certain() -> None:
    """Else zero or a nan, unless its numerator may have overflowed before."""
    one = _x([1.0, 1.0], [0.5, 0.0])
    for facts in ({"given": True}, {"sheer": True}):
        _facts(op.divide(one, _x([INF, 2.0], **facts)), e=[0.0, U * 0.5 + ETA], hazy=None)
    out = op.divide(one, _x([INF, 2.0]))
    _facts(out, e=[INF, U * 0.5 + ETA], hazy=[0.0, INF])
    far = _x([1.0, 1.0], [0.5, 0.0], reach=[2 * MOST, 1.0])
    _facts(op.divide(far, _x([INF, 2.0])), hazy=None)
    _facts(op.divide(far, _x([INF, 2.0], given=True)), e=[INF, U * 0.5 + ETA])
    unknown = _x([1.0, 1.0], [INF, 0.0])
    with SILENCE:
        _facts(op.divide(unknown, _x([INF, 2.0])), e=[INF, U * 0.5 + ETA], hazy=None)


def test_an_infinity_that_is_one_in_every_order() -> None:
    """Sums and roots of such, and products of tensors; not what the host weighs in an average."""
    given, sheer, computed = _x([1.0], given=True), _x([1.0], sheer=True), _x([1.0])
    plus = [dataclasses.replace(x, nonnegative=True) for x in (given, sheer, computed)]
    for x, of in zip(plus, (True, True, False), strict=True):
        assert op.add(x, plus[0]).sheer is of and op.add(plus[1], x).sheer is of
        assert op.multiply(x, plus[0]).sheer is of and op.multiply(plus[1], x).sheer is of
        assert op.square(x).sheer is of and op.sqrt(x).sheer is of
        assert np.sum(x).sheer is of and np.max(x).sheer is of
        assert np.where(np.array([True]), x, plus[0]).sheer is of
        assert np.copy(x).sheer is (x is plus[1])
    host = _host(2.0, nonnegative=True)
    assert op.add(plus[0], host).sheer and not op.multiply(plus[0], host).sheer
    assert not op.multiply(host, plus[0]).sheer and not op.add(given, plus[0]).sheer
    assert not op.subtract(plus[0], plus[1]).sheer and not np.sum(given).sheer
    assert np.where(np.array([True]), given, _host(1.0)).sheer


def test_a_number_of_the_host_is_one_only_of_such() -> None:
    """Of the operations of two, where both are."""
    one, x = _host(1.5), _x(1.5)
    for f in (op.add, op.subtract, op.multiply, op.divide, op.power, np.maximum, np.minimum):
        assert [f(*p).host for p in ((one, _host(2.0)), (one, x), (x, one))] == [True, False, False]
    for f in (np.sqrt, np.exp, np.abs, np.negative, np.sign, np.copy):
        assert f(one).host and not f(x).host


SUMS = {
    "float64": (1, 3 * DOUBLE),
    "pairwise": (2, 0.0),
    "sequential": (2, 0.0),
    "tensor_core": (2, 0.0),
}


@pytest.mark.parametrize("summation", SUMS)
def test_a_sum_over_axes_meets_the_roundings_of_its_order(summation: str) -> None:
    """By the mass of the terms, each with as many as the order gives; float64 beside them."""
    roundings, beside = SUMS[summation]
    arithmetic = dataclasses.replace(FLOAT16, summation=summation)
    x = _x([[4.0, 2.0, -1.0], [1.0, 0.0, 2.0]], 0.5, arithmetic)
    x.mass = x.mass + 1.0
    row, column = np.sum(x, axis=1), np.sum(x, axis=0, keepdims=True)
    for i, (v, mass) in enumerate(((5.0, 10.0), (3.0, 6.0))):
        e = 1.5 + roundings * U * (mass + 1.5)
        assert (row.v[i], row.mass[i]) == (v, mass)
        assert row.e[i] == e + beside * (mass + e)
    assert column.shape == (1, 3) and column.mass.tolist() == [[7.0, 4.0, 5.0]]
    e = 1.0 + U * (7.0 + 1.0)
    beside = 2 * DOUBLE if beside else 0.0
    assert column.e[0, 0] == e + beside * (7.0 + e)
    _facts(row, nonnegative=False, host=False, links=0)
    # One error and one mass may stand for all.
    alike = np.sum(Bounded(np.ones(3), np.asarray(0.5), arithmetic, HALF, mass=np.asarray(2.0)))
    e = 1.5 + roundings * U * 7.5
    assert alike.e == e + SUMS[summation][1] * (6.0 + e)
    one = np.sum(x[:1, :1])
    assert one.e == 0.5 + (0.0 if summation != "float64" else DOUBLE * 5.5)


def test_a_mean_is_the_sum_over_the_number_of_its_terms() -> None:
    """Of an axis, or of all."""
    x = _x([[4.0, 2.0], [1.0, 2.0], [3.0, 4.0]], 0.5)
    for mean, total, n in (
        (np.mean(x, axis=0), np.sum(x, axis=0), 3),
        (np.mean(x, axis=1, keepdims=True), np.sum(x, axis=1, keepdims=True), 2),
        (np.mean(x), np.sum(x), 6),
    ):
        due = total / n
        assert mean.v.tolist() == due.v.tolist() and mean.e.tolist() == due.e.tolist()


def test_a_norm_is_the_root_of_the_sum_of_squares() -> None:
    """Of all elements, or over an axis; it cannot be negative."""
    x = _x([[4.0, 2.0], [1.0, 2.0]], 0.25)
    for kept in ({}, {"axis": 1}, {"axis": 0, "keepdims": True}):
        found, due = np.linalg.norm(x, **kept), np.sqrt(np.sum(x * x, **kept))
        assert (found.v.tolist(), found.e.tolist()) == (due.v.tolist(), due.e.tolist())
        assert found.nonnegative


REDUCED = [
    (np.sum, [(1.0, 0.5), (NAN, 0.0)], 0.0),
    (np.sum, [(1.0, INF), (NAN, 0.0)], 0.0),
    (np.sum, [(1.0, 0.5), (INF, 0.0)], 0.0),
    (np.sum, [(INF, 0.0), (INF, 0.0)], 0.0),
    (np.sum, [(INF, 0.0), (-INF, 0.0)], INF),
    (np.sum, [(1.0, INF), (INF, 0.0)], INF),
    (np.sum, [(INF, INF), (INF, 0.0)], INF),
    (np.sum, [(MOST, 0.0), (64.0, 0.0)], INF),
    (np.max, [(1.0, 0.5), (2.0, 0.25)], 0.25),
    (np.max, [(1.0, 2.0), (2.0, 0.25)], 1.0),
    (np.max, [(1.0, 0.0), (1.0, 0.5)], 0.5),
    (np.max, [(1.0, 0.5), (NAN, 0.0)], 0.0),
    (np.max, [(1.0, 0.5), (NAN, INF)], INF),
    (np.max, [(1.0, 0.5), (INF, 0.0)], 0.0),
    (np.max, [(1.0, INF), (INF, 0.0)], 0.0),
    (np.max, [(-INF, 0.0), (-INF, 0.0)], 0.0),
    (np.max, [(1.0, INF), (2.0, 0.0)], INF),
    (np.min, [(1.0, 0.5), (2.0, 0.25)], 0.5),
    (np.min, [(1.0, 0.25), (2.0, 2.0)], 1.0),
    (np.min, [(1.0, 0.5), (-INF, 0.0)], 0.0),
    (np.sort, [(1.0, 0.25), (2.0, 0.5)], 0.25),
    (np.sort, [(-INF, 0.0), (2.0, 0.5)], 0.0),
    (np.sort, [(-INF, 0.0), (-INF, 0.0)], 0.0),
    (np.sort, [(-INF, INF), (2.0, 0.5)], INF),
    (np.sort, [(NAN, 0.0), (NAN, 0.0)], 0.0),
    (np.sort, [(NAN, INF), (NAN, 0.0)], INF),
]


@pytest.mark.parametrize(("reduce", "terms", "due"), REDUCED)
def test_what_is_certain_of_a_reduction(
    reduce: Any, terms: list[tuple[float, float]], due: float
) -> None:
    """Of a column as of a row beside another, in either order of the terms."""
    v, e = (np.array(x) for x in zip(*terms, strict=True))
    for turned in (slice(None), slice(None, None, -1)):
        x, y = np.array([[1.5, 1.25], v[turned]]), np.array([[0.0, 0.0], e[turned]])
        with SILENCE:
            row = reduce(_x(x, y), axis=1).e
            column = reduce(_x(x.T, y.T), axis=0).e
        found = [row[1], column.T[1]]
        assert [np.atleast_1d(f)[0] for f in found] == [due, due]
        assert np.max(row[0]) < 1


def test_extrema_of_a_tensor_keep_what_is_known_of_its_elements() -> None:
    """A largest of what is beyond the range is; a smallest may not be."""
    x = _x([1.0, 2.0], given=True)
    assert np.max(x).sheer and np.min(x).sheer and not np.max(_x([1.0])).sheer
    x.beyond = np.array([False, True])
    _facts(np.max(x), beyond=True)
    _facts(np.min(x), beyond=False)
    x.beyond = np.array([False, False])
    _facts(np.max(x), beyond=False)


def test_a_choice_keeps_the_facts_of_what_is_chosen() -> None:
    """And of both where it is open: the hull, the larger mass and reach."""
    a = _x([4.0, 4.0, 4.0], [0.5, 0.5, 0.5], mass=[6.0] * 3, reach=[8.0] * 3, links=2)
    b = _x([2.0, 2.0, 5.0], [1.0, 1.0, 1.0], mass=[3.0, 3.0, 9.0], reach=[4.0, 4.0, 16.0], links=1)
    chosen = Decision(np.array([True, False, True]), np.array([False, False, False]))
    out = np.where(chosen, a, b)
    _facts(out, v=[4.0, 2.0, 4.0], e=[0.5, 1.0, 0.5], mass=[6.0, 3.0, 6.0], reach=[8.0, 4.0, 8.0])
    _facts(out, links=2, host=False)
    open_ = Decision(np.array([True, False, True]), np.array([True, True, True]))
    for x, y, c in ((a, b, open_), (b, a, Decision(~open_.yes, open_.open))):
        out = np.where(c, x, y)
        _facts(out, v=[4.0, 2.0, 4.0], e=[3.0, 2.5, 2.0], mass=[6.0, 6.0, 9.0], links=2)
        _facts(out, reach=[8.0, 8.0, 16.0])
    one = Decision(np.array(True), np.array(True))
    for e, due in ((0.0, 0.0), (0.5, 0.5)):
        assert float(np.where(one, _x(2.0), _x(2.0, e)).e) == due
        assert float(np.where(one, _x(2.0, e), _x(2.0)).e) == due
    with SILENCE:
        assert float(np.where(one, _x(NAN), _x(2.0)).e) == INF
    assert np.where(True, _host(1.0), _host(2.0)).host
    assert not np.where(np.array([True]), _host(1.0), _host(2.0)).host
    assert not np.where(True, _x(1.0), _host(2.0)).host
    # The host's number takes the format of the tensor's.
    assert float(np.where(np.array([False]), _x([1.0]), 1.1).e[0]) == U * 1.1 + ETA
    assert np.where(np.array([False, True]), _x([1.0, 1.0]), 2.0).v.tolist() == [2.0, 1.0]


def test_what_is_joined_keeps_the_facts_of_its_parts() -> None:
    """The most links; hazy where any part is, and of plain arrays what entering them costs."""
    a = _x([4.0], [0.5], mass=[6.0], reach=[8.0], links=2)
    for out in (np.concatenate([a, np.array([1.1])]), np.stack([a, np.array([1.1])])[:, 0]):
        _facts(out, v=[4.0, 1.1], e=[0.5, U * 1.1 + ETA], mass=[6.0, 1.1], reach=[8.0, 1.1])
        _facts(out, links=2, hazy=None)
    square = np.reshape(_x([1.0, 2.0, 3.0, 4.0]), (2, 2))
    assert np.concatenate([square, square]).shape == (4, 2)
    assert np.stack([square, square, square]).shape == (3, 2, 2)
    hazy = dataclasses.replace(a, hazy=np.array([0.5]))
    _facts(np.concatenate([a, hazy]), hazy=[INF, 0.5])
    _facts(np.stack([hazy, a], axis=1), hazy=[[0.5, INF]])
    _facts(np.reshape(hazy, (1, 1)), hazy=[[0.5]], links=2, mass=[[6.0]], reach=[[8.0]])
    _facts(np.zeros_like(a), v=[0.0], e=[0.0])
    _facts(np.ones_like(a), v=[1.0], e=[0.0], given=True)


def test_a_limit_is_the_maximum_and_the_minimum() -> None:
    """Of those that are given."""
    x = _x([1.0, 3.0], [0.5, 0.25])
    _facts(np.clip(x, 1.25, 3.125), v=[1.25, 3.0], e=[0.25, 0.25])
    _facts(np.clip(x, 1.25, None), v=[1.25, 3.0], e=[0.25, 0.25])
    _facts(np.clip(x, None, 2.0), v=[1.0, 2.0], e=[0.5, 0.0])


PRODUCTS = {"float64": (1, 3 * DOUBLE), "pairwise": (2, 0.0), "sequential": (2, 0.0)}


@pytest.mark.parametrize("summation", PRODUCTS)
def test_a_product_of_matrices_errs_as_its_products_and_their_sum(summation: str) -> None:
    """By the mass of the terms as large as they may be; each product may underflow."""
    additions, beside = PRODUCTS[summation]
    arithmetic = dataclasses.replace(FLOAT16, summation=summation)
    a = _x([[4.0, 2.0, -1.0], [0.0, 0.0, 0.0]], [[0.5] * 3, [0.0] * 3], arithmetic)
    b = _x([[1.0], [-2.0], [2.0]], 0.25, arithmetic)
    out = a @ b
    mass = 4.5 * 1.25 + 2.5 * 2.25 + 1.5 * 2.25
    e = 7.0 * 0.25 + 0.5 * 5.0 + 3 * 0.125
    e += (1 + additions) * U * mass + beside * mass + 3 * ETA
    _facts(out, v=[[-2.0], [0.0]], e=[[e], [0.0]], mass=[[mass], [0.0]], host=False)


def test_a_tensor_core_rounds_its_factors_first() -> None:
    """To its narrow format, of bfloat16's unit."""
    arithmetic = dataclasses.replace(FLOAT16, summation="tensor_core")
    out = _x([[4.0]], [[0.5]], arithmetic) @ _x([[2.0]], [[0.25]], arithmetic)
    narrow = FORMATS["bfloat16"]
    ea = 0.5 + 2.0**-8 * 4.5 + narrow.eta
    eb = 0.25 + 2.0**-8 * 2.25 + narrow.eta
    mass = (4.0 + ea) * (2.0 + eb)
    assert out.e[0, 0] == 4.0 * eb + ea * 2.0 + ea * eb + U * mass + ETA
    # At the bottom of its narrow format a factor loses a unit.
    arithmetic = dataclasses.replace(arithmetic, input_format="float16")
    out = _x([[1.0]], 0.0, arithmetic) @ _x([[0.0]], 0.0, arithmetic)
    ea, eb = U + ETA, ETA
    assert out.e[0, 0] == eb + ea * eb + U * (1.0 + ea) * eb + ETA


def test_products_of_stacked_matrices_have_as_many_terms_as_their_last_axis() -> None:
    """Not as their second."""
    a, b = _x([[4.0, 2.0, 1.0]], 0.5), _x([[1.0], [2.0], [2.0]], 0.25)
    stacked = np.reshape(a, (1, 1, 3)) @ np.reshape(b, (1, 3, 1))
    assert stacked.e.tolist() == [(a @ b).e.tolist()]


def test_a_nan_in_a_product_of_matrices_is_certain() -> None:
    """Where no other term is unknown."""
    x = np.array([[1.0, NAN], [1.0, 2.0], [1.0, NAN]])
    e = np.array([[0.0, 0.0], [0.0, 0.0], [INF, 0.0]])
    with SILENCE:
        out = _x(x, e) @ _x([[1.0], [1.0]])
    assert np.isnan(out.v[0, 0]) and out.e[2, 0] == INF and 0 < out.e[1, 0] < 1


E1 = float(np.expm1(0.5))
SMOOTH = [
    (np.exp, 1.0, 0.5, np.e * E1),
    (np.log, 4.0, 2.0, float(np.log1p(2.0 / 2.0))),
    (np.cos, 1.0, 0.5, 0.5),
    (np.sin, 1.0, 4.0, 2.0),
    (np.tanh, 1.0, 0.5, 0.5),
    # Flat far from zero; of an interval around zero by the slope there.
    (np.arctan, 16.0, 8.0, float(np.arctan(8.0 / 129.0))),
    (np.arctan, -16.0, 8.0, float(np.arctan(8.0 / 129.0))),
    (np.arctan, 0.25, 0.5, 0.5),
    (np.arctan, 1.0, 8.0, float(np.pi)),
]


@pytest.mark.parametrize(("function", "v", "e", "spread"), SMOOTH)
@pytest.mark.parametrize("ulps", [1.0, 4.0])
def test_an_elementary_function_errs_by_its_slope_and_its_ulps(
    function: Any, v: float, e: float, spread: float, ulps: float
) -> None:
    """Twice as many roundoffs, and as many units at the bottom less one."""
    arithmetic = dataclasses.replace(FLOAT16, ulps_function=ulps)
    for error, moved in ((0.0, 0.0), (e, spread)):
        found = function(_x([v], [error], arithmetic))
        y = float(function(np.float64(v)))
        assert found.e[0] == moved + 2 * ulps * U * (abs(y) + moved) + 2 * ulps * ETA
        assert (found.v[0], found.mass[0], found.links) == (y, abs(y), 0)


def test_the_inverse_of_the_error_function_grows_steeper_outwards() -> None:
    """By the slope at the farther end; from 1 on nothing is known."""
    for v, e in ((0.5, 0.25), (-0.5, 0.25), (0.5, 0.0)):
        found = erfinv(_x([v], [e]))
        end = float(special(0.5 + e))
        moved = e * float(np.exp(end * end)) if e else 0.0
        y = abs(float(special(v)))
        assert found.e[0] == moved + 2 * U * (y + moved) + 2 * ETA
    with SILENCE:
        assert erfinv(_x([0.5, -0.75, 0.5], [0.5, 0.25, 0.75])).e.tolist() == [INF, INF, INF]


@pytest.mark.parametrize(
    ("function", "v", "e", "due"),
    [
        (np.arctan, 0.0, 0.0, 0.0),
        (np.arctan, NAN, 0.0, 0.0),
        (np.arctan, INF, 0.0, None),
        (np.arctan, 1.0, INF, INF),
        (np.exp, 0.0, 0.0, 0.0),
        (np.exp, 0.0, 0.5, None),
        (np.exp, -INF, 0.0, 0.0),
        (np.exp, 12.0, 0.0, INF),
        (np.log, 1.0, 0.0, 0.0),
        (np.log, 1.0, 0.5, None),
        (np.log, 1.0, 1.0, INF),
        (np.log, 0.0, 0.0, INF),
        (np.log, NAN, 0.0, 0.0),
        (np.sin, 0.0, 0.0, 0.0),
        (np.tanh, NAN, 0.0, 0.0),
        (np.tanh, 0.0, 0.5, None),
        (np.tanh, 1.0, INF, None),
        (np.tanh, NAN, INF, INF),
    ],
)
def test_where_an_elementary_function_is_exact_or_unknown(
    function: Any, v: float, e: float, due: float | None
) -> None:
    """At 0 and 1 a kernel gives them back; beyond the domain or the range nothing is known."""
    with SILENCE:
        found = function(_x([v], [e])).e[0]
    assert found == due if due is not None else 0 < found < 3


# Of a comparison: two intervals; whether it is open, of == and !=, of < and >=, of <= and >.
COMPARED = [
    ((1.0, 0.0), (1.0, 0.0), False, False, False),
    ((1.0, 0.0), (2.0, 0.0), False, False, False),
    ((1.0, 0.5), (2.0, 0.25), False, False, False),
    ((2.0, 0.25), (1.0, 0.5), False, False, False),
    ((1.0, 0.5), (2.0, 0.5), True, True, False),
    ((2.0, 0.5), (1.0, 0.5), True, False, True),
    ((1.0, 0.5), (2.0, 0.75), True, True, True),
    ((2.0, 0.75), (1.0, 0.5), True, True, True),
    ((1.0, 0.0), (1.0, 0.5), True, True, True),
    ((1.0, 0.0), (1.5, 0.5), True, True, False),
    ((1.0, 0.5), (1.0, 0.0), True, True, True),
    ((1.0, INF), (2.0, 0.0), True, True, True),
    ((1.0, 0.0), (2.0, INF), True, True, True),
    ((NAN, 0.0), (2.0, 0.0), False, False, False),
    ((NAN, 0.0), (2.0, INF), False, False, False),
    ((INF, 0.0), (2.0, 0.5), False, False, False),
]


@pytest.mark.parametrize(("a", "b", "equal", "less", "most"), COMPARED)
def test_where_a_comparison_is_open(
    a: tuple[float, float], b: tuple[float, float], equal: bool, less: bool, most: bool
) -> None:
    """Where some pair of numbers of the intervals compares otherwise."""
    x, y = _x([a[0]], [a[1]]), _x([b[0]], [b[1]])
    for compare, due in (
        (np.equal, equal), (np.not_equal, equal), (np.less, less), (np.greater_equal, less),
        (np.less_equal, most), (np.greater, most),
    ):  # fmt: skip
        with SILENCE:
            found = compare(x, y)
        assert found.yes.tolist() == compare(x.v, y.v).tolist()
        assert found.open.tolist() == [due], compare.__name__


def test_a_number_of_the_host_is_compared_as_it_is_rounded() -> None:
    """1.1 is none of float16, so that 1.1's neighbour may be equal to it."""
    x = _x([float(np.float16(1.1))])
    assert (x == 1.1).open.tolist() == [True] and (x <= 1.1).open.tolist() == [True]
    assert (x > 1.5).open.tolist() == [False]


def test_what_a_number_is_found_to_be() -> None:
    """Open where nothing is known, but that it leaves the range; computed infinities may be nan."""
    beyond = np.array([False, False, True, False, False])
    x = _x([1.0, 2.0, 3.0, INF, NAN], [0.0, INF, INF, 0.0, 0.0], beyond=beyond)
    finite, infinite, nan = np.isfinite(x), np.isinf(x), np.isnan(x)
    assert finite.yes.tolist() == [True, True, False, False, False]
    assert finite.open.tolist() == [False, True, False, False, False]
    assert infinite.yes.tolist() == [False, False, False, True, False]
    assert nan.yes.tolist() == [False, False, False, False, True]
    assert infinite.open.tolist() == nan.open.tolist() == [False, True, True, True, False]


def test_signs_and_sizes_keep_every_fact() -> None:
    """Nothing rounds."""
    x = dataclasses.replace(A, beyond=np.array([True]), given=True)
    for out, v, nonnegative in ((-x, -4.0, False), (abs(x), 4.0, True)):
        _facts(out, v=[v], e=[0.5], mass=[6.0], reach=[8.0], links=2, divisor=3.0, fraction=5.0)
        _facts(out, depth=7.0, beyond=[True], given=True, nonnegative=nonnegative, host=False)
    assert (+x) is x
