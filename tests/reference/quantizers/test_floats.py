"""The small floats against ml_dtypes, NumPy and rational arithmetic, every code of each."""

from __future__ import annotations

from fractions import Fraction
from types import ModuleType

import ml_dtypes
import numpy as np
import pytest

from truestep.reference.quantizers import (
    QUANTIZERS,
    bfloat16,
    float4_e2m1fn,
    float8_e4m3fn,
    float8_e4m3fnuz,
)

DTYPES = {
    "bfloat16": (ml_dtypes.bfloat16, np.uint16),
    "float16": (np.float16, np.uint16),
    "float4_e2m1fn": (ml_dtypes.float4_e2m1fn, np.uint8),
    "float6_e2m3fn": (ml_dtypes.float6_e2m3fn, np.uint8),
    "float6_e3m2fn": (ml_dtypes.float6_e3m2fn, np.uint8),
    "float8_e3m4": (ml_dtypes.float8_e3m4, np.uint8),
    "float8_e4m3": (ml_dtypes.float8_e4m3, np.uint8),
    "float8_e4m3b11fnuz": (ml_dtypes.float8_e4m3b11fnuz, np.uint8),
    "float8_e4m3fn": (ml_dtypes.float8_e4m3fn, np.uint8),
    "float8_e4m3fnuz": (ml_dtypes.float8_e4m3fnuz, np.uint8),
    "float8_e5m2": (ml_dtypes.float8_e5m2, np.uint8),
    "float8_e5m2fnuz": (ml_dtypes.float8_e5m2fnuz, np.uint8),
}
every = pytest.mark.parametrize("name", sorted(DTYPES))
# Formats of numbers alone have neither infinities nor nans, and nothing to choose beyond the range.
NUMBERS = [name for name in sorted(DTYPES) if "nan" in QUANTIZERS[name].DIALECTS]
UNSIGNED_ZERO = [name for name in sorted(DTYPES) if name.endswith("fnuz")]


def floats(name: str) -> ModuleType:
    """The reference module of a format."""
    return QUANTIZERS[name]


def oracle_codes(name: str, x: np.ndarray) -> np.ndarray:
    """The codes that ml_dtypes or NumPy give float32 numbers."""
    dtype, uint = DTYPES[name]
    with np.errstate(over="ignore", invalid="ignore"):
        return x.astype(np.float32).astype(dtype).view(uint)


def critical(name: str) -> np.ndarray:
    """Every value and midpoint, with the float32 neighbours of each, and the overflow edge."""
    module = floats(name)
    values = module.all_values(module.Hyper())
    values = values[np.isfinite(values)]
    top = values.max()
    edge = np.array([top * (1 + 2.0**-i) for i in range(13)]) if top < 2e38 else np.zeros(0)
    middle = np.concatenate([values, module.thresholds(module.Hyper()), edge, -edge])
    middle = middle.astype(np.float32)
    with np.errstate(over="ignore"):
        around = [middle, np.nextafter(middle, np.inf), np.nextafter(middle, -np.inf)]
    return np.concatenate([*around, [np.inf, -np.inf]]).astype(np.float64)


def assert_same_codes(name: str, x: np.ndarray, got: np.ndarray, want: np.ndarray) -> None:
    """Equal bit for bit, nans compared as nans."""
    module = floats(name)
    values = module.all_values(module.Hyper())
    nan = np.isnan(values[want])
    assert (np.isnan(values[got]) == nan).all()
    wrong = np.flatnonzero((got != want) & ~nan)
    assert wrong.size == 0, f"x = {x[wrong[:3]]!r}: got {got[wrong[:3]]}, want {want[wrong[:3]]}"


@every
def test_every_code_decodes_as_in_ml_dtypes(name: str) -> None:
    """All values, 2^4 to 2^16, agree, with the sign of zero, infinities and nans."""
    dtype, uint = DTYPES[name]
    codes = np.arange(floats(name).all_values(floats(name).Hyper()).size).astype(uint)
    with np.errstate(invalid="ignore"):  # signalling nans
        want = codes.view(dtype).astype(np.float64)
    got = floats(name).decode(floats(name).Hyper(), codes)
    assert np.array_equal(got, want, equal_nan=True)
    ordered = ~np.isnan(want)
    assert (np.signbit(got) == np.signbit(want))[ordered].all()


@every
def test_every_value_midpoint_and_neighbour_encodes_as_in_ml_dtypes(name: str) -> None:
    """Bit equality at each value, midpoint, and one float32 ulp to either side of both."""
    x = critical(name)
    module = floats(name)
    assert_same_codes(name, x, module.encode(module.Hyper(), x), oracle_codes(name, x))


@every
def test_float32_of_every_exponent_encodes_as_in_ml_dtypes(name: str) -> None:
    """All 2^16 upper halves of a float32, with three lower halves, encode with equal bits."""
    upper = np.arange(2**16, dtype=np.uint32) << 16
    module = floats(name)
    for lower in (0, 1, 0x8000):
        with np.errstate(invalid="ignore"):
            x = (upper | np.uint32(lower)).view(np.float32).astype(np.float64)
        assert_same_codes(name, x, module.encode(module.Hyper(), x), oracle_codes(name, x))


@every
def test_every_float16_encodes_as_in_ml_dtypes(name: str) -> None:
    """All 2^16 numbers of float16, subnormal ones and nans among them."""
    with np.errstate(invalid="ignore"):  # signalling nans
        x = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float64)
    module = floats(name)
    assert_same_codes(name, x, module.encode(module.Hyper(), x), oracle_codes(name, x))


@every
def test_values_encode_to_their_own_codes(name: str) -> None:
    """Encoding is the inverse of decoding on every code but nans, -0 included: idempotence."""
    module = floats(name)
    values = module.all_values(module.Hyper())
    codes = np.flatnonzero(~np.isnan(values))
    assert (module.encode(module.Hyper(), values[codes]) == codes).all()


@every
def test_odd_and_monotone(name: str) -> None:
    """-x has the code of x with the sign bit flipped; a larger x never has a smaller value."""
    module = floats(name)
    h = module.Hyper() if name in NUMBERS else module.Hyper(overflow="saturate")
    x = np.sort(critical(name))
    code = module.encode(h, x)
    sign_bit = code.dtype.type(module.FORMAT.sign)
    zero = (code == 0) & (name in UNSIGNED_ZERO)
    assert (module.encode(h, -x) == np.where(zero, 0, code ^ sign_bit)).all()
    assert (np.diff(module.decode(h, code)) >= 0).all()


@pytest.mark.parametrize("name", sorted({*DTYPES} - {*NUMBERS}))
def test_saturation_clips_to_the_largest_value(name: str) -> None:
    """overflow="saturate" gives the code of x clipped to the finite range; nan stays nan."""
    module = floats(name)
    values = module.all_values(module.Hyper())
    largest = values[np.isfinite(values)].max()
    x = critical(name)
    saturated = module.encode(module.Hyper(overflow="saturate"), x)
    assert (saturated == module.encode(module.Hyper(), np.clip(x, -largest, largest))).all()
    nan = module.encode(module.Hyper(overflow="saturate"), np.array(np.nan))
    assert np.isnan(values[nan])


@every
def test_nearest_by_rational_arithmetic(name: str) -> None:
    """On random float64 numbers no value is nearer, and a tie has the even code, by Fractions."""
    module = floats(name)
    h = module.Hyper()
    values = module.all_values(h)
    finite = np.sort(np.unique(values[np.isfinite(values)]))
    rng = np.random.default_rng(3)
    x = rng.choice(finite[1:-1], 2000) * (
        1 + rng.uniform(-1, 1, 2000) * 2.0 ** -rng.integers(1, 30)
    )
    got = module.decode(h, module.encode(h, x))
    position = np.searchsorted(finite, x)
    for xi, gi, i in zip(x, got, position, strict=True):
        near = finite[max(i - 1, 0) : i + 1]
        distance = abs(Fraction(float(gi)) - Fraction(float(xi)))
        assert distance == min(abs(Fraction(float(v)) - Fraction(float(xi))) for v in near)


def test_float64_is_rounded_once() -> None:
    """Numbers just beyond a midpoint go up, where a detour over float32 would make them ties."""
    assert bfloat16.encode(bfloat16.Hyper(), np.array(1 + 2.0**-8 + 2.0**-40)) == 0x3F81
    code = float8_e4m3fn.encode(float8_e4m3fn.Hyper(), np.array(17 + 2.0**-30))
    assert float8_e4m3fn.decode(float8_e4m3fn.Hyper(), code) == 18


def test_e4m3fn_overflow_edge() -> None:
    """464 ties to 448; the next float32 is nan or 448, as the dialect says."""
    x = np.array([464.0, np.nextafter(np.float32(464), np.float32(500)), -1e30, np.inf])
    nan = float8_e4m3fn.encode(float8_e4m3fn.Hyper(), x)
    assert list(nan & 0x7F) == [0x7E, 0x7F, 0x7F, 0x7F]
    saturate = float8_e4m3fn.encode(float8_e4m3fn.Hyper(overflow="saturate"), x)
    assert list(saturate) == [0x7E, 0x7E, 0xFE, 0x7E]


@pytest.mark.parametrize("name", NUMBERS)
def test_formats_of_numbers_alone(name: str) -> None:
    """Infinities saturate with their sign; a nan becomes what the dialect says, or any code."""
    module = floats(name)
    x = np.array([np.inf, -np.inf, np.nan, -np.nan, 1e9])
    sign, largest = module.FORMAT.sign, module.FORMAT.largest
    zero = module.encode(module.Hyper(nan="zero"), x)
    assert zero.tolist() == [largest, largest | sign, sign, 0, largest]
    most = module.encode(module.Hyper(nan="largest"), x)
    assert most.tolist() == [largest, largest | sign, largest, largest, largest]
    low, high = module.admissible(module.Hyper(nan="undefined"), x)
    assert low.tolist() == [largest, largest | sign, 0, 0, largest]
    assert high.tolist() == [largest, largest | sign, 2 * sign - 1, 2 * sign - 1, largest]


def test_e2m1_values() -> None:
    """The eight values of a 4-bit float, and OCP's ties."""
    h = float4_e2m1fn.Hyper()
    assert float4_e2m1fn.all_values(h)[:8].tolist() == [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    x = np.array([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0])
    assert float4_e2m1fn.decode(h, float4_e2m1fn.encode(h, x)).tolist() == [0, 1, 1, 2, 2, 4, 4]


@pytest.mark.parametrize("name", UNSIGNED_ZERO)
def test_formats_without_a_negative_zero(name: str) -> None:
    """What rounds to zero has code 0 whatever its sign; 0x80 is the one nan, of overflow too."""
    module = floats(name)
    x = np.array([-0.0, -1e-30, 1e-30, np.nan, -np.nan, np.inf, -np.inf, -1e9])
    assert module.encode(module.Hyper(), x).tolist() == [0, 0, 0, 128, 128, 128, 128, 128]
    assert np.flatnonzero(np.isnan(module.all_values(module.Hyper()))).tolist() == [128]


def test_e4m3fnuz_overflow_edge() -> None:
    """248, half a spacing above 240, overflows; the float32 before it does not."""
    x = np.array([248.0, np.nextafter(np.float32(248), np.float32(0)), -248.0])
    assert float8_e4m3fnuz.encode(float8_e4m3fnuz.Hyper(), x).tolist() == [0x80, 0x7F, 0x80]
    saturate = float8_e4m3fnuz.Hyper(overflow="saturate")
    assert float8_e4m3fnuz.encode(saturate, x).tolist() == [0x7F, 0x7F, 0xFF]


@every
def test_shapes_and_empty(name: str) -> None:
    """Codes are shaped like x, 0-d and empty included."""
    module = floats(name)
    for shape in [(), (0,), (2, 0, 3), (3, 4)]:
        code = module.encode(module.Hyper(), np.ones(shape))
        assert code.shape == shape
        assert code.dtype == DTYPES[name][1]
        assert module.decode(module.Hyper(), code).shape == shape
