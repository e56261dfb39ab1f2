"""SPAM, Adam that forgets its moments now and then and clips what spikes (Huang et al. 2025).

Rule
    n = t modulo reset, the number of steps since the moments were last forgotten
    g_t = -g when maximizing, else g
    m = v = 0 before the step where reset divides t
    g_t = sign(g_t) sqrt(threshold v_{t-1}) where g_t^2 > threshold v_{t-1}, threshold > 0, and t
        and n have reached calm
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    share = 1 - 0.99 (1 + cos(pi (n + 1) / (warmup + 1))) / 2 where t >= reset and n < warmup,
        else 1
    p_t = p_{t-1} - lr share m_t / (1 - beta1^t) sqrt(1 - beta2^t) / (sqrt(v_t) + eps)
    p_t shrinks by lr weight_decay

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay, threshold >= 0 and finite; 0 <= beta1, beta2 < 1; warmup, calm >= 0;
    reset >= 2.

Choices
    None: corrections are for t steps, also after moments have been forgotten, as in the authors'
    code. Masks that leave out elements by chance are not part of it.

Special cases
    threshold = 0 clips nothing. With calm = 0 the first gradients are clipped to zero, v being
    zero. g = 0 with eps = 0 is 0/0, nan, where v is zero. nan in g poisons that element until the
    next reset, its parameter for ever. Empty tensors stay empty and advance t.

Judged
    p, m and v by the bounded contract, t exactly.

Sources
    T. Huang, Z. Zhu, G. Jin, L. Liu, Z. Wang, S. Liu, "SPAM: Spike-Aware Adam with Momentum Reset
    for Stable LLM Training", ICLR 2025 (arXiv:2501.06842), section 3 and Algorithm 1. The authors'
    code, TianjinYellow/SPAM-Optimizer, for the corrections and the first steps.
"""

from typing import Annotated

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Beta,
    Count,
    Decay,
    Epsilon,
    First,
    Rate,
    Real,
    Second,
    Switch,
)
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """Hyperparameters of SPAM; the defaults are pytorch-optimizer's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-6
    threshold: Annotated[float, Real(0.0, usual=(5000.0, 0.5, 2.0, 9.0, 100.0, 0.0))] = 5000.0
    reset: Annotated[int, Count(2, (500, 2, 3, 5, 7), (2,))] = 500
    warmup: Annotated[int, Count(0, (50, 2, 3, 150), (0,))] = 50
    calm: Annotated[int, Count(0, (20, 2, 1, 3), (0,))] = 20
    weight_decay: Decay = 0.0
    maximize: Switch = False


class State(declared.State):
    """Moments m and v, shaped like p, and the number t of steps made."""

    t: int
    m: First
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p))


def share_of(h: Hyper, t: int) -> Array:
    """What of the rate step t takes."""
    n = t % h.reset
    if t < h.reset or n >= h.warmup:
        return 1.0
    return 1 - 0.99 * (1 + np.cos(np.pi * (n + 1) / (h.warmup + 1))) / 2


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    forgets = t % h.reset == 0
    m, v = (np.zeros_like(p), np.zeros_like(p)) if forgets else (s.m, s.v)
    if h.threshold > 0 and min(t, t % h.reset) >= h.calm:
        limit = h.threshold * v
        g = np.where(g * g > limit, np.sign(g) * np.sqrt(limit), g)
    m = h.beta1 * m + (1 - h.beta1) * g
    v = h.beta2 * v + (1 - h.beta2) * (g * g)
    corrected = np.sqrt(1 - h.beta2**t) / (1 - h.beta1**t)
    p = p - h.lr * share_of(h, t) * (corrected * (m / (np.sqrt(v) + h.eps)))
    return State(t=t, m=m, v=v), p * (1 - h.lr * h.weight_decay)
