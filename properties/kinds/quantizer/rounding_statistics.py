"""Stochastic rounding by exact binomial tests: how often it goes up, whether draws repeat.

A cast is given equal numbers, a format with groups the same in groups whose extreme fixes a scale
of 1. Of groups the probabilities are multiples of 2^-8, because the hardware's conversions to
floats of four to eight bits draw eight bits for a number; what lies between is not judged.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.special import bdtr, bdtrc

from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.cases.hypers import held
from truestep.properties.judge.calls import BackendFault
from truestep.properties.judge.contracts import Judgement, not_judged
from truestep.properties.kinds.quantizer.step import Subject
from truestep.reference.declared import Hyper
from truestep.reference.validation import Array

# The probability that a faithful kernel fails one check: small beside a million runs. It is shared
# among the tests of the check (Bonferroni).
FALSE_ALARM = 1e-9
# Elements per tensor: a bias of 2^-9 in the probability is then eight standard deviations.
ELEMENTS = 2**22
# Parts of the spacing that are cut off, in units of 2^-16: the ends, the middle and between.
PARTS = (1, 2**8, 2**13, 2**15, 2**16 - 2**13, 2**16 - 1)
# The same of groups, and elements of each number there: a bias of 2^-9 is then eight standard
# deviations at the ends.
PARTS_OF_GROUPS = (2**8, 2**13, 2**15, 2**16 - 2**8)
OF_GROUPS = 2**16
# Distances at which a generator that is shared by lanes, warps, blocks or calls repeats itself.
LAGS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


def judged(subject: Subject, name: str) -> Judgement:
    """The verdict of "frequency" (ups are exactly binomial) or "independence" (no draw repeats).

    The utilisation is the logarithm of the smallest probability over that of the limit. Raises
    BackendFault below the limit.
    """
    capability = subject.capability
    hyper = subject.rule.Hyper(**{**capability.dialect, **held(capability.fixed)})
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


def _numbers(subject: Subject, hyper: Hyper) -> Iterator[float]:
    """Of casts numbers between 1 and the next bfloat16; of groups between values of three sizes."""
    if not subject.rule.BLOCKS:
        yield from (sign * (1 + part * 2.0**-23) for part in PARTS for sign in (1, -1))
        return
    gaps = _gaps(subject, hyper)
    for low, high in (gaps[0], gaps[len(gaps) // 2], gaps[-1]):
        for part in PARTS_OF_GROUPS:
            x = low + part * 2.0**-16 * (high - low)
            yield from (x, -x)


def _gaps(subject: Subject, hyper: Hyper) -> list[tuple[float, float]]:
    """The pairs of neighbouring values from zero to a group's extreme."""
    values = np.unique(subject.rule.all_values(hyper))
    values = values[(values >= 0) & (values <= subject.rule.extreme(hyper))]
    return list(zip(values[:-1].tolist(), values[1:].tolist(), strict=True))


def _tensor(subject: Subject, hyper: Hyper, number: float, n: int) -> Array:
    """At least n elements of this number; in groups each has one more, which makes its scale 1."""
    rule = subject.rule
    if not rule.BLOCKS:
        return np.full(n, number, np.float32)
    length = rule.length(hyper)
    count = -(-n // (length - 1))
    count += -count % subject.capability.multiple
    groups = np.full((count, length), number, np.float32)
    each = np.arange(len(groups))
    groups[each, each % length] = rule.extreme(hyper) * np.where(each % 2, -1, 1)
    return rule.arranged(hyper, groups)


def _frequency(subject: Subject, hyper: Hyper) -> list[tuple[str, float]]:
    found, rule = [], subject.rule
    of_cast = ELEMENTS // (2 * len(PARTS)) * 2
    for number in _numbers(subject, hyper):
        x = _tensor(subject, hyper, number, OF_GROUPS if rule.BLOCKS else of_cast)
        out = subject.encode(hyper, x)
        if rule.BLOCKS:
            ulps = arithmetic_of(subject.capability.arithmetic).ulps_division
            scale, wide = out.stored[rule.SCALE], x.astype(np.float64)
            ends = rule.probability_up(hyper, wide, scale, division_ulps=ulps)
        else:
            ends = (rule.probability_up(np.float64(number)),) * 2
        at = x == np.float32(number)
        least, most = (float(np.broadcast_to(p, x.shape)[at].flat[0]) for p in ends)
        n, ups = int(at.sum()), int(np.count_nonzero((out.back > x)[at]))
        tails = bdtr(ups, n, least), bdtrc(ups - 1, n, most)
        told = f"{ups} of {n} elements {number!r} went up, expected {n * (least + most) / 2:.1f}"
        found.append((told, min(1.0, 2 * float(min(tails)))))
    return found


def _independence(subject: Subject, hyper: Hyper) -> list[tuple[str, float]]:
    number = 1 + 2.0**-8
    if subject.rule.BLOCKS:
        gaps = _gaps(subject, hyper)
        number = sum(gaps[len(gaps) // 2]) / 2
    x = _tensor(subject, hyper, number, 2**16)
    at = (x == np.float32(number)).reshape(-1)
    first, second = ((subject.encode(hyper, x).back > x).reshape(-1) for _ in range(2))
    pairs = [("of two calls", (first == second)[at])]
    for lag in LAGS:
        pairs.append((f"at distance {lag}", (first[:-lag] == first[lag:])[at[:-lag] & at[lag:]]))
    found = []
    for told, agree in pairs:
        same, count = int(np.count_nonzero(agree)), agree.size
        tails = bdtr(same, count, 0.5), bdtrc(same - 1, count, 0.5)
        p_value = min(1.0, 2 * float(min(tails)))
        found.append((f"{same} of {count} draws {told} agree, expected half", p_value))
    return found
