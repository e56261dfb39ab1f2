"""Rules that hold a gradient against numbers of its tensor: nine steps again in forty digits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpmath import mpf, sqrt

from truestep.reference.optimizers import (
    adagc,
    adams,
    adashift,
    aida,
    amos,
    avagrad,
    fadam,
    sgd_sai,
    vsgd,
)

sys.path.insert(0, str(Path(__file__).parent))
from forty_digits import digits

P0 = (1.0, -2.0, 0.5, 0.25)
G = ((0.5, -1.0, 0.125, 2.0), (-0.25, 0.5, 0.0625, 1e-3), (1.0, 0.75, -3.0, -2.0))
Point = list[mpf]


def _norm(x: Point) -> mpf:
    return sqrt(sum(e**2 for e in x))


def _rms(x: Point) -> mpf:
    return sqrt(sum(e**2 for e in x) / len(x))


def _by_element(route: Callable[[mpf, Point], mpf]) -> Callable[[Point, list[Point]], Point]:
    return lambda p, gradients: [route(x, [g[i] for g in gradients]) for i, x in enumerate(p)]


def _adagc(p: Point, gradients: list[Point]) -> Point:
    """The first four gradients by the number, the others by the average of norms."""
    m = v = [mpf(0)] * len(p)
    norms = []
    for t, g in enumerate(gradients, 1):
        longest = mpf(1.5) if t < 5 else mpf(1.25) * norms[-1]
        short = [x * min(longest / _norm(g), mpf(1)) for x in g]
        norm = _norm(short)
        if t < 5:
            norms.append(min([*norms, norm]))
        else:
            norms.append(mpf(0.75) * norms[-1] + mpf(0.25) * norm)
        m = [mpf(0.75) * a + mpf(0.25) * x for a, x in zip(m, short, strict=True)]
        v = [mpf(0.5) * a + mpf(0.5) * x**2 for a, x in zip(v, short, strict=True)]
        left, below = 1 - mpf(0.75) ** t, 1 - mpf(0.5) ** t
        p = [
            x - mpf(0.1) * mpf(0.2) * x - mpf(0.1) * a / left / (sqrt(b / below) + mpf(0.01))
            for x, a, b in zip(p, m, v, strict=True)
        ]
    return p


def _adams(p: Point, gradients: list[Point]) -> Point:
    """The decay from the squares of all gradients so far, each by its weight."""
    m = v = [mpf(0)] * len(p)
    for t, g in enumerate(gradients, 1):
        m = [mpf(0.75) * a + mpf(0.25) * x for a, x in zip(m, g, strict=True)]
        v = [mpf(0.5) * a + mpf(0.5) * x**2 for a, x in zip(v, g, strict=True)]
        left, below = 1 - mpf(0.75) ** t, 1 - mpf(0.5) ** t
        squares = sum(mpf(0.5) ** (t - j) * _rms(x) ** 2 for j, x in enumerate(gradients[:t]))
        decay = mpf(0.1) * mpf(0.2) / sqrt(squares / below)
        p = [
            x - decay * x - mpf(0.1) * a / left / (sqrt(b / below) + mpf(0.01))
            for x, a, b in zip(p, m, v, strict=True)
        ]
    return p


def _adashift(p: Point, gradients: list[Point]) -> Point:
    """The average from the last three gradients themselves."""
    v = mpf(0)
    for t, g in enumerate(gradients):
        if t < 3:
            continue
        weights = [mpf(0.75) ** i for i in range(3)]
        last = [gradients[t - i] for i in range(3)]
        v = mpf(0.5) * v + mpf(0.5) * max(x**2 for x in gradients[t - 3])
        root = sqrt(v / (1 - mpf(0.5) ** (t - 2))) + mpf(0.01)
        for i in range(len(g)):
            mean = sum(w * x[i] for w, x in zip(weights, last, strict=True)) / sum(weights)
            p = [*p[:i], p[i] - mpf(0.1) * mean / root, *p[i + 1 :]]
    return p


def _aida(p: Point, gradients: list[Point]) -> Point:
    """Each projection scales a vector by the cosine and the other's length over its own."""
    m = v = [mpf(0)] * len(p)
    for t, g in enumerate(gradients, 1):
        m = [mpf(0.75) * a + mpf(0.25) * x for a, x in zip(m, g, strict=True)]
        cosine = sum(a * x for a, x in zip(m, g, strict=True)) / _norm(m) / _norm(g)
        sizes = [_norm(g), _norm(m)]
        ways = [1, 1]
        for _ in range(3):
            sizes = [abs(cosine) * size for size in reversed(sizes)]
            ways = [way * (-1 if cosine * ways[0] * ways[1] < 0 else 1) for way in ways]
        x = [ways[0] * sizes[0] * e / _norm(g) for e in g]
        y = [ways[1] * sizes[1] * e / _norm(m) for e in m]
        v = [
            mpf(0.5) * a + mpf(0.5) * (one - other) ** 2 + mpf(0.01)
            for a, one, other in zip(v, x, y, strict=True)
        ]
        left, below = 1 - mpf(0.75) ** t, 1 - mpf(0.5) ** t
        p = [
            e - mpf(0.1) * mpf(0.2) * e - mpf(0.1) * a / left / sqrt(b / below)
            for e, a, b in zip(p, m, v, strict=True)
        ]
    return p


def _amos(p: Point, gradients: list[Point]) -> Point:
    """With the paper's factors: theta decays by gamma / 2, and what it lost compounds."""
    v, m = mpf(0), [mpf(0)] * len(p)
    lost = mpf(1)
    for t, g in enumerate(gradients, 1):
        v = mpf(0.75) * v + mpf(0.25) * _rms(g) ** 2
        moment = v / (1 - mpf(0.75) ** t)
        c = (1 + mpf(0.25) * sqrt(mpf(0.5)) * (lost - 1)) ** mpf(-0.5)
        d = (1 + mpf(0.25) * sqrt(mpf(0.5) * mpf(0.3)) * (lost - 1)) ** -1
        gamma = c * mpf(0.25) * _rms(g) ** 2 / moment
        steps = [
            d * (mpf(0.5) * mpf(0.3) * x / sqrt(moment) + (gamma / 2 + mpf(0.1)) * y)
            for x, y in zip(g, p, strict=True)
        ]
        m = [mpf(0.5) * a + mpf(0.5) * x for a, x in zip(m, steps, strict=True)]
        p = [y - x for y, x in zip(p, m, strict=True)]
        lost *= 1 + gamma
    return p


def _avagrad(p: Point, gradients: list[Point]) -> Point:
    """With the paper's vector of rates over its norm, times the root of its length."""
    m = v = [mpf(0)] * len(p)
    for t, g in enumerate(gradients, 1):
        m = [mpf(0.75) * a + mpf(0.25) * x for a, x in zip(m, g, strict=True)]
        left = 1 - mpf(0.5) ** (t - 1) if t > 1 else mpf(1)
        rates = [1 / (sqrt(a / left) + mpf(0.01)) for a in v]
        scale = mpf(0.1) * sqrt(len(p)) / _norm(rates) / (1 - mpf(0.75) ** t)
        p = [
            x - mpf(0.1) * mpf(0.2) * x - scale * r * a for x, r, a in zip(p, rates, m, strict=True)
        ]
        v = [mpf(0.5) * a + mpf(0.5) * x**2 for a, x in zip(v, g, strict=True)]
    return p


def _fadam(p: Point, gradients: list[Point]) -> Point:
    """The information as Adam's corrected second moment, which it is."""
    m = v = [mpf(0)] * len(p)

    def clipped(x: Point) -> Point:
        over = max(mpf(1), _rms(x) / mpf(0.5))
        return [e / over for e in x]

    for t, g in enumerate(gradients, 1):
        v = [mpf(0.75) * a + mpf(0.25) * x**2 for a, x in zip(v, g, strict=True)]
        least = min(mpf(0.05), mpf(0.1) * _rms(g))
        roots = [sqrt(a / (1 - mpf(0.75) ** t)) + least for a in v]
        natural = clipped([x / r for x, r in zip(g, roots, strict=True)])
        m = [mpf(0.5) * a + mpf(0.5) * x for a, x in zip(m, natural, strict=True)]
        decay = clipped([x / r for x, r in zip(p, roots, strict=True)])
        p = [x - mpf(0.1) * (a + mpf(0.2) * w) for x, a, w in zip(p, m, decay, strict=True)]
    return p


def _sgd_sai(p: Point, gradients: list[Point]) -> Point:
    """The variance as the mean of squares less the square of the mean."""
    first = gradients[0]
    n = len(first)
    variance = (_rms(first) ** 2 - (sum(first) / n) ** 2) * n / (n - 1)
    rate = mpf(0.1) * _norm(first) / (sqrt(variance) + mpf(0.01))
    m = first
    for t, g in enumerate(gradients):
        m = [mpf(0.75) * a + mpf(0.25) * x for a, x in zip(m, g, strict=True)] if t else m
        p = [x - mpf(0.1) * mpf(0.2) * x - rate * a for x, a in zip(p, m, strict=True)]
    return p


def _vsgd(p: mpf, own: Point) -> mpf:
    """Squares of differences as they are, precisions where the rule has variances."""
    prior, seen_prior, shape = mpf(0.02), mpf(0.06), mpf(0.02) + 1 + mpf(1e-4)
    mean = b = c = mpf(0)
    for t, g in enumerate(own, 1):
        if t == 1:
            inward, outward = (shape - 1) / prior, (shape - 1) / seen_prior
        else:
            inward, outward = shape / b, shape / c
        before, mean = mean, (g * outward + mean * inward) / (inward + outward)
        spread = 1 / (inward + outward)
        slow, fast = mpf(t) ** mpf(-0.75), mpf(t) ** mpf(-0.5)
        b += slow * (prior + spread + (mean - before) ** 2 - b)
        c += fast * (seen_prior + spread + (g - mean) ** 2 - c)
        p = p * (1 - mpf(0.1) * mpf(0.2)) - mpf(0.1) * mean / (sqrt(mean**2 + spread) + mpf(0.01))
    return p


_MOMENTS = {"lr": 0.1, "beta1": 0.75, "beta2": 0.5, "eps": 0.01, "weight_decay": 0.2}
ROUTES: list[tuple[Any, dict[str, Any], Callable[[Point, list[Point]], Point]]] = [
    (
        adagc,
        {**_MOMENTS, "beta": 0.75, "lambda_abs": 1.5, "lambda_rel": 1.25, "warmup_steps": 5},
        _adagc,
    ),
    (adams, _MOMENTS, _adams),
    (
        adashift,
        {"lr": 0.1, "beta1": 0.75, "beta2": 0.5, "keep_num": 3, "eps": 0.01},
        _adashift,
    ),
    (aida, {**_MOMENTS, "k": 3, "decay": "before"}, _aida),
    (
        amos,
        {"lr": 0.5, "eta": 0.3, "beta": 0.75, "momentum": 0.5, "weight_decay": 0.1},
        _amos,
    ),
    (avagrad, _MOMENTS, _avagrad),
    (
        fadam,
        {
            "lr": 0.1, "beta1": 0.5, "beta2": 0.75, "eps": 0.05, "eps2": 0.1, "clip": 0.5,
            "weight_decay": 0.2,
        },
        _fadam,
    ),
    (sgd_sai, {"lr": 0.1, "momentum": 0.75, "eps": 0.01, "weight_decay": 0.2}, _sgd_sai),
    (
        vsgd,
        {
            "lr": 0.1, "ratio": 3.0, "prior": 0.01, "tau1": 0.75, "tau2": 0.5, "eps": 0.01,
            "weight_decay": 0.2,
        },
        _by_element(_vsgd),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("module", "hyper", "route"), ROUTES)
def test_nine_steps_are_those_of_forty_digits(
    module: Any, hyper: dict[str, Any], route: Callable[[Point, list[Point]], Point]
) -> None:
    """The definition's lines and these, which are written by themselves, reach the same points."""
    h = module.Hyper(**hyper)
    p = np.array(P0)
    s = module.init(h, p)
    for g in 3 * G:
        s, p = module.step(h, s, p, np.array(g))
    due = route([mpf(x) for x in P0], [[mpf(x) for x in g] for g in 3 * G])
    assert digits(p) == digits(np.array([float(x) for x in due]))


def test_avagrads_last_rates_are_the_authors_loop() -> None:
    """The mean that is kept is of the moment before, corrected for the count of its own step."""
    h = avagrad.Hyper(**_MOMENTS, decay="coupled", rates="last")
    p = point = np.array(P0)
    s = avagrad.init(h, p)
    m, v, gamma = np.zeros(4), np.zeros(4), 0.0
    for t, gradient in enumerate(3 * G, 1):
        s, p = avagrad.step(h, s, p, np.array(gradient))
        g = np.array(gradient) + 0.2 * point
        m, root = 0.75 * m + 0.25 * g, np.sqrt(v)
        if t > 1:
            size = gamma * 0.1 / (1 - 0.75**t)
            point = point - size * m / (root / np.sqrt(1 - 0.5 ** (t - 1)) + 0.01)
        v = 0.5 * v + 0.5 * g * g
        rates = root / np.sqrt(1 - 0.5**t) + 0.01
        gamma = 1 / np.sqrt(np.sum(rates**-2.0) / rates.size)
        assert digits(p) == digits(point)
