"""warmup_stable_decay: up to lr, constant, and down to min_lr at the end (Hu et al. 2024).

Rule
    a_t = lr t / warmup_steps                                        for t < warmup_steps
    a_t = lr                                                         then
    x = (t - (total_steps - decay_steps)) / decay_steps              for the last decay_steps steps
    a_t = min_lr + (lr - min_lr) f(x)
    f(x) = 1 - x | 1 - sqrt(x) | (1 + cos(pi x)) / 2 | 1 - x^2

Shapes
    t: the number of steps made, an integer >= 0; the result is a number.

Domain
    0 <= min_lr <= lr, finite; warmup_steps, decay_steps >= 0, together at most total_steps >= 1.

Choices
    shape: "linear", "one_minus_sqrt" (timm's default, found best by Haegele et al.), "cosine"
    (transformers' default) or "one_minus_square" (pytorch-optimizer). transformers' warm-up rises
    from min_lr, which is the same for min_lr = 0 alone.

Special cases
    decay_steps = 0 falls to min_lr at total_steps. t = total_steps and later are exactly min_lr.

Judged
    The value by the bounded contract.

Sources
    S. Hu et al., "MiniCPM" (arXiv:2404.06395), section 4. A. Haegele et al., "Scaling Laws and
    Compute-Optimal Training Beyond Fixed Training Durations" (arXiv:2405.18392), section 3.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count, Floor, Length, Peak
from truestep.reference.robbins_monro import Certificate, held_at
from truestep.reference.stages import weighted
from truestep.reference.validation import Array, require_ordered, require_step

PI = np.pi

advance = None
DIALECTS = {
    "shape": {
        "linear": "a straight line down",
        "one_minus_sqrt": "down with one minus the root of the fraction",
        "cosine": "half a cosine down",
        "one_minus_square": "down with one minus the square of the fraction",
    }
}


class Hyper(declared.Hyper):
    """Peak and last value, the lengths of warm-up, decay and the whole, and the decay's shape."""

    lr: Peak = 1e-3
    min_lr: Floor = 0.0
    warmup_steps: Annotated[int, Count(0, tuple(range(1, 129)), (0, 1))] = 100
    decay_steps: Annotated[int, Count(0, tuple(range(1, 129)), (0,))] = 200
    total_steps: Length = 1000
    shape: Literal["linear", "one_minus_sqrt", "cosine", "one_minus_square"] = "linear"

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        require_ordered(self, "min_lr", "lr")
        if (used := self.warmup_steps + self.decay_steps) > self.total_steps:
            raise ValueError(
                f"warmup_steps + decay_steps must be <= {self.total_steps}, got {used}"
            )


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    t = require_step(t)
    if t >= h.total_steps:
        return h.min_lr
    if t < h.warmup_steps:
        return h.lr * t / h.warmup_steps
    if t <= h.total_steps - h.decay_steps:
        return h.lr
    x = (t - (h.total_steps - h.decay_steps)) / h.decay_steps
    if h.shape == "linear":
        weight = 1 - x
    elif h.shape == "one_minus_sqrt":
        weight = 1 - np.sqrt(x)
    elif h.shape == "cosine":
        weight = (1 + np.cos(PI * x)) / 2
    else:
        weight = 1 - x * x
    return weighted(h.min_lr, h.lr, weight)


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    return held_at(h.min_lr, h.total_steps)
