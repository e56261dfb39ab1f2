"""Grams: the sizes of Adam's steps with the signs of the gradient (Cao et al. 2024).

Rule
    g_t = -g when maximizing, else g
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    m_hat = m_t / (1 - beta1^t)
    v_hat = v_t / (1 - beta2^t)
    p_t = p_{t-1} (1 - lr weight_decay) - lr |m_hat / (sqrt(v_hat) + eps)| sign(g_t)

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    decay: p shrunk by lr weight_decay first ("before"), or no decay where the gradient could take
    it: pytorch-optimizer's other option adds it after the step was made, and so to nothing.
    eps: added to the corrected root ("outside", the paper) or, as in the authors' package, to the
    root before correction ("before_correction"). bias_correction: of both moments, or of neither
    ("none": the package's correct_bias = False).

Special cases
    Where g = 0 only the decay moves p, whatever m is. g = 0 from the start with eps = 0 makes p
    nan. nan in g poisons that element for ever. Empty tensors stay empty and advance t.

Judged
    p, m and v by the bounded contract, either sign of g where it is not decided; t exactly.

Sources
    Y. Cao, X. Li, Z. Song, "Grams: Gradient Descent with Adaptive Momentum Scaling", 2024
    (arXiv:2412.17107), Algorithm 1. The authors' package, grams-pytorch 0.0.2.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "bias_correction": {
        "both": "both moments corrected for their zero start",
        "none": "moments not corrected for their zero start",
    },
    "eps_placement": {
        "outside": "eps added to the root of the corrected second moment",
        "before_correction": "eps added to the root before bias correction",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of Grams; the defaults are the authors'."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-6
    weight_decay: Decay = 0.0
    maximize: Switch = False
    bias_correction: Literal["both", "none"] = "both"
    eps_placement: Literal["outside", "before_correction"] = "outside"


class State(declared.State):
    """Moments m and v, shaped like p, and the number t of steps made."""

    t: int
    m: First
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    m = h.beta1 * s.m + (1 - h.beta1) * g
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    corrected = h.bias_correction == "both"
    if h.eps_placement == "outside":
        v_hat = v / (1 - h.beta2**t) if corrected else v
        update = (m / (1 - h.beta1**t) if corrected else m) / (np.sqrt(v_hat) + h.eps)
    else:
        rate = np.sqrt(1 - h.beta2**t) / (1 - h.beta1**t) if corrected else 1.0
        update = rate * (m / (np.sqrt(v) + h.eps))
    p = p * (1 - h.lr * h.weight_decay)
    return State(t=t, m=m, v=v), p - h.lr * (np.abs(update) * np.sign(g))
