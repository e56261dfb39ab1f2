"""Adai, momentum whose inertia is adapted element by element, and no step size (Xie et al. 2022).

Over 120 lines: the libraries' choices of decay, and the second version's dampening.

Rule
    g_t = -g when maximizing, else g;  g_t += weight_decay p_{t-1}
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    v_hat = v_t / (1 - beta2^t)
    q_t = beta0 (v_hat / mean(v_hat))^(1 / (3 - 2 dampening))
    mu_t = 1 - q_t, between 0 and 1 - eps
    m_t = mu_t m_{t-1} + (1 - mu_t)^dampening g_t
    c_t = mu_t c_{t-1}, from c_0 = 1
    p_t = p_{t-1} - lr beta0^(1 - dampening) m_t / (1 - c_t)

Shapes
    p, g, m, v, c: one shape, any rank, 0-d and empty included. The mean is over all elements of a
    model: p is its tensors, flattened and joined. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; eps <= 1; beta0 > 0 and finite; 0 <= beta2 < 1;
    0 <= dampening <= 1.

Choices
    decay: added to the gradient ("coupled", the paper), or to the gradient of m alone and not of v
    ("of_momentum": pytorch-optimizer), or p shrunk first by lr weight_decay ("before", AdaiW) or
    weight_decay ("unscaled").
    mean: as it is ("plain"), or no less than eps ("floored": pytorch-optimizer), which makes mu
    grow as gradients shrink.

Special cases
    Gradients of one size in all elements have mu = 1 - beta0. All of g = 0 from the start is 0/0,
    nan, but for the floor. nan in g, or its square beyond the range, poisons the whole tensor.
    With eps = 0 an element whose gradients were all zero is 0/0, nan. Empty tensors stay empty and
    advance t.

Judged
    p, m, v and c by the bounded contract, t exactly.

Sources
    Z. Xie, X. Wang, H. Zhang, I. Sato, M. Sugiyama, "Adaptive Inertia: Disentangling the Effects of
    Adaptive Learning Rate and Momentum", ICML 2022 (arXiv:2006.15815), Algorithm 2. The authors'
    code, zeke-xie/adaptive-inertia-adai, adai.py and adaiv2.py for the dampening.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, First, Number, Rate, Real, Second, Switch
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

# One mean serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "decay": {
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before the step",
        "of_momentum": "weight decay added to the gradient, but not to its squares",
        "unscaled": "weight decay not multiplied by lr",
    },
    "mean": {
        "plain": "the mean of the second moments as it is",
        "floored": Departure("the mean of the second moments no less than eps"),
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of Adai; the defaults are the authors', with a rate of 1e-3."""

    lr: Rate = 1e-3
    beta0: Annotated[float, Real(0.0, open="low", usual=(0.1, 0.5, 0.01, 1.0))] = 0.1
    beta2: Beta = 0.99
    dampening: Annotated[float, Real(0.0, 1.0, usual=(1.0, 0.9, 0.5, 0.0))] = 1.0
    eps: Annotated[float, Real(0.0, 1.0, usual=(1e-3, 1e-3, 1e-2, 0.1, 1e-4))] = 1e-3
    weight_decay: Decay = 0.0
    maximize: Switch = False
    decay: Literal["coupled", "before", "of_momentum", "unscaled"] = "coupled"
    mean: Literal["plain", "floored"] = "plain"


class State(declared.State):
    """Moments m and v, the products c of inertias, shaped like p, and the number t of steps."""

    t: int
    m: First
    v: Second
    c: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments, products of 1, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p), c=np.ones_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    decayed = g + h.weight_decay * p
    if h.decay == "coupled":
        g = decayed
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    if h.decay == "of_momentum":
        g = decayed
    if h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    elif h.decay == "unscaled":
        p = p * (1 - h.weight_decay)
    v_hat = v / (1 - h.beta2**t)
    mean = np.sum(v_hat) / max(p.size, 1)
    if h.mean == "floored":
        mean = np.maximum(mean, h.eps)
    q = h.beta0 * (v_hat / mean) ** (1 / (3 - 2 * h.dampening))
    mu = np.clip(1 - q, 0.0, 1 - h.eps)
    m = mu * s.m + (1 - mu) ** h.dampening * g
    c = s.c * mu
    move = h.beta0 ** (1 - h.dampening) * (m / (1 - c))
    return State(t=t, m=m, v=v, c=c), p - h.lr * move
