"""one_cycle: up to lr, down again, and further down to almost nothing (Smith & Topin 2018).

Rule
    first = lr / div_factor, last = first / final_div_factor
    k = pct_start total_steps - 1, n = total_steps - 1
    two phases:    first -> lr on [0, k], lr -> last on [k, n]
    three phases:  first -> lr on [0, k], lr -> first on [k, 2 k], first -> last on [2 k, n]
    between the ends u, v of a phase, at the fraction x of it:
    cos: v + (u - v) (1 + cos(pi x)) / 2,    linear: u + (v - u) x

Shapes
    t: the number of steps made, an integer >= 0; the result is a number.

Domain
    lr >= 0, div_factor, final_div_factor > 0, finite; total_steps >= 1; 0 < k and
    the phases end before n.

Choices
    phases: two, as fastai and PyTorch have it, or the three of the paper ("three").
    anneal: "cos" or, as in the paper, "linear". Both are written as weighted means.
    knots: PyTorch's k and n, where the last step made has the last value ("last_step"), or whole
    steps, k = floor(pct_start total_steps) and n = total_steps, where the last value comes when all
    steps are made ("whole": optax, whose pct_final is where the second of three phases ends). In
    fastai k is no whole number either, and n is total_steps.
    after: past the last step the schedule is not defined ("raise"), or stays at last ("hold").

Special cases
    t = n is exactly last.

Judged
    The value by the bounded contract.

Sources
    L. N. Smith, N. Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large
    Learning Rates", 2018 (arXiv:1708.07120), section 3. PyTorch, OneCycleLR; optax,
    cosine_onecycle_schedule and linear_onecycle_schedule.
"""

import math
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Length, Peak, Real
from truestep.reference.robbins_monro import Certificate, Undecided, held_at
from truestep.reference.stages import weighted
from truestep.reference.validation import Array, require_step

PI = np.pi

advance = None
DIALECTS = {
    "phases": {
        "two": "up, then down to the last value",
        "three": "up, down to the first value, then down to the last",
    },
    "anneal": {"cos": "phases are half cosines", "linear": "phases are straight lines"},
    "knots": {
        "last_step": "the last step made has the last value, and the peak comes a step early",
        "whole": "phases begin at whole steps, the last value comes when all steps are made",
    },
    "after": {"raise": "an error past the last step", "hold": "stays at the last value"},
}


class Hyper(declared.Hyper):
    """The peak, the number of steps, where the peak is, and what first and last are of it."""

    lr: Peak = 1e-2
    total_steps: Length = 1000
    pct_start: Annotated[float, Real(0.0, open="low", usual=(0.3, 0.25, 0.1, 0.45))] = 0.3
    div_factor: Annotated[float, Real(0.0, open="low", usual=(10.0, 25.0, 3.0))] = 25.0
    final_div_factor: Annotated[float, Real(0.0, open="low", usual=(1e4, 100.0, 7.0))] = 1e4
    phases: Literal["two", "three"] = "two"
    anneal: Literal["cos", "linear"] = "cos"
    knots: Literal["last_step", "whole"] = "last_step"
    after: Literal["raise", "hold"] = "raise"

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        k, n = ends(self)
        end = k if self.phases == "two" else 2 * k
        if not 0 < k <= end < n:
            raise ValueError(
                "pct_start must put the phases' ends inside the run, 0 < k and "
                f"{'' if self.phases == 'two' else '2 '}k < n = {n}; got k = {k!r}"
            )


def ends(h: Hyper) -> tuple[Array, Array]:
    """k and n, where the first phase and the last one end."""
    if h.knots == "whole":
        return math.floor(h.pct_start * h.total_steps), h.total_steps
    return h.pct_start * h.total_steps - 1, h.total_steps - 1


def value(h: Hyper, t: int) -> Array:
    """The learning rate of the step after t steps made."""
    t = require_step(t)
    if t >= h.total_steps and h.after == "raise":
        raise ValueError(f"t must be < total_steps = {h.total_steps}, got {t!r}")
    k, n = ends(h)
    t = min(t, n)
    first = h.lr / h.div_factor
    last = first / h.final_div_factor
    if t <= k:
        return _between(h, first, h.lr, t / k)
    elif h.phases == "two":
        return _between(h, h.lr, last, (t - k) / (n - k))
    elif t <= 2 * k:
        return _between(h, h.lr, first, (t - k) / k)
    else:
        return _between(h, first, last, (t - 2 * k) / (n - 2 * k))


def _between(h: Hyper, u: Array, v: Array, x: Array) -> Array:
    """The value at the fraction x of a phase from u to v."""
    weight = (1 + np.cos(PI * x)) / 2 if h.anneal == "cos" else 1 - x
    return weighted(v, u, weight)


def certificate(h: Hyper) -> Certificate:
    """Why the step sizes satisfy or violate the conditions of Robbins and Monro."""
    if h.after == "raise":
        return Undecided(
            "the sequence ends with total_steps, and the conditions are about its tail"
        )
    return held_at(h.lr / h.div_factor / h.final_div_factor, ends(h)[1])
