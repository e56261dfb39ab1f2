"""AdamG, Adam whose rate is a power of its second moments (Xian et al. 2024).

Rule
    g_t = -g when maximizing, else g
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    r_t = beta3 r_{t-1} + (1 - beta3) scale v_t^power
    m_t = beta1 m_{t-1} + (1 - beta1) r_t g_t
    m_hat = m_t / (1 - beta1^t);  v_hat = v_t / (1 - beta2^t)
    p_t = p_{t-1} - min(lr, 1 / sqrt(t)) m_hat / (sqrt(v_hat) + eps)

Shapes
    p, g, m, v, r: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, scale, weight_decay >= 0 and finite; 0 < power <= 1; 0 <= beta1, beta2, beta3 < 1.

Choices
    The paper has scale = 0.2 and power = 0.24, and no decay: p shrunk first by lr weight_decay
    ("before") or weight_decay ("unscaled"), or the decay added to the gradient ("coupled").

Special cases
    g = 0 from the start leaves p to the decay for eps > 0; with eps = 0 it is 0/0, nan. nan in g
    poisons that element for ever. Empty tensors stay empty and advance t.

Judged
    p, m, v and r by the bounded contract, t exactly.

Sources
    Y. Xian et al., "Towards Stability of Parameter-free Optimization", 2024 (arXiv:2405.04376),
    Algorithm 1, read in pytorch-optimizer 4.1, which has the decay too.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, Rate, Real, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
        "unscaled": "weight decay not multiplied by lr",
    }
}
# They grow in a power of the gradient's scale that a hyperparameter decides.
Averaged = Annotated[Array, declared.Behaviour(0, odd=True)]
Numerator = Annotated[Array, declared.Behaviour(0, nonnegative=True)]


class Hyper(declared.Hyper):
    """Hyperparameters of AdamG; the defaults are the paper's."""

    lr: Rate = 1.0
    beta1: Beta = 0.95
    beta2: Beta = 0.999
    beta3: Beta = 0.95
    scale: Annotated[float, Real(0.0, usual=(0.2, 1.0, 0.05))] = 0.2
    power: Annotated[float, Real(0.0, 1.0, "low", usual=(0.24, 0.5, 0.1))] = 0.24
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["before", "coupled", "unscaled"] = "before"


class State(declared.State):
    """The averages m, v and r, shaped like p, and the number t of steps made."""

    t: int
    m: Averaged
    v: Second
    r: Numerator


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero averages shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p), r=np.zeros_like(p))


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
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    r = h.beta3 * s.r + (1 - h.beta3) * (h.scale * v**h.power)
    m = h.beta1 * s.m + (1 - h.beta1) * (r * g)
    m_hat = m / (1 - h.beta1**t)
    v_hat = v / (1 - h.beta2**t)
    lr = np.minimum(h.lr, 1 / np.sqrt(t))
    return State(t=t, m=m, v=v, r=r), p - lr * (m_hat / (np.sqrt(v_hat) + h.eps))
