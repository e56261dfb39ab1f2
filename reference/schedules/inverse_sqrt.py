"""inverse_sqrt: linear warm-up, then decay with the inverse square root of time.

Rule
    s = t or t + 1
    a_t = lr s / warmup_steps                 for s < warmup_steps
    a_t = lr sqrt(warmup_steps / s)           from then on

Shapes
    t: the number of steps made, an integer >= 0; the result is a number.

Domain
    lr >= 0 and finite; warmup_steps >= 1.

Choices
    count: s = t ("from_zero": fairseq, Megatron; the first step has learning rate 0), or s = t + 1
    ("from_one").

Special cases
    The peak, exactly lr, is at s = warmup_steps.

Judged
    The value by the bounded contract.

Sources
    A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017 (arXiv:1706.03762), equation 3,
    scaled to a peak of lr; fairseq, inverse_sqrt.
"""

from fractions import Fraction
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count, Peak
from truestep.reference.robbins_monro import Certificate, EventuallyZero, PowerLaw
from truestep.reference.validation import Array, require_step

advance = None
DIALECTS = {
    "count": {"from_zero": "the first step has s = 0", "from_one": "the first step has s = 1"}
}


class Hyper(declared.Hyper):
    """The peak, the steps that lead to it, and how steps are counted."""

    lr: Peak = 5e-4
    warmup_steps: Annotated[int, Count(1, tuple(range(1, 51)), (1,))] = 4000
    count: Literal["from_zero", "from_one"] = "from_zero"


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    s = require_step(t) + (h.count == "from_one")
    if s < h.warmup_steps:
        return h.lr * s / h.warmup_steps
    return h.lr * np.sqrt(h.warmup_steps / s)


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    if h.lr == 0:
        return EventuallyZero(0)
    factor = h.lr * float(np.sqrt(h.warmup_steps))
    return PowerLaw(Fraction(1, 2), factor / 2, 2 * factor, shift=1.0, start=h.warmup_steps)
