"""The verdict on one tensor: the only place that subtracts what a kernel gave from what was due."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri

from truestep.fast.protocol import Array
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.sampled import FALSE_ALARM, quantile, root_mean_square
from truestep.properties.judge.results import HISTOGRAM_EDGES, SLACK

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judgement:
    """How one tensor fared: element counts, the worst element and its numbers.

    utilisation: max |got - oracle| / bound over the judged elements, None where nothing was judged.
    oracle_fraction: largest share of a bound that is the reference's own float64 error.
    """

    elements: int
    judged: int
    utilisation: float | None
    index: tuple[int, ...] | None
    got: float
    oracle: float
    bound: float
    oracle_fraction: float
    histogram: NDArray[np.int64]

    @property
    def passed(self) -> bool:
        """Whether every judged element stayed within the slack; nothing judged is not a pass."""
        return self.utilisation is not None and self.utilisation <= SLACK


@dataclass(frozen=True, slots=True)
class Judged:
    """One judged tensor of one step: where it stands and how it fared."""

    step: int
    group: int
    slot: int
    tensor: str
    judgement: Judgement


def judge(got: Array, expected: Bounded, oracle: Bounded | None) -> Judgement:
    """Judge got, of any real dtype, by the kernel's bound plus the oracle's own.

    got, expected and oracle have one shape. expected: evaluation in the backend's arithmetic, after
    storage; oracle: evaluation of the same lines with u = 2^-53, None for one without error.
    Elements of unknown bound are not judged; those that may be a nan instead are within their bound
    or nan.
    """
    if got.shape != expected.shape:
        raise ValueError(f"got shape {got.shape}, expected {expected.shape}")
    v, oracle_fraction = expected.v, 0.0
    bound, perhaps = _limits(expected, oracle)
    judged = ~np.isinf(bound)
    if oracle is not None:
        with np.errstate(all="ignore"):
            share = np.where((bound > 0) & np.isfinite(v), oracle.e / bound, 0.0)
        known = judged if perhaps is None else judged & ~perhaps
        oracle_fraction = float(np.max(share, where=known, initial=0.0))
    return _verdict(got, v, bound, judged, oracle_fraction, perhaps=perhaps)


def utilisations(got: Array, expected: Bounded, oracle: Bounded) -> Float:
    """Of every element what judge finds of the worst; nan where it is not judged."""
    bound, perhaps = _limits(expected, oracle)
    ratio = _ratios(got.astype(np.float64), expected.v, bound, None, perhaps)
    return np.where(np.isinf(bound), np.nan, ratio)


def _limits(expected: Bounded, oracle: Bounded | None) -> tuple[Float, NDArray[np.bool_] | None]:
    """The bound of every element, infinite where none is known, and where a nan will do as well."""
    bound = expected.e
    with np.errstate(all="ignore"):
        if oracle is not None:
            # A nan or infinity that is due for certain stays due whatever the float64 run knows.
            bound = np.where(np.isfinite(expected.v), bound + oracle.e, bound)
        if expected.hazy is None:
            return bound, None
        hazy = _hazy(expected) + (0.0 if oracle is None else _hazy(oracle))
        perhaps = np.isinf(bound) & np.isfinite(hazy)
        return np.where(perhaps, hazy, bound), perhaps


def _hazy(x: Bounded) -> Float:
    """How far a faithful kernel may be from x where it gives no nan."""
    return x.e if x.hazy is None else np.minimum(x.e, x.hazy)


# Largest part of a tensor's scale to which errors are taken for linear in the roundings, and so for
# normal: an inverse of what is known to a quarter errs by a third.
LINEAR = 0.25


def judge_sampled(got: Array, sampled: Float, oracle: Float | None) -> Judgement:
    """Judge got by replicates, in rows 1 onwards, of the value in row 0.

    sampled: rows of the reference's evaluation in the backend's arithmetic; oracle: the same in
    float64, None for one without error. Two statistics, each over what it may reach with
    probability FALSE_ALARM if the kernel errs as the replicates do, with normal errors: every
    element's error over the root mean square of the replicates' (Student's t with as many degrees
    of freedom as replicates, over all elements), and the whole tensor's root mean square over
    theirs (Fisher's F, moved and scaled to the first three moments of what the covariance of the
    replicates says; at most as many independent errors as different values: equal ones a kernel
    rounds alike). An element whose replicates stray by as much as the tensor's scale,
    or do not agree on whether it is finite, is not judged; one on which all agree exactly is due
    exactly.
    """
    value = sampled[0]
    if got.shape != value.shape:
        raise ValueError(f"got shape {got.shape}, expected {value.shape}")
    x = got.astype(np.float64)
    with np.errstate(all="ignore"):
        strayed = sampled[1:] - value
        spread, share = root_mean_square(strayed), None
        if oracle is not None:
            own = root_mean_square(oracle[1:] - oracle[0])
            spread = np.hypot(spread, own)
            share = np.where(spread > 0, own / spread, 0.0)
        count = len(strayed)
        elements = max(1, int(np.count_nonzero(spread > 0)))
        reach = quantile(count, elements) * spread
        scale = np.max(np.abs(value), where=np.isfinite(value), initial=0.0)
        same = np.all((sampled == value) | (np.isnan(sampled) & np.isnan(value)), axis=0)
        known = np.isfinite(value) & np.all(np.isfinite(sampled), axis=0)
        bound = np.where(known & (reach <= LINEAR * scale), reach, np.inf)
        bound = np.where(same & ~(known & (spread > 0)), 0.0, bound)
    judged = ~np.isinf(bound)
    together = judged & (bound > 0) & np.isfinite(x)
    if np.any(together):
        error, strays = x[together] - value[together], strayed[:, together]
        different = len(np.unique(np.abs(value[together])))
        whole = _whole(error, spread[together], strays, different)
        # The tensor's own verdict is one more factor on its elements' bounds.
        worst = float(np.max(np.abs(error) / bound[together]))
        if whole > worst > 0:
            bound = np.where(together, bound * (worst / whole), bound)
    of_oracle = 0.0
    if share is not None:
        of_oracle = float(np.max(share, where=judged & np.isfinite(share), initial=0.0))
    return _verdict(x, value, bound, judged, of_oracle)


def _whole(error: Float, spread: Float, strayed: Float, different: int) -> float:
    """The utilisation of a tensor as a whole: its error's norm over what the replicates allow."""
    unit = float(np.max(spread))
    error, spread, strayed = error / unit, spread / unit, strayed / unit
    factor = np.sqrt(_reach(strayed @ strayed.T, different))
    return float(np.linalg.norm(error) / (factor * np.linalg.norm(spread)))


def _reach(gram: Float, different: int) -> float:
    """What a sum of squares exceeds with probability FALSE_ALARM, over the replicates' mean.

    gram: the replicates' products with one another. The sum is of independent squares times the
    eigenvalues of their covariance; it is taken for b + c F with Fisher's F, which has its first
    three moments (K. Pearson, Biometrika 46, 1959; J. P. Imhof, Biometrika 48, 1961). With two of
    them, an error common to all elements beside errors of their own, as that of a scalar that
    multiplies a matrix, would exceed it a thousand times as often as is stated, and more.
    """
    count = len(gram)
    mean = float(np.mean(np.diagonal(gram)))
    if mean == 0:  # one error, the reference's own
        return float(fdtri(1.0, count, 1 - FALSE_ALARM))
    # Products of different replicates give traces of the covariance's powers without bias.
    apart = (gram - np.diag(np.diagonal(gram))) / mean
    square = float(np.sum(apart**2)) / (count * (count - 1))
    cube = float(np.sum((apart @ apart) * apart)) / (count * (count - 1) * (count - 2))
    square = max(square, 1 / different)
    cube = max(cube, square**2)
    freedom, share = square**3 / cube**2, square**2 / cube
    # What scipy.stats.f.isf evaluates after checks that take longer than all of this function.
    return 1 - share + share * float(fdtri(freedom, count * freedom, 1 - FALSE_ALARM))


def agreement(left: Array, right: Array, bound: NDArray[np.float64] | None) -> Judgement:
    """Judge two results that a law makes equal: within bound, or in every bit but a zero's sign.

    Of two that are nan nothing is learnt.
    """
    if left.shape != right.shape:
        raise ValueError(f"left has shape {left.shape}, right {right.shape}")
    limit = np.zeros(left.shape) if bound is None else np.broadcast_to(bound, left.shape)
    x, y = left.astype(np.float64), right.astype(np.float64)
    return _verdict(x, y, limit, ~np.isinf(limit) & ~(np.isnan(x) & np.isnan(y)), 0.0)


def identity(got: Array, due: Array) -> Judgement:
    """Judge numbers that are due exactly, with the sign of a zero; which nan it is, is free."""
    if got.shape != due.shape:
        raise ValueError(f"got has shape {got.shape}, expected {due.shape}")
    x, v = got.astype(np.float64), due.astype(np.float64)
    same = (np.isnan(x) & np.isnan(v)) | ((x == v) & (np.signbit(x) == np.signbit(v)))
    return _verdict(x, v, np.zeros(x.shape), np.ones(x.shape, bool), 0.0, same)


def membership(code: Array, low: Array, high: Array, codes: int) -> Judgement:
    """Judge codes by the interval of those that a faithful kernel may give.

    An interval of all codes is not judged. The utilisation is 0 inside and infinite outside; got
    and oracle are codes, the oracle the middle of the interval.
    """
    if code.shape != low.shape:
        raise ValueError(f"code has shape {code.shape}, expected {low.shape}")
    x = code.astype(np.float64)
    inside = (x >= low) & (x <= high)
    judged = ~((low == 0) & (high == codes - 1))
    # In float64: the sum of two codes of eight or sixteen bits would lose its highest bit.
    due = np.where(inside, x, np.rint((low.astype(np.float64) + high) / 2))
    return _verdict(x, due, np.zeros(x.shape), judged, 0.0)


def enclosure(got: Array, low: Array, high: Array) -> Judgement:
    """Judge numbers by the least and the largest that are due; a nan is due where both are."""
    if got.shape != low.shape:
        raise ValueError(f"got has shape {got.shape}, expected {low.shape}")
    x, least, most = (a.astype(np.float64) for a in (got, low, high))
    inside = (x >= least) & (x <= most) | (np.isnan(x) & np.isnan(least) & np.isnan(most))
    due = np.where(inside, x, np.where(x > most, most, least))
    return _verdict(x, due, np.zeros(x.shape), np.ones(x.shape, bool), 0.0, inside)


def none_amiss(got: Array) -> Judgement:
    """The record of numbers that were found to be what is due, every one of them."""
    histogram = np.zeros(len(HISTOGRAM_EDGES) + 1, dtype=np.int64)
    histogram[0] = got.size
    first = float(got.flat[0])
    index = (0,) * got.ndim
    return Judgement(got.size, got.size, 0.0, index, first, first, 0.0, 0.0, histogram)


def not_judged(size: int) -> Judgement:
    """The record of a tensor of so many elements about which nothing is certain."""
    empty = np.zeros(len(HISTOGRAM_EDGES) + 1, dtype=np.int64)
    return Judgement(size, 0, None, None, np.nan, np.nan, np.nan, 0.0, empty)


def _verdict(
    got: Array,
    due: Float,
    bound: Float,
    judged: NDArray[np.bool_],
    oracle_fraction: float,
    same: NDArray[np.bool_] | None = None,
    perhaps: NDArray[np.bool_] | None = None,
) -> Judgement:
    """perhaps: where a nan will do as well."""
    x, v = got.astype(np.float64), np.asarray(due)
    ratio = _ratios(x, v, bound, same, perhaps)
    count = int(np.count_nonzero(judged))
    if not count:
        return not_judged(x.size)
    ratio = np.where(judged, ratio, -1.0)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(ratio)), x.shape))
    return Judgement(
        elements=x.size,
        judged=count,
        utilisation=float(ratio[index]),
        index=index,
        got=float(x[index]),
        oracle=float(v[index]),
        bound=float(bound[index]),
        oracle_fraction=oracle_fraction,
        histogram=_histogram(ratio[judged]),
    )


def _ratios(
    x: Float,
    v: Float,
    bound: Float,
    same: NDArray[np.bool_] | None,
    perhaps: NDArray[np.bool_] | None,
) -> Float:
    """Every element's error as a share of its bound; same: where there is none, if that is told."""
    with np.errstate(all="ignore"):
        error = np.abs(x - v)
        if same is None:
            # An infinity that is due may come out as nan: inf - inf depends on the order of a sum.
            same = (x == v) | (np.isnan(x) & np.isnan(v)) | (np.isinf(v) & np.isnan(x))
        if perhaps is not None:
            same = same | (perhaps & np.isnan(x))
        ratio = np.where(same, 0.0, np.where(bound > 0, error / bound, np.inf))
        return np.where(np.isnan(ratio), np.inf, ratio)


def _histogram(ratio: NDArray[np.float64]) -> NDArray[np.int64]:
    bins = np.searchsorted(np.asarray(HISTOGRAM_EDGES), ratio, side="left")
    return np.bincount(bins, minlength=len(HISTOGRAM_EDGES) + 1).astype(np.int64)
