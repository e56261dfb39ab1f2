"""Further faults of casts and block formats, and correct ones that are written otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import ml_dtypes
import numpy as np
import pytest

from truestep.fast.protocol import QuantizerBackend, QuantizerCapability
from truestep.properties.museum.plant import Kernel
from truestep.properties.museum.power import first_failure
from truestep.reference.declared import Hyper
from truestep.reference.validation import Array

pytestmark = pytest.mark.power

Stored = Mapping[str, Array]
Codes = Callable[[Array, Array, Array], Array]
RECIPROCAL = {"normalise": "reciprocal"}
ZERO = 127  # of the signed map


class Spoilt(Kernel):
    """A format's lines, some of whose codes or values are others.

    codes: of the codes, the numbers and each one's absmax, 1 where there are no blocks. values: of
    the values and the codes.
    """

    def __init__(
        self,
        rule: str,
        codes: Codes | None = None,
        values: Callable[[Array, Array], Array] | None = None,
        **declared: object,
    ) -> None:
        super().__init__(rule, **declared)
        self.codes, self.values = codes, values

    def encode(self, capability: QuantizerCapability, hyper: Hyper, x: Array) -> Stored:
        """The lines' codes, spoilt."""
        stored = dict(super().encode(capability, hyper, x))
        if self.codes is not None:
            absmax = np.ones(x.shape, np.float32)
            if "absmax" in stored:
                block = np.arange(x.size).reshape(x.shape) // hyper.block_size
                absmax = stored["absmax"][block]
            spoilt = self.codes(stored["code"], x, absmax)
            stored["code"] = np.asarray(spoilt).astype(stored["code"].dtype)
        return stored

    def decode(self, capability: QuantizerCapability, hyper: Hyper, stored: Stored) -> Array:
        """The lines' values, spoilt."""
        values = super().decode(capability, hyper, stored)
        if self.values is None:
            return values
        with np.errstate(all="ignore"):
            return np.asarray(self.values(values, stored["code"]), np.float32)


def _without_carry(code: Array, x: Array, _: Array) -> Array:
    """What is rounded up to a power of two gets the power below."""
    up = code.view(ml_dtypes.bfloat16).astype(np.float32)
    carried = (code & 0x7F == 0) & (np.abs(up) > np.abs(x)) & np.isfinite(x)
    return np.where(carried, code - 0x80, code)


def _beside_an_infinity(code: int) -> Codes:
    return lambda codes, x, absmax: np.where(np.isinf(absmax) & np.isfinite(x), code, codes)


def _where_reciprocals_are_subnormal(codes: Array, x: Array, absmax: Array) -> Array:
    return np.where(np.isfinite(absmax) & (absmax > 2.0**126), ZERO, codes)


def _after_an_infinity(codes: Array, x: Array, absmax: Array) -> Array:
    """The block after one with an infinity still has its scale."""
    flat = absmax.reshape(-1)
    before = np.append(np.zeros(min(64, flat.size)), flat[:-64]).reshape(absmax.shape)
    return np.where(np.isinf(before) & ~np.isinf(absmax) & (codes != ZERO), ZERO, codes)


EARLY = -np.nextafter(np.float32(61440), np.float32(0))
FAULTS: dict[str, Callable[[], QuantizerBackend]] = {
    # At thresholds, and where a format's binades change.
    "cast: a carry into the exponent is lost": lambda: Spoilt("bfloat16", _without_carry),
    "cast: half of the least subnormal number goes up": lambda: Spoilt(
        "float8_e4m3fn", lambda c, x, _: np.where(np.abs(x) == 2.0**-10, c | 1, c)
    ),
    "cast: negative numbers overflow one float32 early": lambda: Spoilt(
        "float8_e5m2", lambda c, x, _: np.where(x == EARLY, 0xFC, c)
    ),
    "cast: the largest subnormal number is flushed": lambda: Spoilt(
        "float16", lambda c, x, _: np.where(c & 0x7FFF == 0x3FF, c & 0x8000, c)
    ),
    "cast: one binade of negative numbers loses its sign": lambda: Spoilt(
        "float8_e4m3fn", lambda c, x, _: np.where((x < -1 / 8) & (x >= -1 / 4), c & 0x7F, c)
    ),
    # Nans of other classes, and codes that no encoder gives.
    "nan: a negative one is an infinity": lambda: Spoilt(
        "bfloat16", lambda c, x, _: np.where(np.isnan(x) & np.signbit(x), 0xFF80, c)
    ),
    "nan: a negative one is decoded as the number it would be": lambda: Spoilt(
        "float8_e4m3fn", None, lambda values, code: np.where(code == 0xFF, -480.0, values)
    ),
    "nan: negative zero is decoded as one": lambda: Spoilt(
        "float8_e4m3fn", None, lambda values, code: np.where(code == 0x80, np.nan, values)
    ),
    # Blocks with infinities and other extremes.
    "block: beside an infinity everything is largest": lambda: Spoilt(
        "dynamic_8bit", _beside_an_infinity(255), dialect=RECIPROCAL
    ),
    "block: beside an infinity everything is the code before zero's": lambda: Spoilt(
        "dynamic_8bit", _beside_an_infinity(ZERO - 1), dialect=RECIPROCAL
    ),
    "block: the one after an infinity has its scale": lambda: Spoilt(
        "dynamic_8bit", _after_an_infinity, dialect=RECIPROCAL
    ),
    "block: a subnormal reciprocal is flushed": lambda: Spoilt(
        "dynamic_8bit", _where_reciprocals_are_subnormal, dialect=RECIPROCAL
    ),
    "block: values are multiplied in bfloat16": lambda: Spoilt(
        "dynamic_8bit", None, lambda values, _: values.astype(ml_dtypes.bfloat16)
    ),
}
# By their kind, the faults of which a family speaks.
FAMILIES = {"cast": "thresholds"}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", FAULTS)
def test_it_is_found(name: str, seed: int) -> None:
    """By the strata or by a family."""
    first = FAMILIES.get(name.partition(":")[0], "strata")
    found = first_failure(FAULTS[name](), first, seed=seed, told=False)
    assert found is not None
    assert found.verdict == "fail", found.message


def _bits(x: Array, kind: type) -> Array:
    return np.ascontiguousarray(x).reshape(-1).view(kind).reshape(x.shape)


class Own:
    """A cast by functions of its own, which may use NumPy's formats."""

    def __init__(
        self, rule: str, encoded: Callable[[Array], Array], decoded: Callable[[Array], Array]
    ) -> None:
        self.name, self.rule, self.encoded, self.decoded = rule, rule, encoded, decoded

    def capabilities(self) -> list[QuantizerCapability]:
        """The one."""
        return [QuantizerCapability(rule=self.rule)]

    def encode(self, capability: QuantizerCapability, hyper: Hyper, x: Array) -> Stored:
        """Codes alone: there are no blocks."""
        with np.errstate(all="ignore"):
            return {"code": self.encoded(x)}

    def decode(self, capability: QuantizerCapability, hyper: Hyper, stored: Stored) -> Array:
        """The values of the codes."""
        return np.asarray(self.decoded(stored["code"]), np.float32)


def _half_added(x: Array) -> Array:
    """bfloat16 in integers: half of the last digit, less one if that is even, and a cut."""
    bits = _bits(x, np.uint32).astype(np.uint64)
    return np.where(np.isnan(x), 0x7FC0, (bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


E4M3 = np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e4m3fn).astype(np.float32)
MIDDLES = (E4M3[:126].astype(float) + E4M3[1:127]) / 2


def _searched(x: Array) -> Array:
    """E4M3 by a search in the table of its midpoints, ties by the parity of the code."""
    size = np.abs(x).astype(float)
    low, high = (np.searchsorted(MIDDLES, size, side) for side in ("left", "right"))
    code = np.where(size > 464, 0x7F, np.where(low % 2 == 0, low, high))
    code = np.where(np.isnan(x), 0x7F, code | np.where(np.signbit(x), 0x80, 0))
    return code.astype(np.uint8)


CORRECT = {
    "bfloat16 in integers": Own(
        "bfloat16", _half_added, lambda code: _bits(code.astype(np.uint32) << 16, np.float32)
    ),
    "E4M3 by a table": Own("float8_e4m3fn", _searched, lambda code: E4M3[code]),
    "float16 by NumPy": Own(
        "float16",
        lambda x: _bits(x.astype(np.float16), np.uint16),
        lambda code: _bits(code, np.float16),
    ),
}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", CORRECT)
def test_it_passes(name: str, seed: int) -> None:
    """Every check."""
    failed = first_failure(CORRECT[name], seed=seed, told=False)
    assert failed is None, failed and failed.message
