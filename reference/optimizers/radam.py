"""RAdam, Adam with a rectified second moment (Liu et al. 2020).

Over 120 lines: the libraries' choices of threshold, of what comes before it and of decay.

Rule
    g_t = -g when maximizing, else g; then g_t + weight_decay p_{t-1}
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    m_hat = m_t / (1 - beta1^t)
    rho_inf = 2 / (1 - beta2) - 1
    rho_t = rho_inf - 2 t beta2^t / (1 - beta2^t)
    r_t = sqrt((rho_t - 4) (rho_t - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho_t))
    p_t = p_{t-1} - lr r_t m_hat / (sqrt(v_t / (1 - beta2^t)) + eps) if rho_t > 4
    p_t = p_{t-1} - lr m_hat otherwise

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1. With beta2 <= 0.6 rho_t never
    exceeds rho_inf <= 4 and the rule is not adaptive.

Choices
    threshold: the paper rectifies once rho_t > 4 ("above_4"); PyTorch asks for rho_t > 5
    ("above_5"), the author's code, optax and timm for rho_t >= 5 ("from_5").
    eps: the paper has none; eps = 0 is the paper. optax adds it to the corrected root ("outside");
    PyTorch, timm and the author's code add it before the correction ("before_correction").
    decay: the paper has none; "coupled" is PyTorch's default, "before" its decoupled_weight_decay.
    bias_correction: of the moments ("moments"); optimi keeps m and v divided, as averages whose new
    part weighs (1 - beta) / (1 - beta^t) ("in_average").
    unrectified: before the threshold the paper steps by the corrected "momentum"; the author's code
    and pytorch-optimizer can stand "still" until then, which leaves out the decay before the step.

Special cases
    g = 0 from the start leaves p as it is; with eps = 0 it becomes 0/0, nan, once adaptive.
    nan in g poisons that element for ever. Empty tensors stay empty and advance t.

Judged
    p, m and v by the bounded contract, t exactly. Where rho_t is within its rounding of the
    threshold, both branches are legal.

Sources
    L. Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", ICLR 2020
    (arXiv:1908.03265), Algorithm 2.
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
        "moments": "moments corrected for their zero start",
        "in_average": "moments kept as they are when corrected",
    },
    "decay": {
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before the step",
    },
    "eps_placement": {
        "outside": "eps added to the root of the corrected second moment",
        "before_correction": "eps added to the root before bias correction",
    },
    "threshold": {
        "above_4": "adaptive once rho exceeds 4",
        "above_5": "adaptive once rho exceeds 5",
        "from_5": "adaptive once rho reaches 5",
    },
    "unrectified": {
        "momentum": "steps by the corrected first moment until adaptive",
        "still": "no steps until adaptive",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of RAdam: PyTorch's default numbers, the paper's dialects."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    bias_correction: Literal["moments", "in_average"] = "moments"
    decay: Literal["coupled", "before"] = "coupled"
    eps_placement: Literal["outside", "before_correction"] = "outside"
    threshold: Literal["above_4", "above_5", "from_5"] = "above_4"
    unrectified: Literal["momentum", "still"] = "momentum"


class State(declared.State):
    """Moments m and v, shaped like p, and the number t of steps made."""

    t: int
    m: First
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p))


def in_average(beta: Array, t: int, old: Array, new: Array) -> Array:
    """The corrected average after one more, from the corrected one before."""
    weight = (1 - beta) / (1 - beta**t)
    return (1 - weight) * old + weight * new


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    decayed = p if h.decay == "coupled" else p * (1 - h.lr * h.weight_decay)
    m = h.beta1 * s.m + (1 - h.beta1) * g
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    m_hat, v_hat = m / (1 - h.beta1**t), v / (1 - h.beta2**t)
    if h.bias_correction == "in_average":
        m = m_hat = in_average(h.beta1, t, s.m, g)
        v_hat = in_average(h.beta2, t, s.v, g * g)
        v = v_hat * (1 - h.beta2**t)
    rho_inf = 2 / (1 - h.beta2) - 1
    rho = rho_inf - 2 * t * h.beta2**t / (1 - h.beta2**t)
    if h.threshold == "above_4":
        adaptive = rho > 4
    else:
        adaptive = rho > 5 if h.threshold == "above_5" else rho >= 5
    # Before the threshold r is not used: 5 keeps its root real.
    a, b = np.where(adaptive, rho, 5.0), np.where(adaptive, rho_inf, 5.0)
    r = np.sqrt((a - 4) * (a - 2) * b / ((b - 4) * (b - 2) * a))
    if h.eps_placement == "outside":
        adapted = m_hat / (np.sqrt(v_hat) + h.eps)
    else:
        adapted = m_hat * (np.sqrt(1 - h.beta2**t) / (np.sqrt(v) + h.eps))
    if h.bias_correction == "in_average":
        v = v_hat
    if h.unrectified == "still":
        return State(t=t, m=m, v=v), np.where(adaptive, decayed - h.lr * (r * adapted), p)
    return State(t=t, m=m, v=v), decayed - h.lr * np.where(adaptive, r * adapted, m_hat)
