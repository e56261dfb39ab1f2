"""Zero points that are numbers: against fractions, and against kernels in float32."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.float_zero_points import FORMATS

F = np.float32
CASES = [(name, zero) for name in FORMATS for zero in ("middle", "code")]


def numbers(seed: int, shift: float = 0.3) -> Any:
    """Groups of 64 from N(shift, 1)."""
    x = np.random.default_rng(seed).standard_normal(256) + shift
    return x.astype(F).astype(np.float64)


@pytest.mark.parametrize(("name", "zero"), CASES)
def test_codes_and_values_are_those_of_exact_arithmetic(name: str, zero: str) -> None:
    """Of fractions, under the stored scale and zero point."""
    format = FORMATS[name]
    h, x = format.Hyper(block_size=64, zero=zero), numbers(0)
    code, scale, second = format.encode(h, x)
    back, half = format.decode(h, code, scale, second), 2 ** (format.bits - 1)
    for k in (0, 5, 63, 64, 130, 255):
        group = x[k // 64 * 64 :][:64]
        low, high = Fraction(group.min()), Fraction(group.max())
        s, z = Fraction(float(scale[k // 64])), Fraction(float(second[k // 64]))
        assert F(float((high - low) / format.top)) == scale[k // 64]
        due = low + half * s if zero == "middle" else -low / s
        assert F(float(due)) == second[k // 64]
        q = (Fraction(x[k]) - z) / s + half if zero == "middle" else Fraction(x[k]) / s + z
        assert code[k] == min(max(round(q), 0), format.top)
        value = (int(code[k]) - half) * s + z if zero == "middle" else (int(code[k]) - z) * s
        assert abs(Fraction(back[k]) - value) <= abs(value) * Fraction(1, 2**50)


def kernel(x: Any, bits: int, zero: str) -> tuple[Any, Any, Any, Any]:
    """One group in float32, in the libraries' order: code, scale, zero point, what is read."""
    low, high, top, half = x.min(), x.max(), F(2**bits - 1), F(2 ** (bits - 1))
    if zero == "middle":
        s = (high - low) / top
        z = low + s * half
        code = np.clip(np.rint((x - (z - s * half)) / s), 0, top)
        return code.astype(np.uint8), s, z, (code - half) * s + z
    inverse = top / (high - low)
    z, s = -low * inverse, F(1) / inverse
    code = np.clip(np.rint(x * inverse + z), 0, top)
    return code.astype(np.uint8), s, z, (code - z) * s


@pytest.mark.parametrize(("name", "zero"), CASES)
def test_float32_kernels_are_admissible(name: str, zero: str) -> None:
    """Those of tinygemm and of HQQ, on groups of many sizes and places."""
    format = FORMATS[name]
    normalise = "divide" if zero == "middle" else "reciprocal"
    h = format.Hyper(block_size=64, zero=zero, normalise=normalise)
    for seed in range(100):
        x = (numbers(seed, 3.0 ** (seed % 5) - 5)[:64] * 10.0 ** (seed % 11 - 5)).astype(F)
        code, s, z, back = kernel(x, format.bits, zero)
        wide, held = x.astype(np.float64), (np.array([s], float), np.array([z], float))
        due = format.intervals(h, wide, *held, division_ulps=0.5)
        for own, (least, most) in zip((s, z), due.values(), strict=True):
            assert least[0] <= own <= most[0]
        low, high = format.admissible(h, wide, *held)
        assert ((low <= code) & (code <= high)).all() and np.mean(low < high) < 0.1
        low, high = format.decoded(h, code, *held)
        assert ((low <= back) & (back <= high)).all()


def test_no_value_need_be_zero() -> None:
    """Numbers around 10 keep their own range: half of a step is lost, where an integer loses all.

    With 0 in the range the step would be ten times as long.
    """
    format = FORMATS["uint4_float_zero"]
    x = numbers(1) / 10 + 10
    h = format.Hyper(block_size=64)
    code, scale, zero = format.encode(h, x)
    back = format.decode(h, code, scale, zero)
    assert np.max(np.abs(back - x)) <= 0.5001 * scale.max() < 0.03
    assert set(code.reshape(4, 64).min(axis=1)) == {0} and (code.max(), code.min()) == (15, 0)


@pytest.mark.parametrize(("name", "zero"), CASES)
def test_a_right_kernel_passes_every_check(name: str, zero: str) -> None:
    """Cases, thresholds, codes and laws."""
    backend = Kernel(name, dialect={"zero": zero})
    for check in checks_of(backend):
        found = run_check(backend, check, level="smoke", seed=1)
        few = check.name.startswith("law")
        assert found.verdict in ("pass", *(("not_judged",) if few else ())), found.message
