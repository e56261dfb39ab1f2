"""linear_warmup_polynomial: a straight line up to lr, then a power of the time left.

Rule
    a_t = lr t / warmup_steps                                              for t < warmup_steps
    x = (t - warmup_steps) / (total_steps - warmup_steps)
    a_t = min_lr + (lr - min_lr) (1 - x)^power                             up to total_steps
    a_t = min_lr                                                           from total_steps on

Shapes
    t: the number of steps made, an integer >= 0; the result is a number.

Domain
    0 <= min_lr <= lr, finite; 0 <= warmup_steps <= total_steps, total_steps >= 1; power > 0.

Choices
    total_steps includes the warm-up. power = 1 is the line of transformers' Trainer, its default.
    Written as the weighted mean (1 - w) min_lr + w lr, which is exact at both ends.

Special cases
    warmup_steps = 0 is the polynomial alone; warmup_steps = total_steps falls from the warm-up to
    min_lr at once.

Judged
    The value by the bounded contract.

Sources
    J. Devlin et al., "BERT" (arXiv:1810.04805), appendix A.2, for the line. transformers,
    get_linear_schedule_with_warmup and get_polynomial_decay_schedule_with_warmup.
"""

from typing import Annotated

from truestep.reference import declared
from truestep.reference.declared import Count, Floor, Length, Peak, Real
from truestep.reference.robbins_monro import Certificate, held_at
from truestep.reference.stages import weighted
from truestep.reference.validation import Array, require_ordered, require_step

advance = None
DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """Peak and last value, the length of the warm-up and of the whole, and the power."""

    lr: Peak = 1e-3
    min_lr: Floor = 0.0
    warmup_steps: Annotated[int, Count(0, tuple(range(1, 129)), (0, 1))] = 100
    total_steps: Length = 1000
    power: Annotated[
        float, Real(0.0, open="low", usual=(0.5, 0.9, 1.0, 2.0, 3.0), edges=(1.0,))
    ] = 1.0

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        require_ordered(self, "min_lr", "lr")
        require_ordered(self, "warmup_steps", "total_steps")


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    t = require_step(t)
    if t < h.warmup_steps:
        return h.lr * t / h.warmup_steps
    if t >= h.total_steps:
        return h.min_lr
    x = (t - h.warmup_steps) / (h.total_steps - h.warmup_steps)
    weight = (1 - x) ** h.power
    return weighted(h.min_lr, h.lr, weight)


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    return held_at(h.min_lr, h.total_steps)
