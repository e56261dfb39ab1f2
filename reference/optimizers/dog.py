"""DoG, distance over gradients in the place of a rate (Ivgi, Hinder and Carmon 2023).

Rule
    g_t = -g when maximizing, else g;  g_t += weight_decay p_{t-1}
    r_t = max(r_{t-1}, |p_{t-1} - p_0|), from r_0 = r_eps
    G_t = G_{t-1} + |g_t|^2
    p_t = p_{t-1} - lr r_t / sqrt(G_t + eps) g_t

Shapes
    p, g, p0: one shape, any rank, 0-d and empty included. r, G: 0-d, of the whole tensor. t: the
    number of steps made.

Domain
    lr, r_eps, eps, weight_decay >= 0 and finite.

Choices
    lr multiplies what the rule finds, 1 in the paper. start: r_0 is r_eps ("distance"), or r_eps
    (1 + |p_0|) ("heuristic", the paper's proposal), or 0, with a first rate of r_eps ("rate").

Special cases
    g = 0 from the start leaves p as it is for eps > 0; with eps = 0 it is 0/0, nan. nan or inf in
    one element of g makes all of them nan. Empty tensors stay empty.

Judged
    p, r and G by the bounded contract, p0 too, which never changes; t exactly.

Sources
    M. Ivgi, O. Hinder, Y. Carmon, "DoG is SGD's Best Friend: A Parameter-Free Dynamic Step Size
    Schedule", ICML 2023 (arXiv:2302.12022), equation (DoG) and section 4. optax.contrib.dog for the
    starts, lr and weight_decay.
"""

from typing import Literal

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
DIALECTS = {
    "start": {
        "distance": "first distance given",
        "heuristic": "first distance in proportion to 1 + the parameter's norm",
        "rate": "first rate given",
    }
}


class Hyper(declared.Hyper):
    """Hyperparameters of DoG; the defaults are optax's, r_eps the paper's."""

    lr: RateFactor = 1.0
    r_eps: Peak = 1e-6
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    start: Literal["distance", "heuristic", "rate"] = "distance"


class State(declared.State):
    """The first point p0, the largest distance r, the sum of squares G, the counter t."""

    t: int
    p0: Point
    r: Number
    G: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: p0 = p, the first distance, no squares, t = 0."""
    r = np.zeros(()) if h.start == "rate" else np.asarray(h.r_eps)
    if h.start == "heuristic":
        r = h.r_eps * (1 + np.sqrt(np.sum(p * p)))
    return State(t=0, p0=p, r=r, G=np.zeros(()))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    if h.maximize:
        g = -g
    g = g + h.weight_decay * p
    way = s.p0 - p
    r = np.maximum(s.r, np.sqrt(np.sum(way * way)))
    squares = s.G + np.sum(g * g)
    rate = r / np.sqrt(squares + h.eps)
    if h.start == "rate" and s.t == 0:
        rate = h.r_eps
    return State(t=s.t + 1, p0=s.p0, r=r, G=squares), p - h.lr * (rate * g)
