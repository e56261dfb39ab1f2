"""Laws of quantizers, of block formats and of casts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from truestep.fast.protocol import Level
from truestep.properties.judge.contracts import agreement
from truestep.properties.kinds.quantizer.step import Encoded, Found, Subject
from truestep.reference.declared import Hyper

EXAMPLES: dict[Level, int] = {"smoke": 2, "standard": 12, "deep": 200}


def idempotent(subject: Subject, hyper: Hyper, out: Encoded) -> Found:
    """Encoding what was decoded gives the codes again, where a block's extreme is representable."""
    again = subject.encode(hyper, out.back)
    keep = np.isfinite(out.back)
    if "absmax" in out.stored:
        same = out.stored["absmax"] == again.stored["absmax"]
        keep = keep & subject.rule.per_element(hyper, same, out.x.shape)
        # A subnormal product is not exact, and a tiny value may then round to another code.
        keep = keep & ((np.abs(out.back) >= 2.0**-126) | (out.back == 0))
    left = np.where(keep, again.code, 0)
    yield "code", agreement(left, np.where(keep, out.code, 0), None)


def blocks_are_independent(subject: Subject, hyper: Hyper, out: Encoded) -> Found:
    """Whatever follows a block, its codes and its absmax stay the same."""
    block = hyper.block_size
    flat = out.x.reshape(-1)
    head = flat[: block * (flat.size // block)]
    other = np.concatenate([head, np.full(block // 2 + 3, 1e4, dtype=np.float32)])
    image = subject.encode(hyper, other)
    n = head.size
    yield "code", agreement(image.code[:n], out.code.reshape(-1)[:n], None)
    k = n // block
    yield "absmax", agreement(image.stored["absmax"][:k], out.stored["absmax"][:k], None)


def codes_unchanged_when_scaled_by_a_power_of_two(
    subject: Subject, hyper: Hyper, out: Encoded
) -> Found:
    """Doubling a block doubles its absmax and leaves its codes, barring over- and underflow."""
    x = out.x
    sizes = np.abs(x[np.isfinite(x) & (x != 0)])
    if not np.all(np.isfinite(x)) or np.any(sizes < 2.0**-100) or np.any(sizes > 2.0**100):
        return
    floor = hyper.absmax_floor
    if floor > 0 and np.any(subject.rule.block_absmax(hyper, x.astype(np.float64)) <= floor):
        return  # a floor does not scale
    image = subject.encode(hyper, 4 * x)
    yield "code", agreement(image.code, out.code, None)
    yield "absmax", agreement(image.stored["absmax"], 4 * out.stored["absmax"], None)


def monotone(subject: Subject, hyper: Hyper, out: Encoded) -> Found:
    """Ascending numbers decode to ascending values."""
    x = np.sort(out.x[np.isfinite(out.x)].reshape(-1))
    back = subject.encode(hyper, x).back
    kept = back[~np.isnan(back)]
    yield "decoded", agreement(np.maximum.accumulate(kept), kept, None)


def odd(subject: Subject, hyper: Hyper, out: Encoded) -> Found:
    """Negating the input negates what is read back."""
    image = subject.encode(hyper, np.negative(out.x, out=np.empty_like(out.x)))
    yield "decoded", agreement(-image.back, out.back, None)


Law = Callable[[Subject, Hyper, Encoded], Found]
BLOCK_LAWS: dict[str, Law] = {
    "blocks_are_independent": blocks_are_independent,
    "codes_unchanged_when_scaled_by_a_power_of_two": codes_unchanged_when_scaled_by_a_power_of_two,
    "idempotent": idempotent,
}
CAST_LAWS: dict[str, Law] = {
    "idempotent": idempotent,
    "monotone": monotone,
    "odd": odd,
}
