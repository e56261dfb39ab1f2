"""rex: a ratio of the time left, slow at first and fast at the end (Chen et al. 2021).

Rule
    x = min(t, total_steps) / total_steps
    a_t = min_lr + (lr - min_lr) (1 - x) / (1 - x / 2)

Shapes
    t: the number of steps made, an integer >= 0; the result is a number.

Domain
    0 <= min_lr <= lr, finite; total_steps >= 1.

Choices
    Written as the weighted mean (1 - w) min_lr + w lr, which is exact at both ends. The paper has
    min_lr = 0 and the denominator 1/2 + (1 - x) / 2, which is the same.

Special cases
    t = 0 is exactly lr, t = total_steps and later exactly min_lr.

Judged
    The value by the bounded contract.

Sources
    J. Chen, C. Wolfe, A. Kyrillidis, "REX: Revisiting Budgeted Training with an Improved Schedule",
    MLSys 2022 (arXiv:2107.04197), section 3; pytorch-optimizer, REXScheduler.
"""

from truestep.reference import declared
from truestep.reference.declared import Floor, Length, Peak
from truestep.reference.robbins_monro import Certificate, held_at
from truestep.reference.stages import weighted
from truestep.reference.validation import Array, require_ordered, require_step

advance = None
DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """First and last value, and the steps between them."""

    lr: Peak = 1e-3
    min_lr: Floor = 0.0
    total_steps: Length = 1000

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        require_ordered(self, "min_lr", "lr")


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    x = min(require_step(t), h.total_steps) / h.total_steps
    weight = (1 - x) / (1 - x / 2)
    return weighted(h.min_lr, h.lr, weight)


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    return held_at(h.min_lr, h.total_steps)
