"""Ano, which steps as far as the gradient is long and where its average points (Kegreisz 2025).

Rule
    g_t = -g when maximizing, else g
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) sign(g_t^2 - v_{t-1}) g_t^2
    v_hat = v_t / (1 - beta2^t)
    p_t = p_{t-1} (1 - lr weight_decay) - lr |g_t| sign(m_t) / sqrt(v_hat + eps)

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    eps: in the authors' package inside the root ("inside"), in pytorch-optimizer added to it
    ("outside"). memory: beta1 as it is ("constant"), or 1 - 1 / log(max(t, 2)), which is below zero
    in the first two steps ("logarithmic": Anolog). decay: p shrunk first by lr weight_decay
    ("before") or weight_decay ("unscaled"), or the decay added to the gradient ("coupled").

Special cases
    g = 0 moves p by the decay alone; where v is 0 too and eps = 0 it is 0/0, nan. v falls below
    zero where beta2 is below 1/2 and g^2 just below v; then p is nan. nan in g poisons that element
    for ever. Empty tensors stay empty and advance t.

Judged
    p, m and v by the bounded contract, t exactly; where m rounds to either sign, either step.

Sources
    A. Kegreisz, "Ano: Faster is Better in Noisy Landscape", 2025 (arXiv:2508.18258). The authors'
    package, ano-optimizer 1.0.0, ano_pytorch.py, for every line. pytorch-optimizer 4.1.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Squares, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
        "unscaled": "weight decay not multiplied by lr",
    },
    "eps_placement": {"inside": "eps added inside the root", "outside": "eps added to the root"},
    "memory": {
        "constant": "beta1 as it is",
        "logarithmic": "beta1 grows with the logarithm of the count",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of Ano; the defaults are the authors'."""

    lr: Rate = 1e-4
    beta1: Beta = 0.92
    beta2: Beta = 0.99
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["before", "coupled", "unscaled"] = "before"
    eps_placement: Literal["inside", "outside"] = "inside"
    memory: Literal["constant", "logarithmic"] = "constant"


class State(declared.State):
    """Moments m and v, shaped like p, and the number t of steps made."""

    t: int
    m: First
    v: Squares


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    elif h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    else:
        p = p * (1 - h.weight_decay)
    beta1 = h.beta1 if h.memory == "constant" else 1 - 1 / np.log(max(t, 2))
    m = beta1 * s.m + (1 - beta1) * g
    square = g * g
    v = h.beta2 * s.v + (1 - h.beta2) * (np.sign(square - s.v) * square)
    v_hat = v / (1 - h.beta2**t)
    root = np.sqrt(v_hat + h.eps) if h.eps_placement == "inside" else np.sqrt(v_hat) + h.eps
    return State(t=t, m=m, v=v), p - h.lr * (np.abs(g) * np.sign(m) / root)
