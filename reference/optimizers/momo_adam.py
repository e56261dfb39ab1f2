"""MoMo-Adam, Adam whose rate a model of the function limits (Schaipp et al. 2023).

Over 120 lines: the bound that is found on the way, and the libraries' choices.

Rule
    f_t = the function's value at p_{t-1}, g_t its gradient; a = 1 + lr weight_decay
    f = beta1 f + (1 - beta1) f_t;  c = beta1 c + (1 - beta1) <g_t, p_{t-1}>
    m = beta1 m + (1 - beta1) g_t;  v = beta2 v + (1 - beta2) g_t^2
    D = eps + sqrt(v / (1 - beta2^t));  w = 1 - beta1^t
    gap = max(a (f - w bound - c) + <m, p_{t-1}>, 0)
    step = min(lr / w, gap / <m, m / D>)
    p_t = (p_{t-1} - step m / D) / a

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included; f, c, bound: 0-d, of the whole tensor.
    t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1; lower_bound finite.

Choices
    bound: lower_bound ("given"), or found on the way, MoMo* ("adapted", use_fstar,
    adapt_lower_bound). Where h = a (f - c) + <m, p> < a w bound it is reset to
    max(h / (2 a w), lower_bound), and after the step it is
    max((f + <m, p> - c - step <m, m / D> / 2) / w, lower_bound).
    decay: of the whole step ("proximal"); of p_{t-1} alone, divided, in one sum with the step
    ("in_step", optax), or times 1 - lr weight_decay as AdamW's ("before", divide = False of the
    authors' code).
    guard: no step where <m, m / D> is zero ("zero"); optax takes none up to 2^-52 ("small").

Special cases
    g = 0 from the start leaves p to the decay, or makes it 0/0, nan, with eps = 0. A value below
    the bound leaves p to the decay too. nan or inf in g makes all of p nan. Empty tensors stay
    empty and advance t, f and the rest.

Judged
    m, v, f, c, bound and p by the bounded contract, t exactly.

Sources
    F. Schaipp, R. Ohana, M. Eickenberg, A. Defazio, R. Gower, "MoMo: Momentum Models for Adaptive
    Learning Rates", ICML 2024 (arXiv:2305.07583), Algorithm 2; the authors' momo-opt 0.1.0; optax
    0.2.8, contrib.momo_adam.
"""

import math
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Curvature, Decay, Epsilon, First, Rate, Real, Second
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
        "before": "weight decay, multiplied by lr, before the step",
        "in_step": Departure("weight decay of the point before the step, in one sum with it"),
    },
    "guard": {
        "zero": "no step where the average gradient is zero",
        "small": Departure("no step where the average gradient's square is at most 2^-52"),
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of MoMo-Adam; the defaults are the authors'."""

    lr: Rate = 1e-2
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-8
    lower_bound: Annotated[float, Real(-math.inf, usual=(0.0, 0.3, -7.0))] = 0.0
    weight_decay: Decay = 0.0
    bound: Literal["given", "adapted"] = "given"
    decay: Literal["proximal", "before", "in_step"] = "proximal"
    guard: Literal["zero", "small"] = "zero"


class State(declared.State):
    """Moments m, v; averages f of values and c of products with p; bound; the counter t."""

    t: int
    m: First
    v: Second
    f: Curvature
    c: Curvature
    bound: Curvature


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero averages, the bound that is given, t = 0."""
    zeros, zero = np.zeros_like(p), np.zeros(())
    return State(t=0, m=zeros, v=zeros, f=zero, c=zero, bound=np.asarray(h.lower_bound))


def step(h: Hyper, s: State, p: Array, g: Array, *, value: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g and the function's value there: both new."""
    t = s.t + 1
    m = h.beta1 * s.m + (1 - h.beta1) * g
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    f = h.beta1 * s.f + (1 - h.beta1) * value
    c = h.beta1 * s.c + (1 - h.beta1) * np.sum(g * p)
    u = m / (h.eps + np.sqrt(v / (1 - h.beta2**t)))
    weight, a, bound = 1 - h.beta1**t, 1 + h.lr * h.weight_decay, s.bound
    size, reach = np.sum(m * u), np.sum(m * p)
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
        p = (p - rate * u) / a
    elif h.decay == "in_step":
        p = p - (h.lr * h.weight_decay / a * p + rate * u)
    else:
        p = p * (1 - h.lr * h.weight_decay) - rate * u
    return State(t=t, m=m, v=v, f=f, c=c, bound=bound), p
