"""SGD, with PyTorch's or the classical momentum.

Rule
    g_t = -g when maximizing, else g; then g_t + weight_decay p_{t-1} when the decay is coupled
    b_1 = g_1, b_t = momentum b_{t-1} + (1 - dampening) g_t
    p_t = p_{t-1} - lr b_t; without momentum p_t = p_{t-1} - lr g_t

Shapes
    p, g, b: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, weight_decay >= 0 and finite; 0 <= momentum, dampening < 1.

Choices
    momentum_form: plain SGD has no momentum; PyTorch's form, the one that defines dampening, is the
    default ("lr_outside"). The classical form of Rumelhart, Hinton and Williams and of Keras scales
    the gradient as it enters the buffer ("lr_inside": b_t = momentum b_{t-1} - lr g_t,
    p_t = p_{t-1} + b_t). The two coincide while lr is constant.
    first_step: PyTorch copies the first gradient into the buffer ("copy"); libraries whose buffer
    starts at zero dampen it as any other ("damped"). It matters only with dampening.
    decay: the coupled form is the gradient of the L2 penalty. Keras shrinks p by
    (1 - lr weight_decay) before the step ("decoupled").
    PyTorch keeps no buffer while momentum = 0 and then ignores dampening; here b stays 0.

Special cases
    g = 0 from the start leaves b = 0 and moves p by the decay alone. After a nonzero gradient the
    buffer keeps moving p. nan or inf in g stays in that element's b for as long as momentum > 0.
    Empty tensors stay empty and advance t.

Judged
    p and b by the bounded contract, t exactly.

Sources
    H. Robbins, S. Monro, "A Stochastic Approximation Method", Ann. Math. Statist. 22 (1951),
    section 2. D. Rumelhart, G. Hinton, R. Williams, "Learning representations by
    back-propagating errors", Nature 323 (1986), equation (9), for the classical momentum.
    PyTorch 2.13, documentation of torch.optim.SGD, for the buffer b and dampening.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Decay, First, Momentum, Rate, Real, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "decay": {
        "coupled": "weight decay added to the gradient",
        "decoupled": "weight decay, multiplied by lr, before the step",
    },
    "first_step": {
        "copy": "first gradient enters the momentum buffer undampened",
        "damped": "first gradient dampened as any other",
    },
    "momentum_form": {
        "lr_outside": "momentum buffer sums gradients, lr multiplies the buffer",
        "lr_inside": "lr multiplies the gradient as it enters the momentum buffer",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of SGD; the defaults are PyTorch's."""

    lr: Rate = 1e-3
    momentum: Momentum = 0.0
    dampening: Annotated[float, Real(0.0, 1.0, "high", (0.0, 0.5, 0.1, 0.9))] = 0.0
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["coupled", "decoupled"] = "coupled"
    first_step: Literal["copy", "damped"] = "copy"
    momentum_form: Literal["lr_outside", "lr_inside"] = "lr_outside"


class State(declared.State):
    """Momentum buffer b, shaped like p, and the number t of steps made."""

    t: int
    b: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: a zero buffer shaped like p, t = 0."""
    return State(t=0, b=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    else:
        p = p * (1 - h.lr * h.weight_decay)
    scaled = g if h.momentum_form == "lr_outside" else -(h.lr * g)
    if t == 1 and h.first_step == "copy":
        b = scaled
    else:
        b = h.momentum * s.b + (1 - h.dampening) * scaled
    # Selected, not branched on: momentum may be an error-carrying number.
    move: Array = np.where(h.momentum > 0, b, scaled)
    p = p - h.lr * move if h.momentum_form == "lr_outside" else p + move
    return State(t=t, b=np.where(h.momentum > 0, b, s.b)), p
