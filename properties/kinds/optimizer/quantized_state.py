"""Judging an optimizer whose moments are stored in 8 bits: from the codes in, to the codes out.

The step starts from the kernel's own codes and absmax, decoded as the kernel decodes them (one
float32 product per element). New parameters are judged as those of any optimizer; the new absmax is
the largest magnitude of a block of error-carrying moments; a new code is judged by the interval of
codes that the moment, with its error, and the kernel's own absmax admit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from truestep.fast.protocol import Slot, Stepped
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.counter import Counter
from truestep.properties.arithmetic.lift import bounded
from truestep.properties.arithmetic.profiles import ORACLE, Arithmetic
from truestep.properties.judge.contracts import Judgement, judge, membership
from truestep.reference.optimizers import adamw_8bit
from truestep.reference.quantizers import dynamic_8bit

MOMENTS = (("m", True), ("v", False))


def judgements(
    hyper: adamw_8bit.Hyper, slot: Slot, new: Stepped, arithmetic: Arithmetic
) -> Iterator[tuple[str, Judgement]]:
    """Every tensor of one slot's step, judged: p, then absmax and codes of both moments."""
    kernel = moments(hyper, slot, arithmetic)
    oracle = moments(hyper, slot, ORACLE)
    yield "p", judge(new.param, kernel["p"].stored("p"), oracle["p"].stored("p"))
    for name, signed in MOMENTS:
        moment, truth = kernel[name], oracle[name]
        absmax = np.asarray(new.state[f"{name}_absmax"])
        due = block_absmax(hyper, moment), block_absmax(hyper, truth)
        yield f"{name}_absmax", judge(absmax, *due)
        low, high = dynamic_8bit.admissible(
            adamw_8bit.quantizer(hyper, signed=signed),
            moment.v,
            absmax.astype(np.float64),
            error=moment.e + truth.e,
            division_ulps=arithmetic.ulps_division,
            flush_subnormals=arithmetic.subnormals == "flushed",
        )
        # Where nothing is known of the moment, every code is admissible.
        unknown = ~np.isfinite(moment.e) | ~np.isfinite(moment.v)
        low, high = np.where(unknown, 0, low), np.where(unknown, 255, high)
        yield f"{name}_code", membership(np.asarray(new.state[f"{name}_code"]), low, high, 256)


def moments(hyper: Any, slot: Slot, arithmetic: Arithmetic) -> dict[str, Bounded]:
    """The reference's update from the decoded state in that arithmetic."""
    decoded = {}
    for name, signed in MOMENTS:
        quantizer = adamw_8bit.quantizer(hyper, signed=signed)
        values = dynamic_8bit.all_values(quantizer)[slot.state[f"{name}_code"]]
        absmax = slot.state[f"{name}_absmax"].astype(np.float64)
        scales = dynamic_8bit.per_element(quantizer, absmax, slot.param.shape)
        decoded[name] = Bounded.exact(values, arithmetic) * Bounded.exact(scales, arithmetic)
    m, v, p = adamw_8bit.update(
        bounded(arithmetic).hyper(hyper),
        Counter(slot.state["t"]) + 1,
        decoded["m"],
        decoded["v"],
        Bounded.exact(slot.param, arithmetic),
        Bounded.exact(slot.grad, arithmetic),
    )
    return {"m": m, "v": v, "p": p}


def block_absmax(hyper: adamw_8bit.Hyper, moment: Bounded) -> Bounded:
    """The largest magnitude of every block: choosing it does not round."""
    starts = np.arange(0, moment.size, hyper.block_size)
    v, e = np.abs(moment.v).reshape(-1), np.broadcast_to(moment.e, moment.shape).reshape(-1)

    def largest(x: Any) -> Any:
        return np.maximum(np.maximum.reduceat(x, starts), hyper.absmax_floor)

    with np.errstate(invalid="ignore"):
        value, low, high = largest(v), largest(np.maximum(v - e, 0.0)), largest(v + e)
        error = np.maximum(high - value, value - low)
        # An infinity or nan in a block that is due for certain is due in its absmax too.
        due = np.isin(np.arange(len(starts)), _blocks(hyper, ~np.isfinite(v) & (e == 0)))
        error = np.where(np.isfinite(value), np.where(np.isnan(error), np.inf, error), np.inf)
    return Bounded(
        value, np.where(~np.isfinite(value) & due, 0.0, error), moment.arithmetic, moment.format
    )


def _blocks(hyper: adamw_8bit.Hyper, mask: Any) -> Any:
    return np.unique(np.flatnonzero(mask) // hyper.block_size)
