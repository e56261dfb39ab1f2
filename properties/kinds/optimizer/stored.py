"""Judging state that is kept as codes: from the codes in, to the codes out.

The step starts from the kernel's own codes and absmax, decoded as the kernel decodes them (one
product per element). What is not stored is judged as that of any optimizer; a new absmax is the
largest magnitude of a block of error-carrying numbers; a new code is judged by the interval of
codes that the number, with its error, and the kernel's own absmax admit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import Slot, Stepped
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.lift import Outputs, bounded, stepped
from truestep.properties.arithmetic.profiles import ORACLE, Arithmetic
from truestep.properties.judge.contracts import Judgement, judge, membership
from truestep.properties.kinds.optimizer.storage import StoredRule
from truestep.reference.declared import Hyper

Float = NDArray[np.float64]


def judgements(
    rule: StoredRule, hyper: Hyper, slot: Slot, new: Stepped, arithmetic: Arithmetic
) -> Iterator[tuple[str, Judgement]]:
    """Every tensor of one slot's step, judged: p, then the state in its order."""
    kernel = moments(rule, hyper, slot, arithmetic)
    oracle = moments(rule, hyper, slot, ORACLE)
    for name, due in kernel.items():
        if name in rule.kept:
            yield from _stored(rule, hyper, name, new, due, oracle[name])
        elif isinstance(due, Bounded):
            got = new.param if name == "p" else new.state[name]
            yield name, judge(np.asarray(got), due, oracle[name])


def _stored(
    rule: StoredRule, hyper: Hyper, name: str, new: Stepped, due: Bounded, truth: Bounded
) -> Iterator[tuple[str, Judgement]]:
    quantizer, how, arithmetic = rule.quantizer(name), hyper.storage[name], due.arithmetic
    absmax = np.asarray(new.state[f"{name}_absmax"])
    both = block_absmax(how, due), block_absmax(how, truth)
    yield f"{name}_absmax", judge(absmax, *both)
    low, high = quantizer.admissible(
        how,
        due.v,
        absmax.astype(np.float64),
        error=due.e + truth.e,
        division_ulps=arithmetic.ulps_division,
        flush_subnormals=arithmetic.subnormals == "flushed",
    )
    # Where nothing is known of the number, every code is admissible.
    unknown = ~np.isfinite(due.e) | ~np.isfinite(due.v)
    count = quantizer.all_values(how).size
    low, high = np.where(unknown, 0, low), np.where(unknown, count - 1, high)
    yield f"{name}_code", membership(np.asarray(new.state[f"{name}_code"]), low, high, count)


def moments(rule: StoredRule, hyper: Hyper, slot: Slot, arithmetic: Arithmetic) -> Outputs:
    """The outputs of the plain rule's step from the decoded state, before they are encoded."""
    plain = bounded(arithmetic)
    lift = dataclasses.replace(
        plain,
        tensor=lambda x: x if isinstance(x, Bounded) else Bounded.exact(x, arithmetic),
        stored=lambda name, x: x if name in rule.kept else plain.stored(name, x),
    )
    state = {name: x for name, x in slot.state.items() if name in rule.plain_state}
    for name in rule.kept:
        state[name] = decoded(rule, hyper, name, slot, arithmetic)
    return stepped(rule.plain, hyper, dataclasses.replace(slot, state=state), lift)


def decoded(
    rule: StoredRule, hyper: Hyper, name: str, slot: Slot, arithmetic: Arithmetic
) -> Bounded:
    """A stored tensor as the kernel reads it: the code's value times the scale of its block."""
    quantizer, how = rule.quantizer(name), hyper.storage[name]
    code = np.asarray(slot.state[f"{name}_code"])
    absmax = np.asarray(slot.state[f"{name}_absmax"]).astype(np.float64)
    scales = quantizer.per_element(how, absmax, code.shape)
    numbers = Bounded.exact(quantizer.all_values(how)[code], arithmetic)
    read: Bounded = numbers * Bounded.exact(scales, arithmetic)
    return read


def block_absmax(how: Hyper, x: Bounded) -> Bounded:
    """The largest magnitude of every block: choosing it does not round."""
    starts = np.arange(0, x.size, how.block_size)
    v, e = np.abs(x.v).reshape(-1), np.broadcast_to(x.e, x.shape).reshape(-1)

    def largest(values: Float) -> Float:
        return np.maximum(np.maximum.reduceat(values, starts), how.absmax_floor)

    with np.errstate(invalid="ignore"):
        value, low, high = largest(v), largest(np.maximum(v - e, 0.0)), largest(v + e)
        error = np.maximum(high - value, value - low)
        # An infinity or nan in a block that is due for certain is due in its absmax too.
        certain = np.flatnonzero(~np.isfinite(v) & (e == 0)) // how.block_size
        due = np.isin(np.arange(len(starts)), certain)
        error = np.where(np.isfinite(value), np.where(np.isnan(error), np.inf, error), np.inf)
    return Bounded(value, np.where(~np.isfinite(value) & due, 0.0, error), x.arithmetic, x.format)
