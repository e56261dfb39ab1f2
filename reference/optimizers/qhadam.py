"""QHAdam: Adam with the last gradient beside both of its averages (Ma & Yarats 2019).

Rule
    g_t = -g when maximizing, else g;  g_t += weight_decay p_{t-1}
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    m_hat = m_t / (1 - beta1^t)
    v_hat = v_t / (1 - beta2^t)
    u_t = ((1 - nu1) g_t + nu1 m_hat) / (sqrt((1 - nu2) g_t^2 + nu2 v_hat) + eps)
    p_t = p_{t-1} - lr u_t

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1; 0 <= nu1, nu2 <= 1.

Choices
    nu1 = nu2 = 1 is Adam. bias_correction: of the moments ("moments"); qhoptim and its copies keep
    m and v divided, as averages whose new part weighs (1 - beta) / (1 - beta^t) ("in_average").
    decay: added to the gradient ("coupled"), or p is shrunk by lr weight_decay ("before") or
    weight_decay ("unscaled") first.

Special cases
    g = 0 from the start leaves p as it is, or with eps = 0 makes it nan. nan in g poisons that
    element for ever. Empty tensors stay empty and advance t.

Judged
    p, m and v by the bounded contract, t exactly.

Sources
    J. Ma, D. Yarats, "Quasi-hyperbolic momentum and Adam for deep learning", ICLR 2019
    (arXiv:1810.06801), equations 17 to 21; the authors' qhoptim.
"""

from typing import Annotated, Literal, TypeAlias

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Real, Second, Switch
from truestep.reference.optimizers.adamw import in_average
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

Share: TypeAlias = Annotated[float, Real(0.0, 1.0, usual=(0.7, 0.5, 0.9, 1.0), edges=(0.0, 1.0))]

FACTS = Facts(elementwise=True)
DIALECTS = {
    "bias_correction": {
        "moments": "moments corrected for their zero start",
        "in_average": "moments kept as they are when corrected",
    },
    "decay": {
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before the step",
        "unscaled": "weight decay not multiplied by lr",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of QHAdam; the defaults are what the paper recommends."""

    lr: Rate = 1e-3
    beta1: Beta = 0.995
    beta2: Beta = 0.999
    nu1: Share = 0.7
    nu2: Share = 1.0
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    bias_correction: Literal["moments", "in_average"] = "moments"
    decay: Literal["coupled", "before", "unscaled"] = "coupled"


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
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    elif h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    else:
        p = p * (1 - h.weight_decay)
    square = g * g
    if h.bias_correction == "in_average":
        m = m_hat = in_average(h.beta1, t, s.m, g)
        v = v_hat = in_average(h.beta2, t, s.v, square)
    else:
        m = h.beta1 * s.m + (1 - h.beta1) * g
        v = h.beta2 * s.v + (1 - h.beta2) * square
        m_hat, v_hat = m / (1 - h.beta1**t), v / (1 - h.beta2**t)
    size = np.sqrt((1 - h.nu2) * square + h.nu2 * v_hat)
    u = ((1 - h.nu1) * g + h.nu1 * m_hat) / (size + h.eps)
    return State(t=t, m=m, v=v), p - h.lr * u
