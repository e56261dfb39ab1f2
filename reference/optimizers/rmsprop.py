"""RMSProp (Tieleman & Hinton 2012), with Graves's centering and momentum.

Over 120 lines: centering, momentum, and where the libraries add eps.

Rule
    g_t = -g when maximizing, else g; then g_t + weight_decay p_{t-1}
    v_t = alpha v_{t-1} + (1 - alpha) g_t^2, v_0 = initial_v
    centered: mean_t = alpha mean_{t-1} + (1 - alpha) g_t, else it stays 0
    d_t = g_t / (sqrt(max(v_t - mean_t^2, 0)) + eps), without centering g_t / (sqrt(v_t) + eps)
    b_t = momentum b_{t-1} + d_t, and p_t = p_{t-1} - lr b_t; without momentum p_{t-1} - lr d_t

Shapes
    p, g, v, mean, b: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay, initial_v >= 0 and finite; 0 <= alpha, momentum < 1.

Choices
    The lecture has neither eps, centering, momentum nor decay; PyTorch's forms are the defaults.
    eps: added to the root ("outside"), "inside" it (Graves, Keras, optax, TensorFlow 1), or its
    "floor" (HeavyBall).
    momentum_form: lr multiplies the buffer ("lr_outside"), or the step as it enters the buffer
    ("lr_inside": b_t = momentum b_{t-1} + lr d_t, p_t = p_{t-1} - b_t; Graves, Keras, optax,
    TensorFlow 1). They coincide while lr is constant.
    bias_correction: optax can divide v and mean by 1 - alpha^t ("both"); HeavyBall keeps v divided,
    as an average whose new part weighs (1 - alpha) / (1 - alpha^t) ("in_average").
    decay: "coupled" in PyTorch, "before" the step in Keras. TensorFlow 1 starts at initial_v = 1.
    The variance v - mean^2 is never negative, but rounding can make it so; PyTorch then takes the
    root of a negative number and p becomes nan. Here it is clamped at 0.
    PyTorch has no mean or b while not centered or without momentum; here they stay 0.

Special cases
    g = 0 from the start leaves p as it is; with eps = 0 it is 0/0, nan. A constant gradient drives
    the centered variance to 0 and the step to lr g / eps. nan in g poisons that element for ever.
    Empty tensors stay empty and advance t.

Judged
    p, v, mean and b by the bounded contract, t exactly.

Sources
    T. Tieleman, G. Hinton, "Lecture 6.5 - rmsprop", COURSERA: Neural Networks for Machine Learning
    (2012). A. Graves, "Generating Sequences With Recurrent Neural Networks" (arXiv:1308.0850),
    equations (38)-(41).
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Decay,
    Epsilon,
    First,
    Momentum,
    Rate,
    Real,
    Second,
    Step,
    Switch,
)
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "bias_correction": {
        "none": "moments not corrected for their zero start",
        "both": "second moment and mean corrected for their zero start",
        "in_average": "second moment and mean kept as they are when corrected",
    },
    "decay": {
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before the step",
    },
    "eps_placement": {
        "outside": "eps added to the root of the second moment",
        "inside": "eps added inside the root",
        "floor": "eps as a floor of the root",
    },
    "momentum_form": {
        "lr_outside": "lr multiplies the momentum buffer",
        "lr_inside": "lr multiplies the step as it enters the momentum buffer",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of RMSProp; names and defaults are PyTorch's."""

    lr: Rate = 1e-2
    alpha: Annotated[float, Real(0.0, 1.0, "high", (0.99, 0.9, 0.75, 0.5))] = 0.99
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    momentum: Momentum = 0.0
    initial_v: Annotated[float, Real(0.0, usual=(0.0, 1.0))] = 0.0
    centered: Switch = False
    maximize: Switch = False
    bias_correction: Literal["none", "both", "in_average"] = "none"
    decay: Literal["coupled", "before"] = "coupled"
    eps_placement: Literal["outside", "inside", "floor"] = "outside"
    momentum_form: Literal["lr_outside", "lr_inside"] = "lr_outside"


class State(declared.State):
    """Second moment v, mean and buffer b, shaped like p, and the number t of steps made."""

    t: int
    v: Second
    mean: First
    b: Step


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: v at initial_v, mean and b zero, t = 0."""
    return State(t=0, v=np.zeros_like(p) + h.initial_v, mean=np.zeros_like(p), b=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    else:
        p = p * (1 - h.lr * h.weight_decay)
    kept, new = h.alpha, 1 - h.alpha
    if h.bias_correction == "in_average":
        new = new / (1 - h.alpha**t)
        kept = 1 - new
    v = kept * s.v + new * (g * g)
    mean = kept * s.mean + new * g if h.centered else s.mean
    corrected = h.bias_correction == "both"
    variance = v / (1 - h.alpha**t) if corrected else v
    if h.centered:
        mean_hat = mean / (1 - h.alpha**t) if corrected else mean
        variance = np.maximum(variance - mean_hat * mean_hat, 0.0)
    if h.eps_placement == "outside":
        d = g / (np.sqrt(variance) + h.eps)
    elif h.eps_placement == "inside":
        d = g / np.sqrt(variance + h.eps)
    else:
        d = g / np.maximum(np.sqrt(variance), h.eps)
    scaled = d if h.momentum_form == "lr_outside" else h.lr * d
    # Selected, not branched on: momentum may be an error-carrying number.
    b: Array = np.where(h.momentum > 0, h.momentum * s.b + scaled, s.b)
    move: Array = np.where(h.momentum > 0, b, scaled)
    p = p - h.lr * move if h.momentum_form == "lr_outside" else p - move
    return State(t=t, v=v, mean=mean, b=b), p
