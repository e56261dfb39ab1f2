"""AccSGD, accelerated SGD with a long and a short step (Kidambi et al. 2018).

Rule
    g_t = -g when maximizing, else g;  g_t += weight_decay p_{t-1}
    share = constant^2 xi / kappa
    b_t = (1 - share) b_{t-1} + share (p_{t-1} - (kappa / constant) lr g_t), from b_0 = p_0
    p_t = (constant (p_{t-1} - lr g_t) + share b_t) / (constant + share)

Shapes
    p, g, b: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, weight_decay >= 0 and finite; kappa, xi > 0; 0 < constant <= 1.

Choices
    None: constant is 0.7 in the paper, whose 1 - share is called alpha.

Special cases
    g = 0 from the start leaves p but for the rounding of a mean of p with itself. nan in g poisons
    that element for ever. Empty tensors stay empty and advance t.

Judged
    p and b by the bounded contract, t exactly.

Sources
    R. Kidambi, P. Netrapalli, P. Jain, S. Kakade, "On the Insufficiency of Existing Momentum
    Schemes for Stochastic Optimization", ICLR 2018 (arXiv:1803.05591), Algorithm 3. The authors'
    code, rahulkidambi/AccSGD, for weight_decay.
"""

from typing import Annotated

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Decay, Point, Rate, Real, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """Hyperparameters of AccSGD; the defaults are the authors' code's."""

    lr: Rate = 1e-3
    kappa: Annotated[float, Real(0.0, open="low", usual=(1000.0, 100.0, 30.0))] = 1000.0
    xi: Annotated[float, Real(0.0, open="low", usual=(10.0, 3.0, 5.0))] = 10.0
    constant: Annotated[float, Real(0.0, 1.0, "low", usual=(0.7, 0.5, 1.0))] = 0.7
    weight_decay: Decay = 0.0
    maximize: Switch = False


class State(declared.State):
    """The average b of far points, shaped like p, and the number t of steps made."""

    t: int
    b: Point


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: b is p, t = 0."""
    return State(t=0, b=np.asarray(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    if h.maximize:
        g = -g
    g = g + h.weight_decay * p
    share = h.constant * h.constant * h.xi / h.kappa
    far = p - (h.kappa / h.constant) * h.lr * g
    b = (1 - share) * s.b + share * far
    zeta = h.constant / (h.constant + share)
    return State(t=s.t + 1, b=b), zeta * (p - h.lr * g) + (1 - zeta) * b
