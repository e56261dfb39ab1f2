"""linear_warmup_cosine: a straight line up to lr, then half a cosine down to min_lr.

Rule
    a_t = lr t / warmup_steps                                              for t < warmup_steps
    x = (t - warmup_steps) / (total_steps - warmup_steps)
    a_t = min_lr + (lr - min_lr) (1 + cos(pi x)) / 2                       up to total_steps

Shapes
    t: the number of steps made, an integer >= 0; the result is a number.

Domain
    0 <= min_lr <= lr, finite; 0 <= warmup_steps <= total_steps, total_steps >= 1.

Choices
    warmup: t / warmup_steps ("from_zero": transformers, optax, Keras; the first step has learning
    rate 0), (t + 1) / warmup_steps ("from_one": the peak comes one step earlier too), or
    (t + 1) / (warmup_steps + 1) ("interior": nanoGPT; neither 0 nor the peak).
    cosine: starts when the warm-up ends ("restarted"), runs from t = 0 and is joined where it is
    ("running": timm without warmup_prefix; the join jumps), or starts one step early ("ahead":
    transformers' cosine_warmup_with_min_lr, where the last step of a warm-up from_one has the
    peak, and the last step of all min_lr).
    after: past total_steps held at min_lr ("hold": optax, Keras), or on along the cosine ("bounce":
    transformers).

Special cases
    warmup_steps = 0 is the cosine alone; warmup_steps = total_steps falls from the warm-up to
    min_lr at once.

Judged
    The value by the bounded contract.

Sources
    P. Goyal et al., "Accurate, Large Minibatch SGD" (arXiv:1706.02677), section 2.2, for the
    warm-up. I. Loshchilov, F. Hutter, "SGDR", ICLR 2017 (arXiv:1608.03983), equation 5.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count, Floor, Length, Peak
from truestep.reference.robbins_monro import BoundedBelow, Certificate, held_at
from truestep.reference.stages import weighted
from truestep.reference.validation import Array, require_ordered, require_step

PI = np.pi

advance = None
DIALECTS = {
    "warmup": {
        "from_zero": "t / warmup_steps",
        "from_one": "(t + 1) / warmup_steps",
        "interior": "(t + 1) / (warmup_steps + 1)",
    },
    "cosine": {
        "restarted": "the cosine starts when the warm-up ends",
        "running": "the cosine runs from the start, hidden by the warm-up",
        "ahead": "the cosine starts one step before the warm-up ends",
    },
    "after": {
        "hold": "stays at min_lr past total_steps",
        "bounce": "goes on along the cosine past total_steps",
    },
}


class Hyper(declared.Hyper):
    """Peak and last value, the length of the warm-up and of the whole, the warm-up included."""

    lr: Peak = 1e-3
    min_lr: Floor = 0.0
    warmup_steps: Annotated[int, Count(0, tuple(range(1, 129)), (0, 1))] = 100
    total_steps: Length = 1000
    warmup: Literal["from_zero", "from_one", "interior"] = "from_zero"
    cosine: Literal["restarted", "running", "ahead"] = "restarted"
    after: Literal["hold", "bounce"] = "hold"

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        require_ordered(self, "min_lr", "lr")
        require_ordered(self, "warmup_steps", "total_steps")


def wave(h: Hyper) -> tuple[int, int]:
    """Where the cosine starts, perhaps at -1, and in how many steps it falls."""
    if h.cosine == "running":
        return 0, h.total_steps
    early = 1 if h.cosine == "ahead" else 0
    return h.warmup_steps - early, h.total_steps - h.warmup_steps


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    t = require_step(t)
    if t < h.warmup_steps:
        if h.warmup == "from_zero":
            return h.lr * t / h.warmup_steps
        elif h.warmup == "from_one":
            return h.lr * (t + 1) / h.warmup_steps
        else:
            return h.lr * (t + 1) / (h.warmup_steps + 1)
    start, length = wave(h)
    if length == 0:
        return h.min_lr
    s = min(t - start, length) if h.after == "hold" else (t - start) % (2 * length)
    weight = (1 + np.cos(PI * s / length)) / 2
    return weighted(h.min_lr, h.lr, weight)


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    start, length = wave(h)
    if h.after == "hold" or length == 0 or h.lr == 0:
        return held_at(h.min_lr, h.total_steps)
    return BoundedBelow(h.lr / 2, start=start + 2 * length, period=2 * length)
