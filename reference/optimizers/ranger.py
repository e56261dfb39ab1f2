"""Ranger: RAdam on centralized gradients, within Lookahead (Wright 2019; Wright & Demeure 2021).

Over 120 lines: three rules in one, and the libraries' choices of each.

Rule
    g_t = -g when maximizing, else g; of matrices and more, less the mean of each row
    p shrinks by lr weight_decay
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    m_hat = m_t / (1 - beta1^t)
    rho_inf = 2 / (1 - beta2) - 1
    rho_t = rho_inf - 2 t beta2^t / (1 - beta2^t)
    r_t = sqrt((rho_t - 4) (rho_t - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho_t))
    f_t = p - lr r_t sqrt(1 - beta2^t) m_hat / (sqrt(v_t) + eps) if rho_t > 5
    f_t = p - lr m_hat otherwise
    where k divides t:
        slow_t = (1 - alpha) slow_{t-1} + alpha f_t, from slow_0 = p_0;  p_t = slow_t
    else slow_t = slow_{t-1};  p_t = f_t

Shapes
    p, g, m, v, slow: one shape, any rank, 0-d and empty included. A row is all that shares the
    first index. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1; 0 < alpha <= 1; k >= 1. With
    beta2 <= 2/3 rho_t never exceeds rho_inf <= 5 and the rule is not adaptive.

Choices
    centralize: gradients of matrices and of more axes ("all"), of four axes and more alone
    ("convolutions"), or none ("none": the version of 2019).
    decay: p shrunk first by lr weight_decay ("before") or weight_decay ("unscaled"), or the decay
    added to the centralized gradient ("coupled").
    unrectified: before that a step by m_hat ("momentum"), or the same uphill ("uphill":
    pytorch-optimizer, unless it is asked for steps of SGD).

Special cases
    alpha = 1 is RAdam on such gradients. g = 0 from the start leaves p but for the rounding of a
    mean of p with itself; with eps = 0 it becomes 0/0, nan, once adaptive. nan in g poisons its
    row, or its element, for ever. Empty tensors stay empty and advance t.

Judged
    p, m, v and slow by the bounded contract, t exactly. Where rho_t is within its rounding of 5,
    both branches are legal, and so is rho_t >= 5.

Sources
    L. Wright, lessw2020/Ranger-Deep-Learning-Optimizer, versions 9.3.19 and 20.4.11. L. Wright,
    N. Demeure, "Ranger21", 2021 (arXiv:2106.13731), section 2. L. Liu et al., ICLR 2020
    (arXiv:1908.03265), Algorithm 2. M. R. Zhang et al., NeurIPS 2019 (arXiv:1907.08610),
    Algorithm 1. H. Yong et al., "Gradient Centralization", ECCV 2020 (arXiv:2004.01461), eq. 1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Beta,
    Count,
    Decay,
    Epsilon,
    First,
    Point,
    Rate,
    Real,
    Second,
    Switch,
)
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

# One mean serves all elements of a row.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "centralize": {
        "all": "gradients of matrices and more less the means of their rows",
        "convolutions": "gradients of four axes and more less the means of their rows",
        "none": "gradients as they are",
    },
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
        "unscaled": "weight decay not multiplied by lr",
    },
    "unrectified": {
        "momentum": "steps by the corrected first moment until adaptive",
        "uphill": Departure("steps against the corrected first moment's until adaptive"),
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of Ranger; the defaults are the author's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.95
    beta2: Beta = 0.999
    eps: Epsilon = 1e-5
    alpha: Annotated[float, Real(0.0, 1.0, "low", usual=(0.5, 0.8, 0.2, 1.0))] = 0.5
    k: Annotated[int, Count(1, (6, 2, 3, 5, 10), (1,))] = 6
    weight_decay: Decay = 0.0
    maximize: Switch = False
    centralize: Literal["all", "convolutions", "none"] = "all"
    decay: Literal["before", "coupled", "unscaled"] = "before"
    unrectified: Literal["momentum", "uphill"] = "momentum"


class State(declared.State):
    """Moments m and v, the slow point, shaped like p, and the number t of steps made."""

    t: int
    m: First
    v: Second
    slow: Point


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments, the slow point at p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p), slow=p)


def centralized(h: Hyper, g: Array) -> Array:
    """The gradient less the mean of each row."""
    least = {"all": 2, "convolutions": 4, "none": np.inf}[h.centralize]
    if g.ndim < least or not g.size:
        return g
    return g - np.mean(g, axis=tuple(range(1, g.ndim)), keepdims=True)


def rectified(h: Hyper, t: int) -> tuple[Array, Array]:
    """Whether the step is adaptive, and by what it is rectified then."""
    rho_inf = 2 / (1 - h.beta2) - 1
    rho = rho_inf - 2 * t * h.beta2**t / (1 - h.beta2**t)
    adaptive = rho > 5
    # Before the threshold r is not used: 5 keeps its root real.
    a, b = np.where(adaptive, rho, 5.0), np.where(adaptive, rho_inf, 5.0)
    return adaptive, np.sqrt((a - 4) * (a - 2) * b / ((b - 4) * (b - 2) * a))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    g = centralized(h, -g if h.maximize else g)
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    else:
        p = p * (1 - (h.lr if h.decay == "before" else 1.0) * h.weight_decay)
    m = h.beta1 * s.m + (1 - h.beta1) * g
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    m_hat = m / (1 - h.beta1**t)
    adaptive, r = rectified(h, t)
    adapted = r * (m_hat * (np.sqrt(1 - h.beta2**t) / (np.sqrt(v) + h.eps)))
    plain = m_hat if h.unrectified == "momentum" else -m_hat
    fast = p - h.lr * np.where(adaptive, adapted, plain)
    if t % h.k:
        return State(t=t, m=m, v=v, slow=s.slow), fast
    slow = (1 - h.alpha) * s.slow + h.alpha * fast
    return State(t=t, m=m, v=v, slow=slow), slow
