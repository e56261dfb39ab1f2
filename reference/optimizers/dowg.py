"""DoWG, distance over gradients that are weighed by the distance (Khaled et al. 2023).

Rule
    g_t = -g when maximizing, else g;  g_t += weight_decay p_{t-1}
    d_t = max(d_{t-1}, |p_{t-1} - p_0|^2), from d_0 = d0
    G_t = G_{t-1} + d_t |g_t|^2
    p_t = p_{t-1} - lr d_t / (sqrt(G_t) + eps) g_t

Shapes
    p, g, p0: one shape, any rank, 0-d and empty included. d, G: 0-d, of the whole tensor. t: the
    number of steps made.

Domain
    lr, d0, eps, weight_decay >= 0 and finite.

Choices
    lr multiplies what the rule finds, 1 in the paper, which has no eps. d is the square of the
    paper's distance, as optax keeps it.

Special cases
    g = 0 from the start leaves p as it is for eps > 0; with eps = 0 it is 0/0, nan. nan or inf in
    one element of g makes all of them nan. Empty tensors stay empty.

Judged
    p, d and G by the bounded contract, p0 too, which never changes; t exactly.

Sources
    A. Khaled, K. Mishchenko, C. Jin, "DoWG Unleashed: An Efficient Universal Parameter-Free
    Gradient Descent Method", NeurIPS 2023 (arXiv:2305.16284), Algorithm 1. optax.contrib.dowg for
    eps, lr and weight_decay.
"""

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Decay,
    Epsilon,
    Number,
    Peak,
    Point,
    RateFactor,
    Second,
    Switch,
)
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# One distance serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """Hyperparameters of DoWG; the defaults are optax's."""

    lr: RateFactor = 1.0
    d0: Peak = 1e-4
    eps: Epsilon = 1e-4
    weight_decay: Decay = 0.0
    maximize: Switch = False


class State(declared.State):
    """The first point p0, the largest squared distance d, the sum of squares G, the counter t."""

    t: int
    p0: Point
    d: Number
    G: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: p0 = p, d = d0, no squares, t = 0."""
    return State(t=0, p0=p, d=np.asarray(h.d0), G=np.zeros(()))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    if h.maximize:
        g = -g
    g = g + h.weight_decay * p
    way = s.p0 - p
    d = np.maximum(s.d, np.sum(way * way))
    squares = s.G + d * np.sum(g * g)
    rate = d / (np.sqrt(squares) + h.eps)
    return State(t=s.t + 1, p0=s.p0, d=d, G=squares), p - h.lr * (rate * g)
