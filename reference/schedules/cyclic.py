"""cyclic: triangles between min_lr and lr, at constant or shrinking height (Smith 2017).

Rule
    c = floor(t / (steps_up + steps_down)),  s = t - c (steps_up + steps_down)
    w = s / steps_up                                   for s <= steps_up
    w = (steps_up + steps_down - s) / steps_down       after it
    a_t = min_lr + (lr - min_lr) w h_t,  h_t = 1 | 2^-c | gamma^t

Shapes
    t: the number of steps made, an integer >= 0; the result is a number.

Domain
    0 <= min_lr <= lr, finite; steps_up, steps_down >= 1; 0 < gamma <= 1.

Choices
    mode: the height is constant ("triangular"), halved every cycle ("triangular2") or gamma^t
    ("exp_range"). The paper has steps_up = steps_down.
    place: s is an integer ("integer"), or s / (steps_up + steps_down) is what is left of
    t / (steps_up + steps_down) without its whole part ("fraction": the paper's program, PyTorch),
    which loses digits with every cycle.

Special cases
    t = 0 and every multiple of the period are exactly min_lr.

Judged
    The value by the bounded contract.

Sources
    L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017
    (arXiv:1506.01186), sections 3.1-3.2.
"""

from fractions import Fraction
from typing import Annotated, Literal

from truestep.reference import declared
from truestep.reference.declared import Count, Floor, Peak, Real
from truestep.reference.robbins_monro import BoundedBelow, Certificate, Geometric, held_at
from truestep.reference.stages import weighted
from truestep.reference.validation import Array, require_ordered, require_step

advance = None
DIALECTS = {
    "mode": {
        "triangular": "every triangle of the same height",
        "triangular2": "the height halved every cycle",
        "exp_range": "the height multiplied by gamma every step",
    },
    "place": {
        "integer": "the place in the cycle is an integer",
        "fraction": "the place in the cycle is a fraction, less exact in every cycle",
    },
}


class Hyper(declared.Hyper):
    """Lowest and highest value, the legs of a triangle, and how its height changes."""

    lr: Peak = 1e-2
    min_lr: Floor = 1e-3
    steps_up: Annotated[int, Count(1, tuple(range(1, 41)), (1,))] = 2000
    steps_down: Annotated[int, Count(1, tuple(range(1, 41)), (1,))] = 2000
    gamma: Annotated[float, Real(0.0, 1.0, "low", (0.9, 0.5, 0.1, 0.97), (1.0,))] = 1.0
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular"
    place: Literal["integer", "fraction"] = "integer"

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        require_ordered(self, "min_lr", "lr")


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    t = require_step(t)
    period = h.steps_up + h.steps_down
    c, s = divmod(t, period)
    if h.place == "integer":
        weight = s / h.steps_up if s <= h.steps_up else (period - s) / h.steps_down
    else:
        x, peak = 1 + t / period - (c + 1), h.steps_up / period
        weight = x / peak if x <= peak else (x - 1) / (peak - 1)
    if h.mode == "triangular2":
        weight = weight * 0.5**c
    elif h.mode == "exp_range":
        weight = weight * h.gamma**t
    return weighted(h.min_lr, h.lr, weight)


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    period = h.steps_up + h.steps_down
    if h.min_lr > 0 or h.lr == 0:
        return held_at(h.min_lr, 0)
    if h.mode == "triangular2":
        return Geometric(Fraction(3, 4), period=period)
    if h.mode == "exp_range" and h.gamma < 1:
        return Geometric((1 + Fraction(h.gamma)) / 2, period=period)
    return BoundedBelow(h.lr / 2, start=h.steps_up, period=period)
