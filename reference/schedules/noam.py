"""noam: the schedule of the Transformer (Vaswani et al. 2017).

Rule
    s = t + 1
    a_t = lr d_model^-0.5 min(s^-0.5, s warmup_steps^-1.5)

Shapes
    t: the number of steps made, an integer >= 0; the result is a number.

Domain
    lr >= 0 and finite; d_model, warmup_steps >= 1.

Choices
    lr is a factor, 1 in the paper and 2 in Tensor2Tensor. The paper counts from 1.

Special cases
    The peak (d_model warmup_steps)^-0.5 lr is at s = warmup_steps.

Judged
    The value by the bounded contract.

Sources
    A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017 (arXiv:1706.03762), equation 3.
"""

from fractions import Fraction
from typing import Annotated

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count, Peak
from truestep.reference.robbins_monro import Certificate, EventuallyZero, PowerLaw
from truestep.reference.validation import Array, require_step

advance = None
DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """A factor, the width of the model and the length of the warm-up; the paper's values."""

    lr: Peak = 1.0
    d_model: Annotated[int, Count(1, (64, 512, 768))] = 512
    warmup_steps: Annotated[int, Count(1, tuple(range(1, 51)), (1,))] = 4000


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    s = require_step(t) + 1
    return h.lr * h.d_model**-0.5 * np.minimum(s**-0.5, s * h.warmup_steps**-1.5)


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    if h.lr == 0:
        return EventuallyZero(0)
    factor = h.lr * h.d_model**-0.5
    return PowerLaw(Fraction(1, 2), factor / 2, 2 * factor, shift=1.0, start=h.warmup_steps)
