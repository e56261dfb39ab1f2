"""SGD-HD, gradient descent on its own rate too (Baydin et al. 2018).

Rule
    g_t = -g when maximizing, else g;  g_t += weight_decay p_{t-1}
    rate_t = rate_{t-1} + hypergrad_lr <g_t, u_{t-1}>, from rate_0 = lr and u_0 = 0
    b_t = momentum b_{t-1} + g_t
    u_t = b_t
    p_t = p_{t-1} - rate_t u_t

Shapes
    p, g, b, u: one shape, any rank, 0-d and empty included. rate: 0-d. One rate serves all tensors
    of a model: p is their elements, flattened and joined. t: the number of steps made.

Domain
    lr, hypergrad_lr, weight_decay >= 0 and finite; 0 <= momentum < 1.

Choices
    Without momentum it is the paper's SGD-HD; form: u_t = b_t ("heavy_ball", the authors' code), or
    u_t = g_t + momentum b_t ("nesterov", the paper's SGDN-HD). Dampening and the paper's
    multiplicative form are left out.

Special cases
    lr is the first rate alone. The rate may fall below zero, and steps then climb. hypergrad_lr = 0
    leaves plain descent. g = 0 from the start leaves p as it is. nan or inf in g makes the next
    rate, and with it all of p, nan. Empty tensors stay empty and advance t.

Judged
    p, b, u and rate by the bounded contract, t exactly.

Sources
    A. G. Baydin, R. Cornish, D. Martinez Rubio, M. Schmidt, F. Wood, "Online Learning Rate
    Adaptation with Hypergradient Descent", ICLR 2018 (arXiv:1703.04782), Algorithms 4 and 5. The
    authors' code, gbaydin/hypergradient-descent.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Decay, First, Momentum, Number, Rate, Real, Switch, decades
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# One rate serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "form": {
        "heavy_ball": "steps along the velocity",
        "nesterov": "steps along the gradient and the velocity behind it",
    }
}


class Hyper(declared.Hyper):
    """Hyperparameters of SGD-HD; the defaults are the paper's."""

    lr: Rate = 1e-3
    hypergrad_lr: Annotated[float, Real(0.0, usual=decades(-5, 0), edges=(0.0,))] = 1e-3
    momentum: Momentum = 0.0
    weight_decay: Decay = 0.0
    maximize: Switch = False
    form: Literal["heavy_ball", "nesterov"] = "heavy_ball"


class State(declared.State):
    """Velocity b and last direction u, shaped like p, the rate, and the counter t."""

    t: int
    b: First
    u: First
    rate: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: no velocity, no direction, the rate lr, t = 0."""
    zeros = np.zeros_like(p)
    return State(t=0, b=zeros, u=zeros, rate=np.asarray(h.lr))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    if h.maximize:
        g = -g
    g = g + h.weight_decay * p
    rate = s.rate + h.hypergrad_lr * np.sum(g * s.u)
    b = h.momentum * s.b + g
    u = b if h.form == "heavy_ball" else g + h.momentum * b
    return State(t=s.t + 1, b=b, u=u, rate=rate), p - rate * u
