"""FOCUS, steps by signs that are drawn to the average of the points (Liu et al. 2025).

Rule
    g_t = -g when maximizing, else g
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    a_t = beta2 a_{t-1} + (1 - beta2) p_{t-1}
    a_hat = a_t / (1 - beta2^t)
    p_t = p_{t-1} - lr (sign(m_t) + gamma sign(p_{t-1} - a_hat)) - lr weight_decay a_hat

Shapes
    p, g, m, a: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, gamma, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    attraction: by where p was ("of_p": the authors), or by where the decay has put it
    ("of_decayed": pytorch-optimizer, which takes the decay off first). nan_sign: the sign of a nan
    is nan ("nan"), or 0 ("zero": torch), so that a nan gradient leaves p as it is.

Special cases
    g = 0 from the start leaves p to the attraction and the decay. In the first step a_hat is p: its
    rounding decides the attraction's sign, and any of three is right. nan in g poisons m for ever.
    Empty tensors stay empty and advance t.

Judged
    p, m and a by the bounded contract, t exactly; where a difference rounds to either sign, either
    step.

Sources
    Y. Liu, Z. Liu, J. Gore, "FOCUS: First Order Concentrated Updating Scheme", 2025
    (arXiv:2501.12243). The authors' code, liuyz0/FOCUS, focus.py, for every line.
    pytorch-optimizer 4.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, First, Rate, Real, Step, Switch
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "attraction": {
        "of_p": "drawn to the average from where the parameter was",
        "of_decayed": Departure("drawn to the average from where the decay has put the parameter"),
    },
    "nan_sign": {"nan": "the sign of a nan is nan", "zero": "the sign of a nan is zero"},
}


class Hyper(declared.Hyper):
    """Hyperparameters of FOCUS; the defaults are the authors'."""

    lr: Rate = 1e-2
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    gamma: Annotated[float, Real(0.0, usual=(0.1, 0.5, 0.01, 0.0), edges=(0.0,))] = 0.1
    weight_decay: Decay = 0.0
    maximize: Switch = False
    attraction: Literal["of_p", "of_decayed"] = "of_p"
    nan_sign: Literal["nan", "zero"] = "nan"


class State(declared.State):
    """The averages m of gradients and a of points, and the number t of steps made."""

    t: int
    m: First
    a: Step


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero averages shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), a=np.zeros_like(p))


def sign(h: Hyper, x: Array) -> Array:
    """The sign of x, of a nan as the dialect says."""
    return np.where(np.isnan(x), 0.0, np.sign(x)) if h.nan_sign == "zero" else np.sign(x)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    m = h.beta1 * s.m + (1 - h.beta1) * g
    a = h.beta2 * s.a + (1 - h.beta2) * p
    a_hat = a / (1 - h.beta2**t)
    decayed = p - h.lr * h.weight_decay * a_hat
    way = (p if h.attraction == "of_p" else decayed) - a_hat
    return State(t=t, m=m, a=a), decayed - h.lr * (sign(h, m) + h.gamma * sign(h, way))
