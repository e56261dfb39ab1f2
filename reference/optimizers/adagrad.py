"""AdaGrad, diagonal form (Duchi, Hazan & Singer 2011).

Rule
    g_t = -g when maximizing, else g; then g_t + weight_decay p_{t-1}
    total_t = total_{t-1} + g_t^2, total_0 = initial_total
    lr_t = lr / (1 + (t - 1) lr_decay)
    p_t = p_{t-1} - lr_t g_t / (sqrt(total_t) + eps)

Shapes
    p, g, total: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, lr_decay, weight_decay, eps, initial_total >= 0 and finite.

Choices
    eps: the paper's delta is added to the root ("outside"); Keras and optax add it to the sum
    ("inside") and start the sum at 0.1.
    decay: the paper's regularizer enters by a proximal step that is not taken here; PyTorch adds
    weight_decay p to the gradient ("coupled"); Keras and apex shrink p by (1 - lr_t weight_decay)
    first ("before").
    lr_decay is PyTorch's.
    guard: optax leaves p alone where the sum is 0 ("still"), for eps = 0 and also where the square
    of a small gradient has become 0; without one ("none") p moves by lr_t g / sqrt(eps) there.

Special cases
    g = 0 where all earlier gradients were 0 too leaves p as it is; with eps = 0 it is 0/0, nan,
    unless guarded.
    nan in g poisons that element of total and p for ever, inf makes p nan. Empty tensors stay
    empty.

Judged
    p and total by the bounded contract, t exactly.

Sources
    J. Duchi, E. Hazan, Y. Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization", JMLR 12 (2011) 2121-2159, Figure 1 with diagonal matrices.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Decay, Epsilon, Rate, Real, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "decay": {
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before the step",
    },
    "eps_placement": {
        "outside": "eps added to the root of the sum of squares",
        "inside": "eps added to the sum of squares, inside the root",
    },
    "guard": {
        "none": "a sum of zero divides as any other",
        "still": "no step where the sum of squares is zero",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of AdaGrad: PyTorch's default numbers, the paper's dialects."""

    lr: Rate = 1e-2
    lr_decay: Annotated[float, Real(0.0, usual=(0.1, 0.0, 1e-3, 0.3))] = 0.0
    weight_decay: Decay = 0.0
    eps: Epsilon = 1e-10
    initial_total: Annotated[float, Real(0.0, usual=(0.0, 0.1))] = 0.0
    maximize: Switch = False
    decay: Literal["coupled", "before"] = "coupled"
    eps_placement: Literal["outside", "inside"] = "outside"
    guard: Literal["none", "still"] = "none"


class State(declared.State):
    """Sum of squared gradients, shaped like p, and the number t of steps made."""

    t: int
    total: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: every sum at initial_total, t = 0."""
    return State(t=0, total=np.zeros_like(p) + h.initial_total)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    lr = h.lr / (1 + (t - 1) * h.lr_decay)
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    else:
        p = p * (1 - lr * h.weight_decay)
    total = s.total + g * g
    if h.eps_placement == "outside":
        update = g / (np.sqrt(total) + h.eps)
    else:
        update = g / np.sqrt(total + h.eps)
    if h.guard == "still":
        # 0 g, and not 0, so that nan stays nan.
        update = np.where(total > 0, update, 0.0 * g)
    return State(t=t, total=total), p - lr * update
