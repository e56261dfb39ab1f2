"""cosine: half a cosine from lr down to min_lr (Loshchilov & Hutter 2017).

Rule
    a_t = min_lr + (lr - min_lr) (1 + cos(pi t / total_steps)) / 2        for t <= total_steps

Shapes
    t: the number of steps made, an integer >= 0; the result is a number.

Domain
    0 <= min_lr <= lr, finite; total_steps >= 1.

Choices
    Written as the weighted mean (1 - w) min_lr + w lr, which is exact at both ends.
    after: past total_steps the paper restarts, which is warm_restarts here. Held at min_lr ("hold":
    optax, Keras, timm, Megatron), or the cosine goes on and climbs again ("bounce": PyTorch,
    transformers).

Special cases
    t = 0 is exactly lr, t = total_steps exactly min_lr.

Judged
    The value by the bounded contract.

Sources
    I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017
    (arXiv:1608.03983), equation 5. PyTorch, CosineAnnealingLR, for `advance`.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Floor, Length, Peak
from truestep.reference.robbins_monro import BoundedBelow, Certificate, held_at
from truestep.reference.stages import weighted
from truestep.reference.validation import Array, require_ordered, require_step

PI = np.pi

DIALECTS = {
    "after": {
        "hold": "stays at min_lr past total_steps",
        "bounce": "goes on along the cosine past total_steps",
    }
}


class Hyper(declared.Hyper):
    """First and last value, and the steps between them."""

    lr: Peak = 1e-3
    min_lr: Floor = 0.0
    total_steps: Length = 1000
    after: Literal["hold", "bounce"] = "hold"

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        require_ordered(self, "min_lr", "lr")


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    t = require_step(t)
    t = min(t, h.total_steps) if h.after == "hold" else t % (2 * h.total_steps)
    weight = (1 + np.cos(PI * t / h.total_steps)) / 2
    return weighted(h.min_lr, h.lr, weight)


def advance(h: Hyper, t: int, lr: Array) -> Array:
    """The value at t + 1 from the value lr at t, by the quotient of the cosines; bouncing."""
    T = h.total_steps
    if (t - T) % (2 * T) == 0:  # the minimum, where the quotient is 0 / 0
        return lr + (h.lr - h.min_lr) * (1 - np.cos(PI / T)) / 2
    growth = (1 + np.cos(PI * (t + 1) / T)) / (1 + np.cos(PI * t / T))
    return growth * (lr - h.min_lr) + h.min_lr


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    if h.after == "hold" or h.lr == 0:
        return held_at(h.min_lr, h.total_steps)
    return BoundedBelow(h.lr / 2, start=0, period=2 * h.total_steps)
