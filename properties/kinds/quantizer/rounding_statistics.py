"""Stochastic rounding by exact binomial tests: how often it goes up, whether draws repeat.

A cast is given equal numbers, a format with groups the same in groups whose extreme fixes a scale
of 1. A kernel draws a limited number of random bits: the hardware's conversions to floats of four
to eight bits draw eight for a number. Where the probability is a multiple of 2^-bits it is due
exactly, elsewhere to less than that: between the multiple below and the one above.
"""

import math
from dataclasses import replace

import numpy as np
from scipy.special import bdtr, bdtrc

from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.cases.hypers import held
from truestep.properties.judge.calls import BackendFault
from truestep.properties.judge.contracts import Judgement, not_judged
from truestep.properties.kinds.optimizer.counts import by_distance
from truestep.properties.kinds.quantizer.step import Subject
from truestep.reference.declared import Hyper
from truestep.reference.rules import Quantizer
from truestep.reference.validation import Array

# The probability that a faithful kernel fails one check: small beside a million runs. It is shared
# among the tests of the check (Bonferroni).
FALSE_ALARM = 1e-9
# Elements of each number: a bias of 2^-9 in the probability is then eight standard deviations where
# that is 2^-8.
ELEMENTS = 2**16
# Parts of the spacing that are cut off, in units of 2^-16: multiples of 2^-8, between these, and of
# casts the ends; the same of what is left.
PARTS_OF_GROUPS = (2**7, 2**8, 3 * 2**7, 2**13, 2**15, 2**15 + 2**7, 2**16 - 2**8, 2**16 - 2**7)
PARTS = (1, *PARTS_OF_GROUPS, 2**16 - 1)
# Random bits that a kernel draws at the least, where the format is no float of 16 bits.
BITS = 8


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


def _numbers(subject: Subject, hyper: Hyper) -> list[float]:
    """Float32 numbers of both signs between neighbouring values of three sizes."""
    gaps, parts = _gaps(subject, hyper), PARTS_OF_GROUPS if subject.rule.BLOCKS else PARTS
    found = [
        float(np.float32(low + part * 2.0**-16 * (high - low)))
        for low, high in (gaps[0], gaps[len(gaps) // 2], gaps[-1])
        for part in parts
    ]
    signs = (1, -1) if getattr(subject.rule, "SIGNED", True) else (1,)
    return list(dict.fromkeys(sign * x for x in found for sign in signs))


def _gaps(subject: Subject, hyper: Hyper) -> list[tuple[float, float]]:
    """The pairs of neighbouring values from zero to a group's extreme, or to the largest."""
    values = np.unique(subject.rule.all_values(hyper))
    most = subject.rule.extreme(hyper) if subject.rule.BLOCKS else np.finfo(np.float64).max
    values = values[(values >= 0) & (values <= most)]
    return list(zip(values[:-1].tolist(), values[1:].tolist(), strict=True))


def _bits(subject: Subject) -> int:
    """How many random bits decide a rounding."""
    return subject.capability.random_bits or bits_of(subject.rule)


def bits_of(rule: Quantizer) -> int:
    """How many random bits are asked of every kernel of a format."""
    format = getattr(rule, "FORMAT", None)
    if format is None or format.dtype is not np.uint16:
        return BITS
    return int(23 - format.fraction_bits)


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
    found, rule, unit = [], subject.rule, 2.0 ** _bits(subject)
    for number in _numbers(subject, hyper):
        x = _tensor(subject, hyper, number, ELEMENTS)
        out, wide = subject.encode(hyper, x), x.astype(np.float64)
        if rule.BLOCKS:
            ulps = arithmetic_of(subject.capability.arithmetic).ulps_division
            scale = out.stored[rule.SCALE]
            ends = rule.probability_up(hyper, wide, scale, division_ulps=ulps)
        else:
            ends = (rule.probability_up(hyper, wide),) * 2
        at = x == np.float32(number)
        least, most = (float(p[at].flat[0]) for p in ends)
        least, most = math.floor(least * unit) / unit, math.ceil(most * unit) / unit
        n, ups = int(at.sum()), int(np.count_nonzero((out.back > x)[at]))
        tails = bdtr(ups, n, least), bdtrc(ups - 1, n, most)
        told = f"{ups} of {n} elements {number!r} went up, expected {n * (least + most) / 2:.1f}"
        found.append((told, min(1.0, 2 * float(min(tails)))))
    return found


def _independence(subject: Subject, hyper: Hyper) -> list[tuple[str, float]]:
    gaps = _gaps(subject, hyper)
    number = sum(gaps[len(gaps) // 2]) / 2
    x = _tensor(subject, hyper, number, ELEMENTS)
    at = (x == np.float32(number)).reshape(-1)
    first, second = ((subject.encode(hyper, x).back > x).reshape(-1) for _ in range(2))
    agree = (first == second)[at]
    found = [_agreeing("of two calls", int(np.count_nonzero(agree)), agree.size, 1)]
    # A generator that is shared by lanes, warps, blocks or calls repeats itself at some distance.
    open_, signs = at.astype(np.float64), np.where(at, np.where(first, 1.0, -1.0), 0.0)
    counts = np.round(by_distance(open_, open_)).astype(int)
    same = (counts + np.round(by_distance(signs, signs)).astype(int)) // 2
    far = int(np.argmax(np.abs(2 * same - counts) / np.sqrt(np.maximum(counts, 1))))
    told = f"at distance {far + 1}"
    return [*found, _agreeing(told, int(same[far]), int(counts[far]), len(counts))]


def _agreeing(told: str, same: int, count: int, among: int) -> tuple[str, float]:
    """What is told of pairs of draws that agree, and the probability of any such among so many."""
    tails = bdtr(same, count, 0.5), bdtrc(same - 1, count, 0.5)
    p_value = min(1.0, 2 * among * float(min(tails)))
    return f"{same} of {count} draws {told} agree, expected half", p_value
