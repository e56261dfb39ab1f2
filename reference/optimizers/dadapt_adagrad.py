"""AdaGrad with D-Adaptation, which finds its rate from its sums (Defazio & Mishchenko 2023).

Over 120 lines: the estimate of the distance, and the libraries' choices.

Rule
    g_t = -g when maximizing, else g;  g_t += weight_decay p_{t-1};  l = lr d_t
    a_t = a_{t-1} + g_t^2, from a_0 = initial_total
    A_t = sqrt(a_t) + eps, by element
    s_t = s_{t-1} + l g_t
    G_t = G_{t-1} + l^2 sum g_t^2 / A_t
    d_{t+1} = max(d_t, (sum s_t^2 / A_t - G_t) / |s_t|_1)
    p_t = beta p_{t-1} + (1 - beta) (p_0 - s_t / A_t)

Shapes
    p, g, p0, a, s: one shape, any rank, 0-d and empty included. q, w, G, d: 0-d; q and w are the
    estimate's two sums of s_t. One estimate serves all tensors of a model: p is their elements,
    flattened and joined. t: the number of steps made.

Domain
    lr, eps, weight_decay, initial_total >= 0 and finite; 0 <= beta < 1; d0 > 0; growth_rate >= 1.

Choices
    The paper begins with the largest size of a gradient in each element, the authors' code with
    1e-6. beta is the libraries' momentum; the paper knows neither it nor a decay.
    sums: q = sum s_t^2 / A_t and w = |s_t|_1 are computed in each step ("anew"), or, in all code,
    have what they grow by added, a difference of two such sums ("kept").
    growth: "unlimited", or d_{t+1} <= growth_rate d_t ("limited").
    nan_estimate: an estimate of nan is "taken", and the next step is nan with it, or "ignored",
    as by Python's max(d, nan), which is d (dadaptation, pytorch-optimizer).

Special cases
    At t = 1 both sums of the estimate are the same: d_2 = d_0. Where w is zero, as after zero
    gradients alone, p, G and d are left as they are. With eps and initial_total 0 an element
    without a gradient is 0/0, nan. nan in g makes d nan, and with the next step p. Empty tensors
    stay empty and advance t.

Judged
    p, a, s, q, w, G and d by the bounded contract, p0 too, which never changes; t exactly.

Sources
    A. Defazio, K. Mishchenko, "Learning-Rate-Free Learning by D-Adaptation", ICML 2023
    (arXiv:2301.07733), AdaGrad with D-Adaptation; the authors' dadaptation 3.2, DAdaptAdaGrad.
    pytorch-optimizer 4.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Above,
    Curvature,
    Decay,
    Epsilon,
    First,
    Momentum,
    Number,
    Point,
    RateFactor,
    Real,
    Second,
    Size,
    Switch,
)
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

# One estimate of the distance serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "growth": {
        "unlimited": "estimate free to grow",
        "limited": "estimate grows by at most growth_rate",
    },
    "nan_estimate": {
        "taken": "an estimate of nan makes everything nan",
        "ignored": Departure("an estimate of nan leaves the last one"),
    },
    "sums": {
        "anew": "sums of the way computed in each step",
        "kept": "what the sums of the way grow by added to those of before",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of AdaGrad with D-Adaptation; the defaults are the authors', but for sums."""

    lr: RateFactor = 1.0
    beta: Momentum = 0.0
    eps: Epsilon = 0.0
    weight_decay: Decay = 0.0
    initial_total: Annotated[float, Real(0.0)] = 1e-6
    d0: Above = 1e-6
    growth_rate: Annotated[float, Real(1.0, usual=(1.02, 1.3, 2.0), edges=(1.0,))] = 1.02
    maximize: Switch = False
    growth: Literal["unlimited", "limited"] = "unlimited"
    nan_estimate: Literal["taken", "ignored"] = "taken"
    sums: Literal["anew", "kept"] = "anew"


class State(declared.State):
    """First point p0, squares a, sum s, its sums q and w, sum G, estimate d, the counter t."""

    t: int
    p0: Point
    a: Second
    s: First
    q: Curvature
    w: Size
    G: Size
    d: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: p0 = p, a = initial_total, zero sums, d = d0, t = 0."""
    zeros, zero = np.zeros_like(p), np.zeros(())
    return State(0, p, zeros + h.initial_total, zeros, zero, zero, zero, np.asarray(h.d0))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if p.size == 0:
        return State(t, s.p0, s.a, s.s, s.q, s.w, s.G, s.d), p
    if h.maximize:
        g = -g
    g = g + h.weight_decay * p
    rate = h.lr * s.d
    a = s.a + g * g
    root = np.sqrt(a) + h.eps
    total = s.s + rate * g
    q, w = np.sum(total * total / root), np.sum(np.abs(total))
    if h.sums == "kept":
        q = s.q + (q - np.sum(s.s * s.s / (np.sqrt(s.a) + h.eps)))
        w = s.w + (w - np.sum(np.abs(s.s)))
    still = w == 0
    squares = s.G + rate * rate * np.sum(g * g / root)
    estimate = (q - squares) / np.where(still, 1.0, w)
    if h.nan_estimate == "ignored":
        estimate = np.where(np.isnan(estimate), s.d, estimate)
    if h.growth == "limited":
        estimate = np.minimum(estimate, s.d * h.growth_rate)
    d = np.where(still, s.d, np.maximum(s.d, estimate))
    new = h.beta * p + (1 - h.beta) * (s.p0 - total / root)
    new, squares = np.where(still, p, new), np.where(still, s.G, squares)
    return State(t, s.p0, a, total, q, w, squares, d), new
