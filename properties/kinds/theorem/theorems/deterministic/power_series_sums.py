"""Sums of t^-p over doubling stretches: which step sizes satisfy Robbins and Monro, and why."""

import numpy as np

from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.kinds.theorem.theorems.controls import numbers
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    spoilt,
)

POWERS, DOUBLINGS = (0.5, 0.6, 1.0, 1.5), 12
# Of a value: the quotient and lr, the power itself as loose as any arithmetic declares it, and the
# exponent's own rounding, which counts ln t times; the sum in float64 errs by less.
_LOOSEST = max(arithmetic.ulps_power for arithmetic in PROFILES.values())
_ROUNDINGS = 4 + 2 * _LOOSEST + max(POWERS) * float(np.log(2**DOUBLINGS))


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Sums of a_t and of a_t^2 over [2^k, 2^(k + 1)), against the integrals that enclose them.

    A falling function's sum over a stretch is at most its integral there and its first value, and
    at least the integral and its last; so sums grow or shrink by the factor 2^(1 - p) in the end.
    """
    outcomes: list[Outcome] = []
    points: list[Point] = []
    for p in POWERS:
        a = np.array(kernel.rates(range(2**DOUBLINGS), lr=1.0, shift=1.0, power=p))
        for k in range(DOUBLINGS):
            # a_0 is that of the first step: stretches of the count of steps, which begins at 1.
            part = slice(2**k - 1, 2 ** (k + 1) - 1)
            for name, terms, q in (("a_t", a[part], p), ("a_t^2", a[part] ** 2, 2 * p)):
                low, high = _enclosed(2.0**k, q)
                slack = _ROUNDINGS * q / p * kernel.u * high
                got, middle = float(terms.sum()), (low + high) / 2
                allowed = (high - low) / 2 + slack
                where = f"p = {p}: sum of {name} from {2**k}"
                change = 2 * allowed / middle
                outcomes.append(Outcome(abs(got - middle) / allowed, where, change))
                if p == 1.0 and name == "a_t":
                    points.append((2**k, got, middle, (low - slack, high + slack)))
    return Evidence.of(outcomes, points)


def _enclosed(first: float, q: float) -> tuple[float, float]:
    """Between what the sum of t^-q over first <= t < 2 first lies."""
    end = 2 * first
    integral = np.log(2) if q == 1 else (end ** (1 - q) - first ** (1 - q)) / (1 - q)
    # To t = end the sum would lie within these of the integral; without the last term, below both.
    return float(integral), float(integral + first**-q - end**-q)


POWER_SERIES = Theorem(
    name="power_series_sums",
    topic="deterministic",
    statement=(
        "The sums of t^-p over [2^k, 2^(k + 1)) are of the order 2^(k (1 - p)): sum a_t is "
        "infinite if and only if p <= 1, and sum a_t^2 finite if and only if p > 1 / 2. So c / t "
        "and c / t^0.6 satisfy both conditions of Robbins and Monro, c / sqrt(t) violates the "
        "second and c / t^1.5 the first."
    ),
    source="A. L. Cauchy, Cours d'analyse, 1821, chapter 6; H. Robbins, S. Monro, 1951",
    subject=Subject("power", "schedule", sets=("lr", "shift", "power")),
    constants={"c": 1.0, "doublings": DOUBLINGS},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "a power 1 percent too large": numbers(
                lambda given, t: {**given, "power": 1.01 * float(given["power"])}
            ),
            "a count that begins one late": numbers(lambda given, t: {**given, "shift": 2.0}),
        },
    ),
    axes=("2^k", "sum of 1 / t over a stretch"),
    changed="the sum of a stretch",
)
