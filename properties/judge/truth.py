"""The reference's own float64 error, which is evaluated where a verdict may hang on it.

To evaluate it takes as long as the kernel's bound, of which it is a billionth in float32.
"""

import zlib
from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np

from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.profiles import ORACLE, Arithmetic
from truestep.properties.judge.contracts import Judgement
from truestep.properties.judge.results import SLACK
from truestep.reference.validation import Array

W = TypeVar("W")
O = TypeVar("O")

# At one step of so many it is evaluated whatever the verdict, to be told.
_EVERY = 16


def decided(
    judgements: Callable[[O], Iterable[tuple[W, Judgement]]],
    nothing: O,
    oracle: Callable[[], O],
    *,
    measured: bool,
) -> list[tuple[W, Judgement]]:
    """The judgements by an oracle without error, or by the true one where that may decide.

    A bound without the oracle's error is narrower, by half at most: the oracle computes the same
    lines more precisely. nothing: the outputs of the former, which are not looked at. measured:
    whether the true one is asked for in any case.
    """
    if not measured:
        found = list(judgements(nothing))
        if all(settled(judgement) for _, judgement in found):
            return found
    return list(judgements(oracle()))


def settled(judgement: Judgement) -> bool:
    """Whether the verdict is the same with the oracle's error, the kernel's at most."""
    ratio = judgement.utilisation
    return ratio is None or ratio <= SLACK or ratio > 2 * SLACK


def measured(arithmetic: Arithmetic, x: Array) -> bool:
    """Whether a step's oracle error is evaluated anyway; x: a tensor of the step.

    That is where the kernel computes as precisely, and at some steps, the same in every run.
    """
    near = arithmetic.format.u <= ORACLE.format.u
    return near or zlib.crc32(np.ascontiguousarray(x).tobytes()) % _EVERY == 0


def faultless(x: Bounded) -> Bounded:
    """What is due of a tensor, as an oracle without error has it."""
    return x.like(x.v, np.zeros_like(x.e))
