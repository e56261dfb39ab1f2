"""The block-wise dynamic 8-bit reference against its definition, its laws and simulated kernels.

Over 300 lines: the map, its encoding and its admissible codes are tried on the same tensors.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction

import numpy as np
import pytest

from truestep.reference.quantizers import dynamic_8bit
from truestep.reference.quantizers.dynamic_8bit import Hyper, admissible, decode, encode

SIGNED = Hyper(signed=True, block_size=64)
UNSIGNED = Hyper(signed=False, block_size=64)
both = pytest.mark.parametrize("h", [SIGNED, UNSIGNED], ids=["signed", "unsigned"])


def samples(h: Hyper, n: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    """Float32 numbers over eight decades, in float64; non-negative for the unsigned map."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n) * 10.0 ** rng.uniform(-8, 0, n) * scale
    return (x if h.signed else np.abs(x)).astype(np.float32).astype(np.float64)


@pytest.mark.parametrize(
    ("signed", "map", "sha256"),
    [
        (True, "fused", "e732639a65f497b4ad684bb166a4467708255edd5207757de8b8f0c7e1fda89c"),
        (False, "fused", "305f002cc11278fb769d13b25b9fd0c7c83c8402c40a878fe086f4039fde6398"),
        (True, "separate", "dad4c269c3243d17"),
        (False, "separate", "9dad1cb84fb69242"),
    ],
)
def test_map_has_the_bits_in_circulation(signed: bool, map: str, sha256: str) -> None:
    """The maps equal, bit for bit, the ones that PyTorch's linspace gives bitsandbytes."""
    values = dynamic_8bit.all_values(Hyper(signed=signed, map=map)).astype("<f4")
    assert hashlib.sha256(values.tobytes()).hexdigest().startswith(sha256)


@both
def test_map_is_the_analytic_one_to_two_float32_ulps(h: Hyper) -> None:
    """Every value lies within 2 ulp of 10^(i-6) (0.1 + 0.9 (k + 1/2) / n), evaluated exactly."""
    exact = {Fraction(0), Fraction(1)}
    for i in range(7):
        n = 2**i if h.signed else 2 ** (i + 1)
        for k in range(n):
            value = Fraction(10) ** (i - 6) * (
                Fraction(1, 10) + Fraction(9, 10) * Fraction(2 * k + 1, 2 * n)
            )
            exact |= {value, -value} if h.signed else {value}
    assert len(exact) == 256
    for got, want in zip(dynamic_8bit.all_values(h), sorted(exact), strict=True):
        ulp = Fraction(float(np.spacing(np.float32(abs(float(want))))))
        assert abs(Fraction(float(got)) - want) <= 2 * ulp


def test_map_landmarks() -> None:
    """Zero is code 127 or 0, the signed map is symmetric but for 1, which is code 255 of both."""
    signed, unsigned = dynamic_8bit.all_values(SIGNED), dynamic_8bit.all_values(UNSIGNED)
    assert signed[127] == unsigned[0] == 0
    assert signed[255] == unsigned[255] == 1
    assert (signed[:255] == -signed[254::-1]).all()
    assert (np.diff(signed) > 0).all()
    assert (np.diff(unsigned) > 0).all()


@both
def test_encode_is_the_nearest_value_by_rational_arithmetic(h: Hyper) -> None:
    """On a block and its neighbourhood of all thresholds no other code is nearer, exactly."""
    t = dynamic_8bit.thresholds(h)
    x = np.concatenate([[0.75], 0.75 * t, samples(h, 80)]).astype(np.float32).astype(np.float64)
    values = [Fraction(float(q)) for q in dynamic_8bit.all_values(h)]
    h = Hyper(signed=h.signed, block_size=512)
    code, absmax = encode(h, x)
    assert absmax == [np.abs(x).max()]
    for xi, ci in zip(x, code, strict=True):
        ratio = Fraction(float(xi)) / Fraction(float(absmax[0]))
        distances = [abs(q - ratio) for q in values]
        assert int(ci) == distances.index(min(distances))


@both
def test_ties_follow_the_dialect(h: Hyper) -> None:
    """An x exactly on a midpoint takes the lower, the upper or the even one of its two codes."""
    t = dynamic_8bit.thresholds(h)
    x = np.concatenate([[1.0], t])  # t has 25 bits: not all are float32 numbers, all are float64
    for ties in ("lower", "upper", "even"):
        code, _ = encode(Hyper(signed=h.signed, block_size=256, ties=ties), x)
        lower = np.arange(255)
        want = {"lower": lower, "upper": lower + 1, "even": lower + lower % 2}[ties]
        assert (code[1:] == want).all()


@both
def test_codes_come_back_unchanged_from_their_values(h: Hyper) -> None:
    """Encoding the decoded codes gives the same codes for every absmax that some code attains."""
    codes = np.arange(256, dtype=np.uint8)
    h = Hyper(signed=h.signed, block_size=256)
    for absmax in (1.0, 3.0, 2.0**-100, 2.0**120):
        again, absmax_again = encode(h, decode(h, codes, np.array([absmax])))
        assert (again == codes).all()
        assert absmax_again == [absmax]


def test_a_negative_extreme_shrinks_with_every_round_trip() -> None:
    """The signed map lacks -1: the law of idempotence fails for a block whose extreme is < 0."""
    x = np.array([-1.0, 0.5])
    once = decode(SIGNED, *encode(SIGNED, x))
    twice = decode(SIGNED, *encode(SIGNED, once))
    assert once[0] == dynamic_8bit.all_values(SIGNED)[0] > -1
    assert twice[0] == -(once[0] ** 2)


@both
def test_monotone_within_a_block(h: Hyper) -> None:
    """A larger x in the same block never has a smaller code."""
    x = np.sort(samples(h, 4096))
    code, _ = encode(Hyper(signed=h.signed, block_size=4096), x)
    assert (np.diff(code.astype(int)) >= 0).all()


def test_negation_mirrors_the_codes_but_for_the_extremes() -> None:
    """code(-x) = 254 - code(x) where |x| <= t_254 absmax and x is not a midpoint."""
    x = samples(SIGNED, 4096)
    (code, absmax), (mirrored, _) = encode(SIGNED, x), encode(SIGNED, -x)
    bound = dynamic_8bit.thresholds(SIGNED)[254] * dynamic_8bit.per_element(SIGNED, absmax, x.shape)
    inner = np.abs(x) <= bound
    assert inner.sum() > 3000
    assert (mirrored[inner].astype(int) == 254 - code[inner].astype(int)).all()
    assert (np.minimum(code, mirrored)[~inner] == 0).all()
    assert (np.maximum(code, mirrored)[~inner] == 255).all()


@both
def test_error_is_at_most_half_the_local_gap(h: Hyper) -> None:
    """|decode - x| <= absmax times half of the gap around x; at -1 the signed map clips."""
    x = samples(h, 8192)
    code, absmax = encode(h, x)
    a = dynamic_8bit.per_element(h, absmax, x.shape)
    q, i = dynamic_8bit.all_values(h), code.astype(int)
    error = decode(h, code, absmax) - x
    below = np.where(i > 0, q[i] - q[i - 1], 2 * (q[0] + 1))
    above = np.where(i < 255, q[np.minimum(i + 1, 255)] - q[i], 0)
    # 2^-52 |x| is the rounding of the subtraction in `error` and of the products here.
    assert (error <= a * below / 2 + 2.0**-52 * np.abs(x)).all()
    assert (-error <= a * above / 2 + 2.0**-52 * np.abs(x)).all()


@both
def test_powers_of_two_scale_the_absmax_alone(h: Hyper) -> None:
    """x times 2^k has the same codes and 2^k times the absmax."""
    x = samples(h, 1000)
    code, absmax = encode(h, x)
    for k in (-60, -1, 1, 100):
        scaled_code, scaled_absmax = encode(h, np.ldexp(x, k))
        assert (scaled_code == code).all()
        assert (scaled_absmax == np.ldexp(absmax, k)).all()


@both
def test_zero_and_the_largest_element_are_exact(h: Hyper) -> None:
    """Zero decodes to 0; the largest magnitude to itself, where it is positive."""
    x = samples(h, 640)
    x[::64], x[1::64] = 2.0, 0.0
    decoded = decode(h, *encode(h, x))
    assert (decoded[::64] == 2.0).all()
    assert (decoded[1::64] == 0.0).all()


@both
def test_any_positive_scaling_moves_codes_near_thresholds_only(h: Hyper) -> None:
    """c x, rounded to float32, has codes admissible for x: rounding acts as a faithful kernel's."""
    x = samples(h, 4096)
    absmax = dynamic_8bit.block_absmax(h, x)
    reciprocal = Hyper(signed=h.signed, block_size=64, normalise="reciprocal")
    low, high = admissible(reciprocal, x, absmax, error=2.0**-24 * np.abs(x))
    for c in (3.0, 0.1, 7e5):
        scaled, _ = encode(h, (c * x).astype(np.float32).astype(np.float64))
        assert (low <= scaled).all()
        assert (scaled <= high).all()


@both
def test_blocks_are_independent_and_concatenate(h: Hyper) -> None:
    """Whole blocks encode alone as they do among others, in any order within the block."""
    x = samples(h, 200)
    code, absmax = encode(h, x)
    parts = [encode(h, x[i : i + 64]) for i in range(0, 200, 64)]
    assert (np.concatenate([c for c, _ in parts]) == code).all()
    assert (np.concatenate([a for _, a in parts]) == absmax).all()
    order = np.random.default_rng(1).permutation(64)
    permuted, _ = encode(h, x[:64][order])
    assert (permuted == code[:64][order]).all()


@both
@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 127, 128, 129])
def test_tail_block_sees_its_own_elements_only(h: Hyper, n: int) -> None:
    """ceil(n / block_size) blocks; the last one's absmax is of the elements it has."""
    x = samples(h, n)
    code, absmax = encode(h, x)
    assert code.shape == (n,)
    assert code.dtype == np.uint8
    assert absmax.shape == (-(-n // 64),)
    if n:
        assert absmax[-1] == np.abs(x[(n - 1) // 64 * 64 :]).max()


def test_shape_and_strides_do_not_matter() -> None:
    """Any shape is read in C order, views and 0-d included."""
    x = samples(SIGNED, 130).reshape(13, 10)
    code, absmax = encode(SIGNED, x.T)
    flat_code, flat_absmax = encode(SIGNED, x.T.ravel())
    assert (code.ravel() == flat_code).all()
    assert (absmax == flat_absmax).all()
    assert decode(SIGNED, code, absmax).shape == (10, 13)
    scalar, _ = encode(SIGNED, np.array(2.0))
    assert scalar.shape == ()
    assert scalar == 255


def test_zero_blocks_nans_and_infinities() -> None:
    """Zeros keep absmax 0 and decode to 0; nan and inf follow the documented choices."""
    zeros = np.zeros(3)
    for h, zero in ((SIGNED, 127), (UNSIGNED, 0)):
        code, absmax = encode(h, zeros)
        assert (code == zero).all()
        assert absmax == [0]
        assert (decode(h, code, absmax) == 0).all()
    first = Hyper(block_size=64, zero_block="first_code")
    assert (encode(first, zeros)[0] == 0).all()
    x = np.array([1.0, np.nan, -0.5])
    code, absmax = encode(SIGNED, x)
    assert np.isnan(absmax).all()
    assert np.isnan(decode(SIGNED, code, absmax)).all()
    code, absmax = encode(Hyper(block_size=64, nan="ignore"), x)
    assert absmax == [1]
    assert list(code[:2]) == [255, 0]
    code, absmax = encode(SIGNED, np.array([np.inf, -np.inf, 3.0, 0.0]))
    assert absmax == [np.inf]
    assert list(code) == [255, 0, 127, 127]
    assert not np.isfinite(decode(SIGNED, code, absmax)).any()


def test_floor_replaces_a_small_absmax() -> None:
    """With torchao's floor an absmax below it is stored as the floor and the codes follow it."""
    h = Hyper(signed=False, block_size=64, absmax_floor=1e-12)
    code, absmax = encode(h, np.array([1e-14, 0.0]))
    assert absmax == [1e-12]
    assert dynamic_8bit.all_values(h)[code[0]] < 0.011


@pytest.mark.parametrize("block_size", [0, 32, 100, 8192, 2**64, 256.0, True])
def test_bad_block_sizes_are_named(block_size: object) -> None:
    """Only the integer powers of two from 64 to 4096 are taken; the error shows the value."""
    with pytest.raises((TypeError, ValueError), match=str(block_size)):
        Hyper(block_size=block_size)  # type: ignore[arg-type]


# Simulated kernels in float32: the quotient, then one of the searches found in the wild.


def _quotient(h: Hyper, x: np.ndarray, a: np.ndarray) -> np.ndarray:
    x, a = x.astype(np.float32), a.astype(np.float32)
    return x / a if h.normalise == "divide" else x * (np.float32(1) / a)


def _by_midpoints(q: np.ndarray, r: np.ndarray) -> np.ndarray:
    return np.searchsorted(((q[:-1] + q[1:]) * np.float32(0.5)), r, side="left")


def _by_distance(q: np.ndarray, r: np.ndarray) -> np.ndarray:
    high = np.clip(np.searchsorted(q, r, side="left"), 1, 255)
    return high - (np.abs(r - q[high - 1]) <= np.abs(q[high] - r))


def _by_residual(q: np.ndarray, r: np.ndarray) -> np.ndarray:
    low = np.clip(np.searchsorted(q, r, side="right") - 1, 0, 254)
    return low + ((r - q[low]) >= (q[low + 1] - q[low]) * np.float32(0.5))


def near_thresholds(h: Hyper, absmax: float, seed: int) -> np.ndarray:
    """Blocks of float32 numbers within a few ulps of every threshold times absmax, and absmax."""
    rng = np.random.default_rng(seed)
    t = dynamic_8bit.thresholds(h) * absmax
    x = t.astype(np.float32)
    x = (x.view(np.int32) + rng.integers(-3, 4, x.shape, np.int32)).view(np.float32)
    return np.concatenate([[absmax], x]).astype(np.float64)


@pytest.mark.parametrize("normalise", ["divide", "reciprocal"])
@pytest.mark.parametrize("search", [_by_midpoints, _by_distance, _by_residual])
@pytest.mark.parametrize("signed", [True, False])
def test_no_faithful_kernel_leaves_the_admissible_interval(
    normalise: str, search: object, signed: bool
) -> None:
    """Float32 kernels of six kinds stay inside near every threshold, for 200 values of absmax."""
    h = Hyper(signed=signed, block_size=256, normalise=normalise)  # type: ignore[arg-type]
    q = dynamic_8bit.all_values(h).astype(np.float32)
    rng = np.random.default_rng(2)
    strayed = 0
    for seed in range(200):
        absmax = float(np.float32(rng.uniform(1, 2) * 2.0 ** rng.integers(-100, 120)))
        x = near_thresholds(h, absmax, seed)
        a = np.array([absmax])
        got = search(q, _quotient(h, x, np.broadcast_to(a, x.shape)))  # type: ignore[operator]
        low, high = admissible(h, x, a)
        assert (low <= got).all()
        assert (got <= high).all()
        strayed += int((got != encode(h, x)[0]).sum())
    assert strayed > 0  # otherwise the inputs are not near enough to show anything


@both
def test_admissible_interval_is_a_single_code_away_from_thresholds(h: Hyper) -> None:
    """On ordinary data fewer than one element in 10^4 may take two codes, and never three."""
    x = samples(h, 1 << 17)
    code, absmax = encode(h, x)
    low, high = admissible(h, x, absmax)
    assert (low <= code).all()
    assert (code <= high).all()
    assert (high - low <= 1).all()
    assert (high > low).sum() < 1e-4 * x.size


@both
def test_wrong_searches_leave_the_admissible_interval(h: Hyper) -> None:
    """A table cut to half its bins, a swapped scale and a float16 quotient are all caught."""
    x = samples(h, 4096)
    code, absmax = encode(h, x)
    low, high = admissible(h, x, absmax)
    a = dynamic_8bit.per_element(h, absmax, x.shape)
    t = dynamic_8bit.thresholds(h)
    faults = {
        "float16 quotient": np.searchsorted(t, (x / a).astype(np.float16).astype(np.float64)),
        "every second code": code // 2 * 2,
        "tensor-wide absmax": np.searchsorted(t, x / np.abs(x).max()),
        "65536 bins over [-1, 1]": np.searchsorted(t, (np.round(x / a * 32767.5) + 0.5) / 32767.5),
    }
    for name, got in faults.items():
        assert ((got < low) | (got > high)).any(), name


def test_admissible_widens_with_the_error_of_x() -> None:
    """An x known to +-error admits every code between those of its ends, and hardly more."""
    x, error = samples(SIGNED, 640), 1e-3
    absmax = dynamic_8bit.block_absmax(SIGNED, x)
    low, high = admissible(SIGNED, x, absmax, error=error)
    a = dynamic_8bit.per_element(SIGNED, absmax, x.shape)
    t = dynamic_8bit.thresholds(SIGNED)
    assert (low == np.searchsorted(t, (x - error) / a)).mean() > 0.99
    assert (high == np.searchsorted(t, (x + error) / a)).mean() > 0.99


def test_unjudged_elements_carry_the_full_interval() -> None:
    """nan blocks, infinite elements and ranges where the division fails are (0, 255) alone."""
    x = np.array([1.0, np.nan])
    low, high = admissible(SIGNED, x, np.array([np.nan]))
    assert (low == 0).all()
    assert (high == 255).all()
    low, high = admissible(SIGNED, np.array([np.inf, 2.0]), np.array([np.inf]))
    assert list(low) == [0, 127]
    assert list(high) == [255, 127]
    ignore = Hyper(block_size=64, nan="ignore")
    low, high = admissible(ignore, x, np.array([1.0]))
    assert list(low) == [255, 0]
    assert list(high) == [255, 0]
    tiny, huge = 2.0**-140, 2.0**127
    reciprocal = Hyper(block_size=64, normalise="reciprocal")
    for h, absmax, options, judged in [
        (SIGNED, tiny, {}, True),
        (SIGNED, tiny, {"flush_subnormals": True}, False),
        (SIGNED, huge, {"flush_subnormals": True}, True),
        (SIGNED, huge, {"division_ulps": 2.0}, False),
        (reciprocal, tiny, {}, False),
        (reciprocal, huge, {}, True),
        (reciprocal, huge, {"flush_subnormals": True}, False),
    ]:
        low, high = admissible(h, np.array([absmax]), np.array([absmax]), **options)
        assert ((low == 255) & (high == 255)).all() == judged
        assert ((low == 0) & (high == 255)).all() != judged
    low, high = admissible(SIGNED, np.zeros(2), np.zeros(1))
    assert (low == 127).all()
    assert (high == 127).all()
