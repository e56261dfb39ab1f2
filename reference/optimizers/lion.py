"""Lion, evolved sign momentum (Chen et al. 2023).

Rule
    g_t = -g when maximizing, else g
    c_t = beta1 m_{t-1} + (1 - beta1) g_t
    p_t = p_{t-1} (1 - lr weight_decay) - lr sign(c_t)
    m_t = beta2 m_{t-1} + (1 - beta2) g_t

Shapes
    p, g, m: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    The sign is that of c, made with beta1 from the old m; m itself is refreshed with beta2.
    decay: the paper's decay is scaled by lr and uses the old p ("before"); bitsandbytes added
    weight_decay p to the gradient until 2026 ("coupled"); lion-pytorch can leave lr out of it
    ("unscaled"); optax adds weight_decay p to the sign that lr multiplies ("in_step"), "before" but
    for its rounding.
    nan_sign: the sign of nan is nan, as in NumPy and JAX ("nan"), or zero, as in torch ("zero"),
    which leaves p to the decay for ever while m is nan.
    optax's smooth and refined signs are other rules.

Special cases
    g = 0 from the start leaves m = 0 and moves p by the decay alone. nan in g poisons that element
    of m for ever, and of p with nan_sign "nan"; inf fixes its sign. Empty tensors stay empty and
    advance t.

Judged
    m by the bounded contract; p by it where the sign of c is decided, else either sign; t exactly.

Sources
    X. Chen et al., "Symbolic Discovery of Optimization Algorithms", NeurIPS 2023
    (arXiv:2302.06675), Algorithm 2.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, First, Rate, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
        "unscaled": "weight decay not multiplied by lr",
        "in_step": "weight decay, multiplied by lr, in one sum with the step",
    },
    "nan_sign": {"nan": "sign of nan is nan", "zero": "sign of nan is zero"},
}


class Hyper(declared.Hyper):
    """Hyperparameters of Lion; the defaults are those of the authors' code."""

    lr: Rate = 1e-4
    beta1: Beta = 0.9
    beta2: Beta = 0.99
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["before", "coupled", "unscaled", "in_step"] = "before"
    nan_sign: Literal["nan", "zero"] = "nan"


class State(declared.State):
    """Momentum m, shaped like p, and the number t of steps made."""

    t: int
    m: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero momentum shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    c = h.beta1 * s.m + (1 - h.beta1) * g
    sign = np.sign(c)
    if h.nan_sign == "zero":
        sign = np.where(np.isnan(c), 0.0, sign)
    if h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    elif h.decay == "unscaled":
        p = p * (1 - h.weight_decay)
    update = sign + h.weight_decay * p if h.decay == "in_step" else sign
    p = p - h.lr * update
    m = h.beta2 * s.m + (1 - h.beta2) * g
    return State(t=t, m=m), p
