"""What is counted of events that chance decides, and how far that may stray from what is due."""

import math
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from truestep.properties.judge.contracts import Judgement, not_judged
from truestep.properties.judge.results import SLACK

Float = NDArray[np.float64]
Number = TypeVar("Number", float, Float)


def limit(variance: Number, largest: float, false_alarm: float) -> Number:
    """What a sum of independent errors of mean zero exceeds, on either side, so improbably.

    variance: of the sum. largest: of one error. Bernstein: P(|X| >= t) <= 2 exp(-t^2 / (2 (variance
    + largest t / 3))), solved for t. By Freedman's inequality it holds for martingales too, where
    the variance is the most that each error has, given those before it.
    """
    level = math.log(2 / false_alarm)
    own = largest * level / 3
    found: Number = own + np.sqrt(own**2 + 2 * level * variance)
    return found


def by_distance(x: Float, y: Float) -> Float:
    """Sums of x[..., i] y[..., i + k], over all axes, for k = 1 ... n - 1; shape (n - 1,).

    By Fourier transforms: their rounding, 1e-10 in sums of 65,536 numbers below 1, is nothing
    beside what chance may add to one, which limit() has at 13 at the least.
    """
    n = x.shape[-1]
    size = next_fast_len(2 * n - 1, real=True)
    product = np.conj(rfft(x, size)) * rfft(y, size)
    found: Float = irfft(product.reshape(-1, product.shape[-1]).sum(axis=0), size)[1:n]
    return found


def within(got: float, least: float, most: float, error: float, elements: int) -> Judgement:
    """A count that is due between least and most, give or take error."""
    due, bound = min(max(got, least), most), error / SLACK
    return replace(
        not_judged(elements),
        judged=elements,
        utilisation=abs(got - due) / bound,
        got=got,
        oracle=due,
        bound=bound,
    )


def events(count: int, chances: Float, false_alarm: float) -> Judgement:
    """A count of independent events with these probabilities."""
    mean, variance = float(np.sum(chances)), float(np.sum(chances * (1 - chances)))
    most = limit(variance, 1.0, false_alarm)
    if most >= mean:  # too few to tell
        return not_judged(chances.size)
    return within(float(count), mean, mean, most, chances.size)


def weighted(
    happened: NDArray[np.bool_], chances: Float, weights: Float, false_alarm: float
) -> Judgement:
    """The sum of the weights of those events that happened."""
    mean = float(np.sum(weights * chances))
    variance = float(np.sum(weights**2 * chances * (1 - chances)))
    error = limit(variance, float(np.max(np.abs(weights))), false_alarm)
    return within(float(np.sum(weights * happened)), mean, mean, error, chances.size)
