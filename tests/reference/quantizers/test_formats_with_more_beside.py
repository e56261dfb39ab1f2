"""Affine integers, K-quants and nested codebooks: against fractions and float32 kernels."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference import affine_formats, k_quants, nested_formats
from truestep.reference.quantizers import QUANTIZERS
from truestep.reference.validation import Array

MORE = affine_formats.FORMATS | k_quants.FORMATS | nested_formats.FORMATS
ZEROS = [name for name, format in affine_formats.FORMATS.items() if format.second == "zero_point"]
MINIMA = [name for name, format in affine_formats.FORMATS.items() if format.second == "min"]
F = np.float32


def numbers(shape: tuple[int, ...], seed: int = 0, shift: float = 0.3) -> Any:
    """Numbers from N(shift, 1)."""
    x = np.random.default_rng(seed).standard_normal(shape) + shift
    return x.astype(F).astype(np.float64)


def nearest(quotient: Fraction, top: int) -> int:
    """The integer nearest to it, of two the even one, within the codes."""
    return min(max(round(quotient), 0), top)


@pytest.mark.parametrize("name", ZEROS)
def test_zero_points_and_codes_are_those_of_exact_arithmetic(name: str) -> None:
    """Of fractions, under the rounded scale."""
    format = MORE[name]
    h, x = format.Hyper(), numbers((4, 128))
    code, scale, zero = format.encode(h, x)
    low, high = format.ends(h, x)
    assert np.array_equal(scale, ((high - low) / format.top).astype(F))
    group = format.group_of(h, x.shape)
    exact = [Fraction(float(s)) for s in scale]
    due = [nearest(-Fraction(m) / s, format.top) for m, s in zip(low, exact, strict=True)]
    assert zero.tolist() == due
    for at in ((0, 0), (1, 17), (3, 127)):
        s, z = exact[group[at]], due[group[at]]
        whole = round(Fraction(x[at]) / s) + z
        assert code[at] == min(max(whole, 0), format.top)


@pytest.mark.parametrize("name", MINIMA)
def test_codes_above_the_minimum_are_those_of_exact_arithmetic(name: str) -> None:
    """Half added and cut off, under the scale before it is rounded to float16."""
    format = MORE[name]
    x = numbers((64,))
    code, scale, least = format.encode(format.Hyper(), x)
    for k in (0, 5, 31, 40, 63):
        group = x[k // 32 * 32 :][:32]
        low, high = Fraction(group.min()), Fraction(group.max())
        d = (high - low) / format.top
        assert code[k] == ((Fraction(x[k]) - low) / d + Fraction(1, 2)) // 1
        assert scale[k // 32] == np.float16(float(d))
        assert least[k // 32] == np.float16(float(low))


@pytest.mark.parametrize("name", ZEROS)
def test_groups_without_an_extent_are_as_said(name: str) -> None:
    """Zeros have scale 0 or epsilon; of one other number 0 is the other end, or there is none."""
    format, x = MORE[name], np.zeros(8)
    for choice, due in (("kept", 0.0), ("epsilon", 2.0**-23)):
        h = format.Hyper(zero_scale=choice)
        code, scale, zero = format.encode(h, x)
        assert (scale.tolist(), zero.tolist()) == ([due], [0])
        assert np.array_equal(format.decode(h, code, scale, zero), x)
    code, scale, zero = format.encode(format.Hyper(), x - 3)
    assert np.allclose(format.decode(format.Hyper(), code, scale, zero), -3)
    assert format.encode(format.Hyper(range="own"), x - 3)[1].tolist() == [0]


@pytest.mark.parametrize("name", ["q4_k", "q5_k", "q6_k"])
def test_decoding_rounds_as_float32_in_its_order(name: str) -> None:
    """Scale and minimum are exact products of float32, and one rounding is left."""
    format, rng = MORE[name], np.random.default_rng(3)
    shape = (8, 256)
    codes = rng.integers(0, len(format.row.elements), shape).astype(np.uint8)
    held = [
        rng.integers(kept.least, kept.least + kept.codes, kept.shape).astype(kept.dtype)
        if kept.codes
        else rng.uniform(-60000, 60000, kept.shape).astype(kept.dtype)
        for kept in format.beside(format.Hyper(), shape).values()
    ]
    code = codes.reshape(8, -1, format.part).astype(F) - F(format.middle)
    if format.minima:
        d, dmin, scale, least = (part.astype(F) for part in held)
        due = code * (d[:, None] * scale)[..., None] - (dmin[:, None] * least)[..., None]
    else:
        due = code * (held[0].astype(F)[:, None] * held[1].astype(F))[..., None]
    got = format.decode(format.Hyper(), codes, *held).astype(F)
    assert np.array_equal(got, due.reshape(shape))


def kept(held: tuple[Array, ...]) -> list[Array]:
    """As the judge hands them over: floats in float64."""
    return [y.astype(np.float64) if y.dtype == np.float16 else y for y in held]


def searched(format: k_quants.KQuant, x: Array) -> tuple[Array, list[Array]]:
    """What is read back where each part takes, of grids around its extremes', the least error.

    Weighted by rms + |x|, with scale and minimum by least squares, as ggml's C searches; and what
    is kept beside the codes.
    """
    h, top = format.Hyper(), len(format.row.elements) - 1
    parts = x.reshape(-1, format.part)
    low = np.minimum(parts.min(axis=1, keepdims=True), 0.0)
    span = np.maximum(parts.max(axis=1, keepdims=True), 0.0) - low
    w = np.sqrt(np.mean(parts**2, axis=1, keepdims=True)) + np.abs(parts)
    best, least = [span / top, -low], np.inf
    for k in np.arange(-1.0, 1.01, 0.1):
        code = np.clip(np.rint((parts - low) * (top + k) / span), 0, top)
        sw, sl, sl2, sx, sxl = (
            np.sum(w * v, axis=1, keepdims=True) for v in (1, code, code**2, parts, parts * code)
        )
        scale = (sw * sxl - sx * sl) / (sw * sl2 - sl**2)
        depth = np.maximum((scale * sl - sx) / sw, 0.0)
        error = np.sum(w * (scale * code - depth - parts) ** 2, axis=1, keepdims=True)
        better = (error < least) & (scale > 0)
        best = [np.where(better, *pair) for pair in zip((scale, depth), best, strict=True)]
        least = np.where(better, error, least)
    held, integers = zip(
        *(format._shared(sizes.reshape(-1, 256 // format.part), 63) for sizes in best), strict=True
    )
    beside = [*held, *(whole.astype(np.uint8) for whole in integers)]
    s, m = format.steps(x.shape, *beside)
    code = np.clip(np.rint((x + m) / np.where(s > 0, s, 1)), 0, top).astype(np.uint8)
    return format.decode(h, code, *beside).astype(F), kept(tuple(beside))


@pytest.mark.parametrize("name", ["q4_k", "q5_k", "q6_k"])
def test_parts_err_by_no_more_than_their_grid(name: str) -> None:
    """Neither of `encode` nor of a search, whatever the sizes and signs; of a wide one by more."""
    format, rng = MORE[name], np.random.default_rng(11)
    h, n = format.Hyper(), 2**13
    x = np.concatenate([
        numbers((n,)), -np.abs(numbers((n,))), numbers((n,)) ** 5,
        rng.choice((-1.0, 1.0), n), np.zeros(256), np.full(256, -3.0),
        numbers((n,)) * 10.0 ** np.repeat(rng.uniform(-9, 4, n // 32), 32), numbers((77,)),
    ]).astype(F)  # fmt: skip
    code, *held = format.encode(h, x)
    back = format.decode(h, code, *held).astype(F)
    error, limit = format.misfits(h, x, back, *kept(tuple(held)))
    assert np.all(error <= limit)
    assert np.max(error / np.where(limit, limit, 1.0)) > 0.25
    if format.minima:
        whole = x[: n * 3 // 256 * 256].astype(np.float64)
        error, limit = format.misfits(h, whole, *_in_line(searched(format, whole)))
        assert np.all(error <= limit)


def _in_line(found: tuple[Array, list[Array]]) -> list[Array]:
    return [found[0], *found[1]]


@pytest.mark.parametrize("name", ["q4_k", "q5_k"])
@pytest.mark.parametrize("wider", [1.03, 1.05, 1.1])
def test_a_grid_that_is_a_little_too_wide_errs_too_much(name: str, wider: float) -> None:
    """On numbers of the plain grid, which that itself keeps but for the rounding of its scales."""
    format = MORE[name]
    h, top = format.Hyper(), len(format.row.elements) - 1
    x = np.resize(np.arange(top + 1) / 8, (64, 32)).astype(np.float64)
    x[:, 0], x[:, -1] = 0.0, top / 8
    x = x.reshape(-1)
    for factor, passes in ((1.0, True), (wider, False)):
        width, depth = (
            size * part for size, part in zip(format.grid(h, x), (factor, 1), strict=True)
        )
        (d, scale), (dmin, least) = (format._shared(sizes, format.most) for sizes in (width, depth))
        held = [d, dmin, scale.astype(np.uint8), least.astype(np.uint8)]
        s, m = format.steps(x.shape, *held)
        code = np.clip(np.rint((x + m) / s), 0, top).astype(np.uint8)
        error, limit = format.misfits(h, x, format.decode(h, code, *held), *kept(tuple(held)))
        assert np.all(error <= limit) == passes


@pytest.mark.parametrize("name", ["q4_k", "q6_k"])
def test_parts_beyond_float16_or_not_finite_promise_nothing(name: str) -> None:
    """Nor do the other parts of their blocks; those of other blocks do."""
    format = MORE[name]
    x = np.resize(numbers((256,)), (4, 256))
    x[0, 3], x[1, 200], x[2, 255] = np.inf, np.nan, 1e30
    held = format.encode(format.Hyper(), np.nan_to_num(x, posinf=0.0))[1:]
    _, bound = format.misfits(format.Hyper(), x, np.zeros_like(x), *kept(held))
    assert np.array_equal(np.any(bound > 0, axis=1), [False, False, False, True])
    assert np.all(bound[3] > 0)


def test_noise_falls_with_the_bits() -> None:
    """Of N(0, 1), in decibels: by six a bit, K-quants no worse than what they take the place of."""
    x, found = numbers((2**14,), shift=0.0), {}
    for name in ("q4_0", "q4_1", "q4_k", "q5_1", "q5_k", "q6_k", "uint4", "uint8"):
        format = QUANTIZERS[name]
        h = format.Hyper()
        back = format.decode(h, *format.encode(h, x)).astype(F)
        found[name] = 10 * np.log10(np.mean(x**2) / np.mean((back - x) ** 2))
    assert found["q4_1"] > found["q4_0"]
    assert abs(found["q5_1"] - found["q4_1"] - 6.3) < 0.5
    assert abs(found["uint8"] - found["uint4"] - 24.6) < 0.5
    assert found["q4_k"] > found["q4_0"] - 0.5 and found["q5_k"] > found["q4_k"] + 5.5
    assert found["q6_k"] > found["q5_k"]


@pytest.mark.parametrize("name", ["fp4_nested", "nf4_nested"])
def test_absmax_err_by_at_most_half_a_gap_of_their_map(name: str) -> None:
    """0.00703 of the largest distance from the mean; what is read back has that absmax."""
    format = MORE[name]
    h, inner = format.Hyper(), format.cut
    x = numbers((600 * 64,))
    code, absmax_code, absmax2, offset = format.encode(h, x)
    absmax = inner.extremes(inner.Hyper(), x)
    assert absmax2.shape == (3,) and np.isclose(offset[0], absmax.mean(), rtol=1e-7)
    back = format.decode(h, code, absmax_code, absmax2, offset)
    read = np.abs(back).reshape(-1, 64).max(axis=1)
    assert np.max(np.abs(read - absmax)) <= 0.00704 * absmax2.max()


def test_an_absmax_far_below_the_mean_is_read_below_zero() -> None:
    """A block of 0.1 beside one of 30 is turned over: the format's doing, and no kernel's."""
    format = MORE["nf4_nested"]
    x = np.repeat([0.1, *[2.0] * 10, 30.0], 64)
    back = format.decode(format.Hyper(), *format.encode(format.Hyper(), x))
    assert -0.05 < back[0] < -0.04
    assert np.allclose(back[64:-64], 2.0, rtol=0.01)


def inverted(x: Any) -> tuple[Any, Any, Any]:
    """8 bits for the tensor in float32, with reciprocals in the place of divisions."""
    low, high = min(x.min(), F(0)), max(x.max(), F(0))
    scale = (high - low) * (F(1) / F(255))
    zero = np.clip(np.rint(-low * (F(1) / scale)), 0, 255)
    code = np.clip(np.rint(x * (F(1) / scale)) + zero, 0, 255)
    return code.astype(np.uint8), np.array([scale]), np.array([zero], np.uint8)


def test_float32_kernels_of_another_order_are_admissible() -> None:
    """Reciprocals for quotients, declared as such, on many tensors."""
    format = MORE["uint8_tensor"]
    h = format.Hyper(normalise="reciprocal")
    rng = np.random.default_rng(8)
    for _ in range(200):
        x = (rng.standard_normal(50) * 10.0 ** rng.integers(-5, 5)).astype(F)
        code, scale, zero = inverted(x)
        wide = x.astype(np.float64)
        due = format.intervals(h, wide, scale.astype(float), zero, division_ulps=0.5)
        low, high = format.admissible(h, wide, scale.astype(float), zero)
        assert (low <= code).all() and (code <= high).all()
        for held, (least, most) in zip((scale, zero), due.values(), strict=True):
            assert least[0] <= held[0] <= most[0]


@pytest.mark.parametrize("name", [name for name in MORE if MORE[name].DIALECTS])
def test_every_dialect_passes_what_it_declares(name: str) -> None:
    """The reference's own lines under each choice that is not the first."""
    for field, choices in MORE[name].Hyper.CHOICES.items():
        kernel = Kernel(name, dialect={field: choices[-1]})
        for check in checks_of(kernel):
            if check.name in ("random", "thresholds"):
                result = run_check(kernel, check, level="smoke", seed=4)
                assert result.verdict == "pass", result.message
