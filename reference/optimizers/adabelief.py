"""AdaBelief, Adam that divides by the deviation from its own forecast (Zhuang et al. 2020).

Rule
    g_t = -g when maximizing, else g;  g_t += weight_decay p_{t-1}
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) (g_t - m_t)^2 + eps
    m_hat = m_t / (1 - beta1^t)
    v_hat = v_t / (1 - beta2^t)
    p_t = p_{t-1} - lr m_hat / (sqrt(v_hat) + eps)

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    The paper's one eps enters the average, where it adds up, and is added to the root; optax has
    two numbers for it. decay: the paper knows none. Libraries add it to the gradient ("coupled"),
    or shrink p by lr weight_decay ("before") or weight_decay ("unscaled") first.
    rectification: none, or RAdam's factor r_t once rho_t >= 5, the default of the authors' package,
        p_t = p_{t-1} - lr r_t m_hat sqrt(1 - beta2^t) / (sqrt(v_t) + eps)
    and until then lr m_hat ("momentum") or, of degenerated_to_sgd = False, no step ("still"). The
    form with the largest v is left out.

Special cases
    One gradient again and again leaves v at eps / (1 - beta2), or, with eps = 0, makes it fall to
    zero: steps grow. g = 0 from the start leaves p as it is for eps > 0; with eps = 0 it is 0/0,
    nan. nan in g poisons that element for ever. Empty tensors stay empty and advance t.

Judged
    p, m and v by the bounded contract, t exactly.

Sources
    J. Zhuang et al., "AdaBelief Optimizer: Adapting Stepsizes by the Belief in Observed Gradients",
    NeurIPS 2020 (arXiv:2010.07468), Algorithm 2. The authors' package, adabelief-pytorch 0.2.1.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "decay": {
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before the step",
        "unscaled": "weight decay not multiplied by lr",
    },
    "rectification": {
        "none": "the second moment not rectified",
        "momentum": "rectified as in RAdam, with steps by the corrected first moment until then",
        "still": "rectified as in RAdam, with no steps until then",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of AdaBelief; the defaults are the paper's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["coupled", "before", "unscaled"] = "coupled"
    rectification: Literal["none", "momentum", "still"] = "none"


class State(declared.State):
    """Mean m and deviation v, shaped like p, and the number t of steps made."""

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
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    elif h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    else:
        p = p * (1 - h.weight_decay)
    m = h.beta1 * s.m + (1 - h.beta1) * g
    surprise = g - m
    v = h.beta2 * s.v + (1 - h.beta2) * (surprise * surprise) + h.eps
    m_hat = m / (1 - h.beta1**t)
    v_hat = v / (1 - h.beta2**t)
    if h.rectification == "none":
        return State(t=t, m=m, v=v), p - h.lr * (m_hat / (np.sqrt(v_hat) + h.eps))
    rho_inf = 2 / (1 - h.beta2) - 1
    rho = rho_inf - 2 * t * h.beta2**t / (1 - h.beta2**t)
    adaptive = rho >= 5
    # Before the threshold r is not used: 5 keeps its root real.
    a, b = np.where(adaptive, rho, 5.0), np.where(adaptive, rho_inf, 5.0)
    r = np.sqrt((a - 4) * (a - 2) * b / ((b - 4) * (b - 2) * a))
    adapted = r * (m_hat * (np.sqrt(1 - h.beta2**t) / (np.sqrt(v) + h.eps)))
    until = m_hat if h.rectification == "momentum" else 0.0
    return State(t=t, m=m, v=v), p - h.lr * np.where(adaptive, adapted, until)
