"""FAdam, Adam as descent by the natural gradient, clipped in the mean (Hwang 2024).

Rule
    g_t = -g when maximizing, else g
    beta = beta2 (1 - beta2^{t-1}) / (1 - beta2^t)
    f_t = beta f_{t-1} + (1 - beta) g_t^2
    e = min(eps, eps2 rms(g_t)), and eps where rms(g_t) is 0
    n = g_t / (sqrt(f_t) + e);  n = n / max(1, rms(n) / clip)
    m_t = beta1 m_{t-1} + (1 - beta1) n
    w = p_{t-1} / (sqrt(f_t) + e);  w = w / max(1, rms(w) / clip)
    p_t = p_{t-1} - lr (m_t + weight_decay w)

Shapes
    p, g, m, f: one shape, any rank, 0-d and empty included. Means of squares are over the whole
    tensor. t: the number of steps made.

Domain
    lr, eps, eps2, weight_decay >= 0 and finite; clip > 0; 0 <= beta1, beta2 < 1.

Choices
    The paper does not say what e is without a gradient; pytorch-optimizer takes eps. What f begins
    with has no weight. The power of f is the paper's, 1/2.

Special cases
    g = 0 from the start leaves p to the decay for eps > 0; an element whose f is 0 and eps = 0 is
    0/0, nan. nan in g makes all of p and m nan. Empty tensors stay empty and advance t.

Judged
    p, m and f by the bounded contract, t exactly.

Sources
    D. Hwang, "FAdam: Adam is a natural gradient optimizer using diagonal empirical Fisher
    information", 2024 (arXiv:2405.12807), Algorithm 1, read in pytorch-optimizer 4.1.
"""

from typing import Annotated

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Beta,
    Decay,
    Epsilon,
    Rate,
    Real,
    Second,
    Step,
    Switch,
    Threshold,
)
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# One mean serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """Hyperparameters of FAdam; the defaults are the paper's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-8
    eps2: Annotated[float, Real(0.0, usual=(0.01, 0.1, 1.0))] = 0.01
    clip: Threshold = 1.0
    weight_decay: Decay = 0.1
    maximize: Switch = False


class State(declared.State):
    """The average m of natural gradients, the information f, the number t of steps made."""

    t: int
    m: Step
    f: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), f=np.zeros_like(p))


def rms(x: Array) -> Array:
    """The root of the mean square."""
    return np.sqrt(np.mean(x * x))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if not p.size:
        return State(t=t, m=s.m, f=s.f), p
    if h.maximize:
        g = -g
    beta = h.beta2 * (1 - h.beta2**s.t) / (1 - h.beta2**t)
    f = beta * s.f + (1 - beta) * (g * g)
    size = rms(g)
    d = np.sqrt(f) + np.where(size > 0, np.minimum(h.eps, h.eps2 * size), h.eps)
    n = g / d
    n = n / np.maximum(1.0, rms(n) / h.clip)
    m = h.beta1 * s.m + (1 - h.beta1) * n
    w = p / d
    w = w / np.maximum(1.0, rms(w) / h.clip)
    return State(t=t, m=m, f=f), p - h.lr * (m + h.weight_decay * w)
