"""Stochastic rounding by exact binomial tests: how often it goes up, whether draws repeat."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc

from truestep.properties.judge.calls import BackendFault
from truestep.properties.judge.contracts import Judgement, not_judged
from truestep.properties.kinds.quantizer.step import Subject
from truestep.reference.declared import Hyper

# The probability that a faithful kernel fails one check: small beside a million runs. It is shared
# among the tests of the check (Bonferroni).
FALSE_ALARM = 1e-9
# Elements per tensor: a bias of 2^-9 in the probability is then eight standard deviations.
ELEMENTS = 2**22
# Parts of the spacing that are cut off, in units of 2^-16: the ends, the middle and between.
PARTS = (1, 2**8, 2**13, 2**15, 2**16 - 2**13, 2**16 - 1)
# Distances at which a generator that is shared by lanes, warps, blocks or calls repeats itself.
LAGS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


def judged(subject: Subject, name: str) -> Judgement:
    """The verdict of "frequency" (ups are exactly binomial) or "independence" (no draw repeats).

    The utilisation is the logarithm of the smallest probability over that of the limit. Raises
    BackendFault below the limit.
    """
    hyper = subject.rule.Hyper(**subject.capability.dialect)
    test = _frequency if name == "frequency" else _independence
    p_values = test(subject, hyper)
    limit = FALSE_ALARM / len(p_values)
    told, p_value = min(p_values, key=lambda item: item[1])
    if p_value <= limit:
        raise BackendFault(
            f"{told}; probability {p_value:.3g} under the exact law, fails below {limit:.3g} "
            f"(false-alarm probability of the check {FALSE_ALARM:g})"
        )
    utilisation = math.log(max(p_value, 1e-300)) / math.log(limit)
    return replace(not_judged(len(p_values)), judged=len(p_values), utilisation=utilisation)


def _number(part: int, sign: int) -> np.float32:
    """A float32 between 1 and the next bfloat16, of which part 2^-16 of the spacing is cut off."""
    return np.float32(sign * (1 + part * 2.0**-23))


def _ups(subject: Subject, hyper: Hyper, x: np.float32, n: int) -> NDArray[np.bool_]:
    """Which of n equal elements went to the upper of their two values."""
    out = subject.encode(hyper, np.full(n, x, dtype=np.float32))
    return out.back > x


def _frequency(subject: Subject, hyper: Hyper) -> list[tuple[str, float]]:
    found = []
    for part in PARTS:
        for sign in (1, -1):
            x = _number(part, sign)
            p = float(subject.rule.probability_up(np.asarray([x], dtype=np.float64))[0])
            n = ELEMENTS // (2 * len(PARTS)) * 2
            ups = int(np.count_nonzero(_ups(subject, hyper, x, n)))
            tails = bdtr(ups, n, p), bdtrc(ups - 1, n, p)
            told = f"{ups} of {n} elements {float(x)!r} went up, expected {n * p:.1f}"
            found.append((told, min(1.0, 2 * float(min(tails)))))
    return found


def _independence(subject: Subject, hyper: Hyper) -> list[tuple[str, float]]:
    x, n = _number(2**15, 1), 2**16
    first, second = (_ups(subject, hyper, x, n) for _ in range(2))
    pairs = [("of two calls", first, second)]
    pairs += [(f"at distance {lag}", first[:-lag], first[lag:]) for lag in LAGS]
    found = []
    for told, a, b in pairs:
        same, count = int(np.count_nonzero(a == b)), len(a)
        tails = bdtr(same, count, 0.5), bdtrc(same - 1, count, 0.5)
        p_value = min(1.0, 2 * float(min(tails)))
        found.append((f"{same} of {count} draws {told} agree, expected half", p_value))
    return found
