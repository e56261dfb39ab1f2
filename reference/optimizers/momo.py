"""MoMo, momentum whose rate a model of the function limits (Schaipp et al. 2023).

Over 120 lines: the bound that is found on the way, and the libraries' choices.

Rule
    f_t = the function's value at p_{t-1}, g_t its gradient; a = 1 + lr weight_decay
    f = beta f + (1 - beta) f_t
    c = beta c + (1 - beta) <g_t, p_{t-1}>
    m = beta m + (1 - beta) g_t, all three f_1, <g_1, p_0> and g_1 in the first step
    gap = max(a (f - bound - c) + <m, p_{t-1}>, 0)
    step = min(lr, gap / |m|^2)
    p_t = (p_{t-1} - step m) / a

Shapes
    p, g, m: one shape, any rank, 0-d and empty included; f, c, bound: 0-d, of the whole tensor. t:
    the number of steps made.

Domain
    lr, weight_decay >= 0 and finite; 0 <= beta < 1; lower_bound finite.

Choices
    start: averages begin with the first ("first"), or with zero ("zero", bias_correction of the
    authors' code): then bound and lr stand times and over w = 1 - beta^t.
    bound: lower_bound ("given"), or found on the way, MoMo* ("adapted", use_fstar,
    adapt_lower_bound). Where h = a (f - c) + <m, p> < a w bound it is reset to
    max(h / (2 a w), lower_bound), and after the step it is
    max((f + <m, p> - c - step |m|^2 / 2) / w, lower_bound).
    decay: of the whole step ("proximal"), or of p_{t-1} alone, in one sum with the step
    ("in_step", optax).
    guard: no step where |m|^2 is zero ("zero"); optax takes none up to 2^-52 ("small").

Special cases
    g = 0 from the start leaves p to the decay. A value below the bound leaves it to the decay
    too. nan or inf in g makes all of p nan. Empty tensors stay empty and advance t, f and the rest.

Judged
    m, f, c, bound and p by the bounded contract, t exactly.

Sources
    F. Schaipp, R. Ohana, M. Eickenberg, A. Defazio, R. Gower, "MoMo: Momentum Models for Adaptive
    Learning Rates", ICML 2024 (arXiv:2305.07583), Algorithm 1; the authors' momo-opt 0.1.0; optax
    0.2.8, contrib.momo.
"""

import math
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Curvature, Decay, First, RateFactor, Real
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

# One step serves all elements.
FACTS = Facts(elementwise=False, inputs={"value": lambda shape: ()})
DIALECTS = {
    "bound": {
        "given": "the function's lower bound as given",
        "adapted": "the function's lower bound found on the way",
    },
    "decay": {
        "proximal": "weight decay of the point after the step",
        "in_step": Departure("weight decay of the point before the step, in one sum with it"),
    },
    "guard": {
        "zero": "no step where the average gradient is zero",
        "small": Departure("no step where the average gradient's square is at most 2^-52"),
    },
    "start": {
        "first": "averages begin with the first of what they average",
        "zero": "averages begin with zero, and are corrected for it",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of MoMo; the defaults are the authors'."""

    lr: RateFactor = 1.0
    beta: Beta = 0.9
    lower_bound: Annotated[float, Real(-math.inf, usual=(0.0, 0.3, -7.0))] = 0.0
    weight_decay: Decay = 0.0
    bound: Literal["given", "adapted"] = "given"
    decay: Literal["proximal", "in_step"] = "proximal"
    guard: Literal["zero", "small"] = "zero"
    start: Literal["first", "zero"] = "first"


class State(declared.State):
    """Averages m of gradients, f of values, c of products with p; bound; the counter t."""

    t: int
    m: First
    f: Curvature
    c: Curvature
    bound: Curvature


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero averages, the bound that is given, t = 0."""
    zero = np.zeros(())
    return State(t=0, m=np.zeros_like(p), f=zero, c=zero, bound=np.asarray(h.lower_bound))


def step(h: Hyper, s: State, p: Array, g: Array, *, value: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g and the function's value there: both new."""
    t = s.t + 1
    beta = 0.0 if h.start == "first" and s.t == 0 else h.beta
    m = beta * s.m + (1 - beta) * g
    f = beta * s.f + (1 - beta) * value
    c = beta * s.c + (1 - beta) * np.sum(g * p)
    weight = 1 - h.beta**t if h.start == "zero" else 1.0
    a, size, reach, bound = 1 + h.lr * h.weight_decay, np.sum(m * m), np.sum(m * p), s.bound
    if h.bound == "adapted":
        least = a * (f - c) + reach
        reset = np.maximum(least / (2 * a * weight), h.lower_bound)
        bound = np.where(least < a * weight * bound, reset, bound)
    gap = np.maximum(a * (f - weight * bound - c) + reach, 0.0)
    still = size == 0 if h.guard == "zero" else size <= 2.0**-52
    rate = np.minimum(h.lr / weight, np.where(still, 0.0, gap / np.where(still, 1.0, size)))
    if h.bound == "adapted":
        bound = np.maximum((f + reach - c - rate * size / 2) / weight, h.lower_bound)
    if h.decay == "proximal":
        p = (p - rate * m) / a
    else:
        p = p - (h.lr * h.weight_decay / a * p + rate * m)
    return State(t=t, m=m, f=f, c=c, bound=bound), p
