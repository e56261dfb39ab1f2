"""signSGD: steps of one length, against the sign of the gradient (Bernstein et al. 2018).

Rule
    g_t = -g when maximizing, else g
    p_t = p_{t-1} - lr (sign(g_t) + weight_decay p_{t-1})

Shapes
    p, g: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, weight_decay >= 0 and finite.

Choices
    decay: outside the sign, in one sum with the step ("in_step") or as a factor of p ("before", the
    same but for its rounding); inside it, weight_decay p only tips the sign ("coupled").
    nan_sign: nan has the sign nan ("nan") or, in torch, "zero".
    sign(0) = 0; one-bit codes that know no zero send +1. The majority vote over workers is this
    rule on the sum of their signs.

Special cases
    g = 0 moves p by the decay alone. Every g down to the smallest subnormal counts in full, so
    that flushing subnormals shows. nan in g makes that element of p nan; inf is a sign like any
    other.
    Empty tensors stay empty and advance t.

Judged
    p by the bounded contract, where the sign is decided; t exactly.

Sources
    J. Bernstein, Y.-X. Wang, K. Azizzadenesheli, A. Anandkumar, "signSGD: Compressed Optimisation
    for Non-Convex Problems", ICML 2018 (arXiv:1802.04434), Algorithm 1.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Decay, Rate, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "decay": {
        "in_step": "weight decay, multiplied by lr, in one sum with the step",
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient, inside the sign",
    },
    "nan_sign": {"nan": "sign of nan is nan", "zero": "sign of nan is zero"},
}


class Hyper(declared.Hyper):
    """Learning rate and weight decay."""

    lr: Rate = 1e-4
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["in_step", "before", "coupled"] = "in_step"
    nan_sign: Literal["nan", "zero"] = "nan"


class State(declared.State):
    """The number t of steps made."""

    t: int


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: t = 0."""
    return State(t=0)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    update = np.sign(g)
    if h.nan_sign == "zero":
        update = np.where(np.isnan(g), 0.0, update)
    if h.decay == "in_step":
        update = update + h.weight_decay * p
    elif h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    return State(t=s.t + 1), p - h.lr * update
