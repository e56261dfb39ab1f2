"""SGD with D-Adaptation, which finds its learning rate from its sums (Defazio & Mishchenko 2023).

Over 120 lines: the estimate of the distance, and the libraries' choices.

Rule
    g_t = -g when maximizing, else g;  G = |g_1|
    g_t += weight_decay p_{t-1}
    l = lr d_t / G
    r_t = r_{t-1} + l <g_t, s_{t-1}>
    s_t = s_{t-1} + l g_t
    d_{t+1} = max(d_t, 2 r_t / |s_t|)
    p_t = beta p_{t-1} + (1 - beta) (p_0 - s_t)

Shapes
    p, g, p0, s: one shape, any rank, 0-d and empty included. G, r, d: 0-d. One estimate serves all
    tensors of a model: p is their elements, flattened and joined. t: the number of steps made.

Domain
    lr, weight_decay >= 0 and finite; 0 <= beta < 1; d0 > 0; growth_rate >= 1.

Choices
    2 r_t is |s_t|^2 - sum l^2 |g|^2, as the paper writes it first. beta is the libraries' momentum.
    G is without the decay, which the paper does not know.
    growth: "unlimited", or d_{t+1} <= growth_rate d_t ("limited").
    nan_estimate: an estimate of nan is "taken", and the next step is nan with it, or "ignored",
    as by Python's max(d, nan), which is d (dadaptation, pytorch-optimizer).

Special cases
    At t = 1 s_0 = 0 and so r = 0 and d_2 = d_0, and the first step is (1 - beta) lr d_0 long
    without decay. While all gradients were zero G is zero: nothing moves, and G is the size of the
    first that is not. Where s is zero, as at lr = 0, d stays. nan in one element of the first g
    makes all of p nan, later d, and with the next step p. Empty tensors stay empty.

Judged
    p, s, G, r and d by the bounded contract, p0 too, which never changes; t exactly.

Sources
    A. Defazio, K. Mishchenko, "Learning-Rate-Free Learning by D-Adaptation", ICML 2023
    (arXiv:2301.07733), SGD with D-Adaptation; the authors' dadaptation 3.2, DAdaptSGD.
    pytorch-optimizer 4.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Above,
    Decay,
    Momentum,
    Number,
    Point,
    RateFactor,
    Real,
    Size,
    Step,
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
}


class Hyper(declared.Hyper):
    """Hyperparameters of SGD with D-Adaptation; the defaults of the numbers are the authors'."""

    lr: RateFactor = 1.0
    beta: Momentum = 0.0
    weight_decay: Decay = 0.0
    d0: Above = 1e-6
    growth_rate: Annotated[float, Real(1.0, usual=(1.02, 1.3, 2.0), edges=(1.0,))] = 1.02
    maximize: Switch = False
    growth: Literal["unlimited", "limited"] = "unlimited"
    nan_estimate: Literal["taken", "ignored"] = "taken"


class State(declared.State):
    """First point p0, way s, first size G, sum r of products, estimate d, and the counter t."""

    t: int
    p0: Point
    s: Step
    G: Size
    r: Number
    d: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: p0 = p, no way, no size, d = d0, t = 0."""
    zero = np.zeros(())
    return State(t=0, p0=p, s=np.zeros_like(p), G=zero, r=zero, d=np.asarray(h.d0))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if p.size == 0:
        return State(t, s.p0, s.s, s.G, s.r, s.d), p
    if h.maximize:
        g = -g
    size = np.where(s.G == 0, np.sqrt(np.sum(g * g)), s.G)
    still = size == 0
    g = g + h.weight_decay * p
    rate = h.lr * s.d / np.where(still, 1.0, size)
    r = np.where(still, s.r, s.r + rate * np.sum(g * s.s))
    way = np.where(still, s.s, s.s + rate * g)
    length = np.sqrt(np.sum(way * way))
    none = length == 0
    estimate = 2 * r / np.where(none, 1.0, length)
    if h.nan_estimate == "ignored":
        estimate = np.where(np.isnan(estimate), s.d, estimate)
    if h.growth == "limited":
        estimate = np.minimum(estimate, s.d * h.growth_rate)
    d = np.where(none, s.d, np.maximum(s.d, estimate))
    new = h.beta * p + (1 - h.beta) * (s.p0 - way)
    return State(t, s.p0, way, size, r, d), np.where(still, p, new)
