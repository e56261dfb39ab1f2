"""Every float32 number through a cast to eight bits or fewer, against the exact thresholds.

A cast takes its codes from the order of numbers alone: between two neighbouring thresholds there is
one. So the codes that are right are worked out at both ends of every run of float32 numbers that no
threshold cuts, and the kernel's are compared with them, all 2^32 of them, in parts.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import Level, QuantizerCapability
from truestep.properties.judge.contracts import Judgement, membership, none_amiss
from truestep.properties.kinds.quantizer.cases import QuantizerCase
from truestep.properties.kinds.quantizer.step import Encoded, Subject, of_cast
from truestep.reference.declared import Hyper
from truestep.reference.quantizers import QUANTIZERS
from truestep.reference.rules import Quantizer

NAME = "sweep"
LEVEL: Level = "deep"
# Bits of a float32 that a part goes through: a part takes 16 MB.
BITS = 22
PARTS = 2 ** (32 - BITS)
_INFINITY, _SIGN = 0x7F800000, 1 << 31


def sweeps(capability: QuantizerCapability) -> bool:
    """Whether what is judged is a cast to codes of a byte."""
    rule = QUANTIZERS[capability.rule]
    return not rule.BLOCKS and rule.all_values(rule.Hyper(**capability.dialect)).size <= 256


def listed(base: dict[str, object]) -> Sequence[QuantizerCase]:
    """A case for every part."""
    return [QuantizerCase(base, pattern=NAME, scale=part) for part in range(PARTS)]


def numbers(part: int) -> NDArray[np.float32]:
    """The float32 numbers of a part, by their bits."""
    return np.arange(part << BITS, (part + 1) << BITS, dtype=np.uint32).view(np.float32)


def judged(subject: Subject, hyper: Hyper, part: int) -> tuple[Encoded, Judgement]:
    """The codes of a part; where one is wrong, each is judged by itself."""
    x = numbers(part)
    stored, words = subject.stored(hyper, x)
    code = stored["code"]
    out = Encoded(x, stored, x[:0], words)
    for begin, end, right in _within(subject.rule, hyper, part):
        held = code[begin:end]
        low, high = int(held.min()), int(held.max())
        if not (right[low] and right[high]) or (high > low + 1 and not right[held].all()):
            break
    else:
        return out, none_amiss(code)
    ends = of_cast(subject.rule, hyper, x.astype(np.float64), code)
    return out, membership(code, *ends, 1 << 32)


def _within(
    rule: Quantizer, hyper: Hyper, part: int
) -> Iterator[tuple[int, int, NDArray[np.bool_]]]:
    """The runs within a part: begin, end, and which codes are right there."""
    first, right = _runs(rule, hyper)
    begin, end = part << BITS, (part + 1) << BITS
    at = int(np.searchsorted(first, begin, side="right")) - 1
    while at < first.size - 1 and first[at] < end:
        bounds = max(int(first[at]), begin), min(int(first[at + 1]), end)
        yield bounds[0] - begin, bounds[1] - begin, right[at]
        at += 1


@lru_cache(maxsize=1)
def _runs(rule: Quantizer, hyper: Hyper) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The first bits of every run, with 2^32 behind the last; which codes are right in each."""
    with np.errstate(over="ignore"):
        near = np.abs(rule.thresholds(hyper)).astype(np.float32).view(np.uint32)
    around = near.astype(np.int64)[:, None] + np.arange(-1, 3)
    magnitudes = np.unique(
        [0, 1, _INFINITY, _INFINITY + 1, *around[(around > 0) & (around < _SIGN)]]
    )
    first = np.concatenate([magnitudes, magnitudes + _SIGN, [2 * _SIGN]])
    right = _right(rule, hyper, first[:-1])
    if not np.array_equal(right, _right(rule, hyper, first[1:] - 1)):
        raise AssertionError(f"{rule.__name__}: a code changes between two thresholds")
    return first, right


def _right(rule: Quantizer, hyper: Hyper, bits: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which codes are right for the number of these bits."""
    with np.errstate(invalid="ignore"):  # signalling nans
        x = bits.astype(np.uint32).view(np.float32).astype(np.float64)[:, None]
    code = np.arange(rule.all_values(hyper).size, dtype=np.uint8)
    x, code = np.broadcast_arrays(x, code)
    low, high = of_cast(rule, hyper, x, code)
    right: NDArray[np.bool_] = (low <= code) & (code <= high)
    return np.pad(right, [(0, 0), (0, 256 - right.shape[1])])
