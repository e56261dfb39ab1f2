"""Rules whose step's size and direction part, number by number in forty digits."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpmath import log, mpf, sign, sqrt

from truestep.reference.optimizers import a2grad, adamg, ano, focus, gravity, msvag

sys.path.insert(0, str(Path(__file__).parent))
from forty_digits import digits

P0 = (1.0, -2.0, 0.5, 0.25)
G = ((0.5, -1.0, 0.125, 2.0), (-0.25, 0.5, 0.0625, 1e-3), (1.0, 0.75, -3.0, -2.0))


def _adamg(p: mpf, own: list[mpf], largest: list[mpf]) -> mpf:
    m = v = r = mpf(0)
    for t, g in enumerate(own, 1):
        v = mpf(0.5) * v + mpf(0.5) * g**2
        r = mpf(0.75) * r + mpf(0.25) * mpf(0.3) * v ** mpf(0.4)
        m = mpf(0.25) * m + mpf(0.75) * r * g
        rate = min(mpf(0.6), 1 / sqrt(t))
        moved = m / (1 - mpf(0.25) ** t) / (sqrt(v / (1 - mpf(0.5) ** t)) + mpf(0.01))
        p = p * (1 - mpf(0.6) * mpf(0.1)) - rate * moved
    return p


def _ano(p: mpf, own: list[mpf], largest: list[mpf]) -> mpf:
    m = v = mpf(0)
    for t, g in enumerate(own, 1):
        beta = 1 - 1 / log(max(t, 2))
        m = beta * m + (1 - beta) * g
        v = mpf(0.75) * v + mpf(0.25) * sign(g**2 - v) * g**2
        far = abs(g) / sqrt(v / (1 - mpf(0.75) ** t) + mpf(0.01))
        p = p * (1 - mpf(0.1) * mpf(0.2)) - mpf(0.1) * far * sign(m)
    return p


def _focus(p: mpf, own: list[mpf], largest: list[mpf]) -> mpf:
    m = a = mpf(0)
    for t, g in enumerate(own, 1):
        m = mpf(0.75) * m + mpf(0.25) * g
        a = mpf(0.5) * a + mpf(0.5) * p
        mean = a / (1 - mpf(0.5) ** t)
        p = p - mpf(0.1) * (sign(m) + mpf(0.3) * sign(p - mean)) - mpf(0.1) * mpf(0.2) * mean
    return p


def _gravity(p: mpf, own: list[mpf], largest: list[mpf]) -> mpf:
    v = mpf(0)
    for k, (g, most) in enumerate(zip(own, largest, strict=True)):
        beta = (mpf(0.75) * k + 1) / (k + 2)
        v = beta * v + (1 - beta) * g / (1 + (g / (1 / most)) ** 2)
        p = p - mpf(0.1) * v
    return p


def _msvag(p: mpf, own: list[mpf], largest: list[mpf]) -> mpf:
    """With the paper's rho, equation (19), and the factor as one minus the variance's share."""
    m = v = mpf(0)
    beta = mpf(0.75)
    for t, g in enumerate(own, 1):
        m = beta * m + (1 - beta) * g
        v = beta * v + (1 - beta) * g**2
        left = 1 - beta**t
        rho = min((1 - beta) * (1 + beta**t) / ((1 + beta) * left), mpf(0.9999))
        mean = m / left
        noise = rho * (v / left - mean**2) / (1 - rho)
        p = p - mpf(0.1) * mean * (1 - noise / (mean**2 + noise))
    return p


Route = Callable[[mpf, list[mpf], list[mpf]], mpf]
ROUTES: list[tuple[Any, dict[str, Any], Route]] = [
    (
        adamg,
        {
            "lr": 0.6, "beta1": 0.25, "beta2": 0.5, "beta3": 0.75, "scale": 0.3, "power": 0.4,
            "eps": 0.01, "weight_decay": 0.1,
        },
        _adamg,
    ),
    (
        ano,
        {"lr": 0.1, "beta2": 0.75, "eps": 0.01, "weight_decay": 0.2, "memory": "logarithmic"},
        _ano,
    ),
    (focus, {"lr": 0.1, "beta1": 0.75, "beta2": 0.5, "gamma": 0.3, "weight_decay": 0.2}, _focus),
    (gravity, {"lr": 0.1, "beta": 0.75}, _gravity),
    (msvag, {"lr": 0.1, "beta": 0.75}, _msvag),
]  # fmt: skip


def _each(route: Route) -> Iterator[mpf]:
    """The route's points after nine steps, element by element."""
    largest = [mpf(max(map(abs, g))) for g in 3 * G]
    for i, p in enumerate(P0):
        yield route(mpf(p), [mpf(g[i]) for g in 3 * G], largest)


@pytest.mark.parametrize(("module", "hyper", "route"), ROUTES)
def test_nine_steps_are_those_of_forty_digits(
    module: Any, hyper: dict[str, Any], route: Route
) -> None:
    """The definition's lines and these, which are written by themselves, reach the same points."""
    h = module.Hyper(**hyper)
    p = np.array(P0)
    s = module.init(h, p)
    for g in 3 * G:
        s, p = module.step(h, s, p, np.array(g))
    assert digits(p) == digits(np.array([float(x) for x in _each(route)]))


def test_a2grads_point_is_the_mean_of_the_papers_two() -> None:
    """The average of points and the point are kept apart, and the gradient is taken between."""
    h = a2grad.Hyper(beta=0.5, lips=2.0)
    p = point = average = np.array(P0)
    s = a2grad.init(h, p)
    squares, seen = 0.0, []
    for k, g in enumerate(3 * G):
        s, p = a2grad.step(h, s, p, np.array(g))
        seen.append(g)
        squares += np.sum(np.square(g - np.mean(seen, axis=0)))
        point = point - np.array(g) / (2 * 2.0 / (k + 1) + 0.5 * np.sqrt(squares))
        weight, following = 2 / (k + 2), 2 / (k + 3)
        average = (1 - weight) * average + weight * point
        assert digits(p) == digits((1 - following) * average + following * point)
