"""Logarithms between a block's least and largest: exact codes, ends, and a float32 kernel."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

from truestep.reference.log_ranges import FORMATS, LEAST, TOP
from truestep.reference.validation import Array

every = pytest.mark.parametrize("name", FORMATS)


def numbers(seed: int = 0, size: int = 300) -> Array:
    """Float32 numbers of many sizes, a zero among them, in blocks of 64 and a short one."""
    rng = np.random.default_rng(seed)
    x = np.exp(rng.uniform(-60, 3, (size + 63) // 64)).repeat(64)[:size] * rng.chisquare(1, size)
    x[5] = 0.0
    return x.astype(np.float32).astype(np.float64)


@every
def test_codes_and_values_are_those_of_exact_arithmetic(name: str) -> None:
    """With 40 digits: the nearest step of the logarithm, between ends that are rounded outwards."""
    rule, x = FORMATS[name], numbers()
    h = rule.Hyper(block_size=64)
    code, low, high = rule.encode(h, x)
    back = rule.decode(h, code, low, high)
    with mpmath.workdps(40):
        for block in range(5):
            at = slice(64 * block, 64 * block + 64)
            logs = [mpmath.log(max(float(y), LEAST)) for y in x[at]]
            a, b = (mpmath.mpf(float(end[block])) for end in (low, high))
            assert a <= min(logs) < mpmath.mpf(float(np.nextafter(low[block], np.float16(9))))
            assert mpmath.mpf(float(np.nextafter(high[block], np.float16(-999)))) < max(logs) <= b
            for log, k, y in zip(logs, code[at], back[at], strict=True):
                assert abs((log - a) / (b - a) * rule.top - int(k)) <= 0.5 + 1e-9
                due = mpmath.exp(a + (b - a) * int(k) / rule.top)
                assert abs(mpmath.mpf(float(y)) / due - 1) < 1e-13


def _kernel(rule: Any, h: Any, x: Array) -> tuple[Array, Array, Array]:
    """In float32 throughout, each operation rounded, ends from float32 logarithms."""
    f = np.float32
    logs = np.minimum(np.log(np.maximum(x.astype(f), f(LEAST))), f(TOP))
    group = rule.group_of(h, x.shape)
    ends = []
    for pick, up in ((np.minimum, np.inf), (np.maximum, -np.inf)):
        end = np.full(group.max() + 1, up, f)
        pick.at(end, group, logs)
        near = end.astype(np.float16)
        wrong = near.astype(f) > end if up > 0 else near.astype(f) < end
        ends.append(np.where(wrong, np.nextafter(near, np.float16(-up)), near))
    a, b = (end.astype(f)[group] for end in ends)
    q = (logs - a) / ((b - a) / f(rule.top))
    return np.clip(np.floor(q + f(0.5)), 0, rule.top).astype(np.uint8), *ends


@every
def test_float32_kernels_are_admissible(name: str) -> None:
    """Its ends, codes and values lie in their intervals; few codes have more than one that is."""
    rule = FORMATS[name]
    h = rule.Hyper(block_size=64)
    for seed in range(8):
        x = numbers(seed, 2000)
        code, *ends = _kernel(rule, h, x)
        due = rule.intervals(h, x, *ends, division_ulps=0.5)
        for got, (least, most) in zip(ends, due.values(), strict=True):
            assert ((least <= got) & (got <= most)).all()
        low, high = rule.admissible(h, x, *(end.astype(float) for end in ends))
        assert ((low <= code) & (code <= high)).all()
        assert (low != high).mean() < 0.01
        f = np.float32
        a, b = (end.astype(f)[rule.group_of(h, x.shape)] for end in ends)
        back = np.exp(a + code.astype(f) / f(rule.top) * (b - a))
        least, most = rule.decoded(h, code, *(end.astype(float) for end in ends))
        assert ((least <= back) & (back <= most)).all()
        assert (most / least - 1 < 4e-5).all()


@every
def test_groups_at_the_ends_are_as_said(name: str) -> None:
    """Zeros, one number, infinity and nan."""
    rule = FORMATS[name]
    h = rule.Hyper(block_size=4)
    x = np.repeat([0.0, 1.0, np.inf, np.nan], 4)
    code, low, high = rule.encode(h, x)
    assert low.tolist()[:3] == high.tolist()[:3] == [float(np.float16(np.log(LEAST))), 0.0, TOP]
    assert np.isnan([low[3], high[3]]).all()
    assert (code == 0).all()
    back = rule.decode(h, code, low, high)
    assert np.allclose(back[:4], LEAST, rtol=0.04)
    assert (back[4:8] == 1).all()
    assert np.isfinite(back[8:12]).all()
    free = rule.admissible(h, x, low.astype(float), high.astype(float))
    assert (free[0] == 0).all()
    assert (free[1] == rule.top).all()


def test_a_step_more_than_halves_no_number() -> None:
    """Of a moment over six decades 4 bits keep every size to a factor of sqrt(10^(6/15))."""
    rule = FORMATS["log_range_4bit"]
    h = rule.Hyper(block_size=128)
    x = 10.0 ** np.random.default_rng(1).uniform(-9, -3, 4096)
    back = rule.decode(h, *rule.encode(h, x))
    worst = np.abs(np.log(back / x)).max()
    assert worst <= np.log(10) * 6 / 30 * 1.01
