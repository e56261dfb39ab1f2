"""Nesterov's accelerated gradient, with constant momentum (Nesterov 1983; Sutskever et al. 2013).

Rule
    g = gradient at the lookahead point q_{t-1} = p_{t-1} + momentum u_{t-1}
    g_t = -g when maximizing, else g; then g_t + weight_decay q_{t-1} when the decay is coupled
    u_t = momentum u_{t-1} - lr g_t
    p_t = p_{t-1} + u_t

Shapes
    p, g, u: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, weight_decay >= 0 and finite; 0 <= momentum < 1.

Choices
    form: the papers take the gradient at the lookahead point; step is handed that gradient already
    evaluated, and `lookahead` says where ("lookahead"). PyTorch and Keras store the lookahead point
    q_t itself as the parameter and take the gradient there. PyTorch's buffer sums gradients
    ("torch": u_t = momentum u_{t-1} + g_t, p_t = p_{t-1} - lr (g_t + momentum u_t)); Keras's
    carries lr ("keras": u_t = momentum u_{t-1} - lr g_t, p_t = p_{t-1} + momentum u_t - lr g_t).
    Their p_t are the q_t of the first form: "keras" whatever lr does, "torch" while lr is constant.
    decay: coupled is the gradient of the L2 penalty, taken where the gradient is taken. Keras
    shrinks its parameter by (1 - lr weight_decay) before the step ("decoupled").

Special cases
    g = 0 from the start leaves u = 0 and moves p by the decay alone; momentum = 0 is plain SGD.
    nan or inf in g stays in that element's u and p. Empty tensors stay empty and advance t.

Judged
    p and u by the bounded contract, t exactly.

Sources
    Yu. Nesterov, "A method of solving a convex programming problem with convergence rate
    O(1/k^2)", Soviet Math. Dokl. 27 (1983). I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the
    importance of initialization and momentum in deep learning", ICML 2013, equations (3) and (4).
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Decay, First, Momentum, Rate, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "decay": {
        "coupled": "weight decay added to the gradient",
        "decoupled": "weight decay, multiplied by lr, before the step",
    },
    "form": {
        "lookahead": "gradient taken at p + momentum u, lr inside the velocity",
        "torch": "parameter is the lookahead point, lr outside the velocity",
        "keras": "parameter is the lookahead point, lr inside the velocity",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of Nesterov's method: lr as in PyTorch, momentum at its usual value."""

    lr: Rate = 1e-3
    momentum: Momentum = 0.9
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["coupled", "decoupled"] = "coupled"
    form: Literal["lookahead", "torch", "keras"] = "lookahead"


class State(declared.State):
    """Velocity u, shaped like p, and the number t of steps made."""

    t: int
    u: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero velocity shaped like p, t = 0."""
    return State(t=0, u=np.zeros_like(p))


def lookahead(h: Hyper, s: State, p: Array) -> Array:
    """The point at which the next gradient is to be taken."""
    return p + h.momentum * s.u if h.form == "lookahead" else p


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g at the lookahead point: new state and new p."""
    t = s.t + 1
    q = lookahead(h, s, p)
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * q
    else:
        p = p - h.lr * h.weight_decay * q
    if h.form == "lookahead":
        u = h.momentum * s.u - h.lr * g
        p = p + u
    elif h.form == "torch":
        u = h.momentum * s.u + g
        p = p - h.lr * (g + h.momentum * u)
    else:
        u = h.momentum * s.u - h.lr * g
        p = p + h.momentum * u - h.lr * g
    return State(t=t, u=u), p
