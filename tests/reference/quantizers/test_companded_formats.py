"""Companded integers: against fractions, float32 kernels, and the noise of plain integers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.companded_formats import FORMATS
from truestep.reference.quantizers import QUANTIZERS

F = np.float32
SOFTSIGN, ROOT = FORMATS["softsign_8bit"], FORMATS["sqrt_8bit"]


def moments(name: str, seed: int = 0, n: int = 2**12) -> Any:
    """Numbers of one sign or two, from three orders of magnitude."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n) * 10.0 ** rng.uniform(-3, 0, n)
    return (x if name == "softsign_8bit" else x**2).astype(F).astype(np.float64)


def curve(name: str, n: Fraction) -> Fraction:
    """What is rounded to an integer, of a root its square."""
    return 127 * 2 * n / (1 + abs(n)) if name == "softsign_8bit" else 255**2 * n


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_codes_are_those_of_exact_arithmetic(name: str) -> None:
    """Half a step added and cut off, as fractions; under a root as squares."""
    format = FORMATS[name]
    x = moments(name)
    code, scale = format.encode(format.Hyper(), x)
    for k in np.random.default_rng(1).integers(0, x.size, 200):
        size = Fraction(float(np.abs(x[k // 32 * 32 :][:32]).max()))
        z, count = curve(name, Fraction(float(x[k])) / size), int(format.counted(code[k]))
        if name == "softsign_8bit":
            assert count == (z + Fraction(1, 2)) // 1
        else:
            assert max(Fraction(2 * count - 1, 2), 0) ** 2 <= z < Fraction(2 * count + 1, 2) ** 2
        root = np.sqrt(F(size)) if name == "sqrt_8bit" else F(size)
        assert scale[k // 32] == np.float16(root)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_ties_go_up_or_to_the_even_step(name: str) -> None:
    """Half a step lies at 1/507 of the largest magnitude, under a root at 1/260100."""
    format, x = FORMATS[name], np.zeros(32)
    x[0], x[1] = (507.0, 1.0) if name == "softsign_8bit" else (260100.0, 1.0)
    for rounding, due in (("half_up", 1), ("nearest_even", 0)):
        code, _ = format.encode(format.Hyper(rounding=rounding), x)
        assert code[1] == due
    if name == "softsign_8bit":
        for rounding in ("half_up", "nearest_even"):
            code, _ = format.encode(format.Hyper(rounding=rounding), -x)
            assert format.counted(code)[1] == 0


def kernel(name: str, x: Any, least: float) -> tuple[Any, Any, Any]:
    """flashoptim's lines in float32: codes, scales, and what is read."""
    groups = x.astype(F).reshape(-1, 32)
    groups = np.sqrt(groups) if name == "sqrt_8bit" else groups
    a = np.maximum(np.abs(groups).max(axis=1), F(least))
    n, scale = groups / a[:, None], a.astype(np.float16)
    steps = F(255 if name == "sqrt_8bit" else 127)
    y = n if name == "sqrt_8bit" else F(2) * n / (F(1) + np.abs(n))
    count = np.floor(y * steps + F(0.5))
    y = count / steps
    y = y if name == "sqrt_8bit" else y / (F(2) - np.abs(y))
    back = y * scale.astype(F)[:, None]
    back = back * back if name == "sqrt_8bit" else back
    return count.astype(np.int16).astype(np.uint8).reshape(x.shape), scale, back.reshape(x.shape)


@pytest.mark.parametrize("least", [0.0, 1e-12])
@pytest.mark.parametrize("name", sorted(FORMATS))
def test_the_papers_kernel_is_admissible(name: str, least: float) -> None:
    """Codes, scales and decoded values of its float32 lines, of sizes from 1e-14 to 1e3."""
    format = FORMATS[name]
    h = format.Hyper(least=least)
    for seed in range(60):
        x = (moments(name, seed, 320) * 10.0 ** (seed % 18 - 14)).astype(F)
        code, scale, back = kernel(name, x, least)
        wide = x.astype(np.float64)
        low, high = format.admissible(h, wide, scale.astype(np.float64))
        rank = format.rank(code)
        assert ((low <= rank) & (rank <= high)).all()
        assert np.mean(low < high) < 0.01
        ends = format.scales(h, wide)
        assert np.array_equal(ends[0], scale) and np.array_equal(ends[1], scale)
        low, high = format.decoded(h, code, scale.astype(np.float64))
        assert ((low <= back) & (back <= high)).all()


def test_groups_at_the_ends_are_as_said() -> None:
    """Zeros, what float16 loses and cannot hold, a number below zero under a root."""
    h = SOFTSIGN.Hyper()
    x = np.repeat([0.0, 2.0**-26, 7e4], 32)
    code, scale = SOFTSIGN.encode(h, x)
    assert scale.tolist() == [0.0, 0.0, np.inf]
    assert SOFTSIGN.counted(code)[::32].tolist() == [0, 127, 127]
    assert SOFTSIGN.decode(h, code, scale)[::32].tolist() == [0.0, 0.0, np.inf]
    assert SOFTSIGN.encode(SOFTSIGN.Hyper(least=1e-12), np.full(32, 5e-13))[0][0] == 85
    with np.errstate(invalid="ignore"):
        assert np.isnan(ROOT.encode(ROOT.Hyper(), np.append(np.ones(31), -1.0))[1]).all()


def test_small_moments_are_kept_better_than_by_plain_integers() -> None:
    """Relative errors of numbers far below their group's largest; the curves are for these."""
    for name, plain in (("softsign_8bit", "int8"), ("sqrt_8bit", "linear_8bit_unsigned")):
        x = moments(name, 3)
        found = []
        for each in (name, plain):
            format = QUANTIZERS[each]
            fields = {} if each == name else {"block_size": 32}
            h = format.Hyper(**fields)
            back = format.decode(h, *format.encode(h, x))
            small = np.abs(x) > 0
            found.append(np.median(np.abs(back - x)[small] / np.abs(x)[small]))
        assert found[0] < 0.75 * found[1]


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize("rounding", ["half_up", "nearest_even"])
def test_a_right_kernel_passes_every_check(name: str, rounding: str) -> None:
    """Cases, thresholds, codes and laws."""
    backend = Kernel(name, dialect={"rounding": rounding})
    for check in checks_of(backend):
        found = run_check(backend, check, level="smoke", seed=1)
        few = check.name.startswith("law")
        assert found.verdict in ("pass", *(("not_judged",) if few else ())), found.message
