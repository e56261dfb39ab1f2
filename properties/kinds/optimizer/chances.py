"""Drawn roundings, counted: how often each number goes up, and whether one draw repeats another.

Of each element the definition says between which two codes its number lies and, but for the
kernel's rounding, how far: the probability of the upper one. Weighted sums of what the elements did
are held against it, by Bernstein's inequality: over all elements, by their sign, by their
probability and by what eight bits of it leave. Where a code is certain, the other one is found at
once.

A kernel may draw eight bits for a number, as hardware's conversions do. Its probabilities are then
multiples of 2^-8, below the number's or above it, in whichever direction it cuts. So each way of
drawing is a hypothesis, and a kernel fails where it agrees with none of them.

Draws are independent where the errors of two, code less probability, do not correlate, those of
elements at any distance among them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from truestep.properties.judge.contracts import Judgement, not_judged
from truestep.properties.kinds.optimizer.counts import Float, by_distance, limit, within

# What a probability may be off by where sixteen bits are drawn, as the definition's are.
_FINEST = 2.0**-16
# Random bits that a kernel draws at the least.
LEAST_BITS = 8
_BITS = 2.0**LEAST_BITS
# Sums that _ways makes of a tensor's codes.
SUMS = 4

Up = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Drawn:
    """One tensor's codes: which went up, by call and slot, and between which probabilities.

    open: the elements that are judged. away: the sign of each element's number.
    """

    up: Up
    least: Float
    most: Float
    open: Up
    away: Float


def often(drawn: Drawn, level: float, bits: int = LEAST_BITS) -> Judgement:
    """The judgement under the way of drawing that the kernel agrees with best.

    level: the probability that each of the sums fails a faithful kernel. bits: how many random bits
    it draws at the least; with more than LEAST_BITS the probabilities are due as they are.
    """
    at = drawn.open
    if not at.any():
        return not_judged(at.size)
    count = np.sum(drawn.up[:, :, at], axis=(0, 1)).astype(np.float64)
    calls = drawn.up.shape[0] * drawn.up.shape[1]
    least, most, away = (x[at] for x in (drawn.least, drawn.most, drawn.away))
    ways = _ways((least + most) / 2, away)
    hypotheses = list(_hypotheses(least, most, away))[: 1 if bits > LEAST_BITS else None]
    found = [_under(between, count, calls, ways, level) for between in hypotheses]
    return min(found, key=lambda judgement: judgement.utilisation or 0.0)


def _ways(p: Float, away: Float) -> list[Float]:
    """By what elements are weighted: all, by their sign, by their probability, by the rest of it.

    Rare events tell more, so that each is divided by the variance.
    """
    each = 1 / np.maximum(p * (1 - p), 1 / _BITS)
    return [each, each * away, each * (2 * p - 1), each * (p * _BITS % 1 - 0.5)]


def _hypotheses(least: Float, most: Float, away: Float) -> Iterator[tuple[Float, Float]]:
    """Between which probabilities elements go up, by each way to draw for them."""
    yield np.maximum(least - _FINEST, 0.0), np.minimum(most + _FINEST, 1.0)
    yield np.round(least * _BITS) / _BITS, np.round(most * _BITS) / _BITS
    down, up = (
        (cut(least * _BITS) / _BITS, cut(most * _BITS) / _BITS) for cut in (np.floor, np.ceil)
    )
    yield down
    yield up
    for positive, negative in ((down, up), (up, down)):
        yield (
            np.where(away > 0, positive[0], negative[0]),
            np.where(away > 0, positive[1], negative[1]),
        )


def _under(
    between: tuple[Float, Float], count: Float, calls: int, ways: Sequence[Float], level: float
) -> Judgement:
    """The worst of the weighted sums under one hypothesis."""
    least, most = between
    middle = np.clip(0.5, least, most)
    variance = calls * middle * (1 - middle)
    elements = count.size * calls
    impossible = ((most == 0) & (count > 0)) | ((least == 1) & (count < calls))
    found = [within(float(np.count_nonzero(impossible)), 0.0, 0.0, 0.5, elements)]
    for weight in ways:
        ends = weight * least, weight * most
        low, high = (calls * float(np.sum(end(*ends))) for end in (np.minimum, np.maximum))
        error = limit(float(np.sum(weight**2 * variance)), float(np.max(np.abs(weight))), level)
        found.append(within(float(np.sum(weight * count)), low, high, error, elements))
    return max(found, key=lambda judgement: judgement.utilisation or 0.0)


@dataclass(frozen=True, slots=True)
class Errors:
    """Codes less probabilities p, and how far these are uncertain."""

    error: Float
    unsure: Float
    open: Up
    p: Float
    away: Float


def errors(drawn: Drawn, call: int = 0, slot: int = 0) -> Errors:
    """Those of one call's tensor."""
    p = (drawn.least + drawn.most) / 2
    unsure = (drawn.most - drawn.least) / 2 + 1 / _BITS
    return Errors(drawn.up[call, slot] - p, unsure, drawn.open, p, drawn.away)


def correlated(x: Errors, y: Errors, sign: Float, level: float) -> Judgement:
    """The signed sum of products of errors, of which each has mean zero given those before it."""
    both = x.open & y.open
    if not both.any():
        return not_judged(both.size)
    largest = np.maximum(x.p, 1 - x.p)
    variance = float(np.sum((largest**2 * y.p * (1 - y.p))[both]))
    unsure = float(np.sum((x.unsure * y.unsure)[both]))
    got = float(np.sum((sign * x.error * y.error)[both]))
    return within(got, -unsure, unsure, limit(variance, 1.0, level), int(both.sum()))


def at_distances(x: Errors, level: float) -> list[Judgement]:
    """The worst sums of products of errors at a distance, as they are and away from zero.

    A generator that is shared by lanes, warps, rows or blocks repeats itself at some distance along
    the last axis: all are asked, from one to the last. level: the probability that any of the sums
    fails a faithful kernel.
    """
    size = x.p.shape[-1]
    open_, unsure = x.open.astype(np.float64), x.open * x.unsure
    pairs = np.round(by_distance(open_, open_)).astype(int)
    if not np.any(pairs):
        return [not_judged(size)] * 2
    largest, spread = (x.open * y for y in (np.maximum(x.p, 1 - x.p) ** 2, x.p * (1 - x.p)))
    variance = np.maximum(by_distance(largest, spread), 0)
    unsure = np.maximum(by_distance(unsure, unsure), 0)
    limits = limit(variance, 1.0, level / (2 * (size - 1)))
    found = []
    for error in (x.open * x.error, x.open * x.error * x.away):
        got = by_distance(error, error)
        at = int(np.argmax((np.abs(got) - unsure) / limits))
        found.append(within(got[at], -unsure[at], unsure[at], limits[at], int(pairs[at])))
    return found
