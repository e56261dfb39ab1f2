"""Judging tensors that are kept in two parts, from the kernel's own parts in, to those out."""

from collections.abc import Iterator, Mapping

import numpy as np

from truestep.fast.protocol import Array
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.lift import Lift
from truestep.properties.judge.contracts import Judgement, enclosure, judge, membership
from truestep.properties.judge.results import SLACK
from truestep.reference.declared import Hyper
from truestep.reference.splits import Split, half_spacing


def read(split: Split, how: Hyper, code: Array, high: Array, lift: Lift) -> Array:
    """What both parts stand for, as a kernel computes it."""
    if how.rest != "fraction":
        whole: Array = lift.tensor(split.decode(how, code, high))
        return whole
    part = lift.tensor(code.astype(np.float64)) / lift.tensor(np.float64(split.largest))
    made: Array = part * lift.tensor(half_spacing(high)) + lift.tensor(high.astype(np.float64))
    return made


def judgements(
    split: Split,
    how: Hyper,
    name: str,
    got: Mapping[str, Array],
    high: Array,
    due: Bounded,
    truth: Bounded,
) -> Iterator[tuple[str, Judgement]]:
    """Of bits, the number that both parts stand for; of a fraction, each part.

    The float32 number has the slack that one kept whole has; its rounding to parts has none.
    """
    code, high = got[f"{name}_code"], np.asarray(high)
    label = "p" if name == "p" else f"{name}_{split.SCALE}"
    error = SLACK * np.broadcast_to(due.e, due.shape) + truth.e
    known = np.isfinite(error) & np.isfinite(due.v)
    if how.rest != "fraction":
        joined = split.decode(how, code, high)
        if split.bits == 16 and how.rounding != "stochastic":
            yield name, judge(joined, due, truth)
            return
        ends = split.values(how, np.where(known, due.v, 0.0), np.where(known, error, 0.0))
        yield name, _enclosed(joined, ends, due, known)
        return
    x, e = np.where(known, due.v, 0.0), np.where(known, error, 0.0)
    yield label, _enclosed(high, split.highs(how, x, e), due, known)
    low, most = split.admissible(how, x, high, error=e)
    known &= np.isfinite(high.astype(np.float64))
    count = split.ranks(how)
    low, most = np.where(known, low, 0), np.where(known, most, count - 1)
    yield f"{name}_code", membership(split.rank(code), low, most, count)


def _enclosed(got: Array, ends: tuple[Array, Array], due: Bounded, known: Array) -> Judgement:
    """By the ends where they are known; an infinity or nan that is due for certain is due."""
    own = got.astype(np.float64)
    due_as_it_is = ~np.isfinite(due.v) & (np.broadcast_to(due.e, due.shape) == 0)
    other = np.where(due_as_it_is, due.v, own)
    low, high = (np.where(known, np.asarray(end, np.float64), other) for end in ends)
    return enclosure(own, low, high)
