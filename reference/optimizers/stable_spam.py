"""Stable-SPAM, SPAM whose clipping and whose norms follow averages (Huang et al. 2025).

Rule
    g_t = -g when maximizing, else g
    p shrinks by lr weight_decay
    M_t = theta M_{t-1} + (1 - theta) max |g_t|
    M_hat = M_t / (1 - theta^t)
    g_t = g_t M_hat / max |g_t| where |g_t| > M_hat
    a_t = gamma1 a_{t-1} + (1 - gamma1) |g_t|, of the norm
    b_t = gamma2 b_{t-1} + (1 - gamma2) |g_t|^2
    s_t = (g_t / |g_t|) (a_t / (1 - gamma1^t)) / (sqrt(b_t / (1 - gamma2^t)) + eps)
    m = v = 0 before the step where reset divides t
    m_t = beta1 m_{t-1} + (1 - beta1) s_t
    v_t = beta2 v_{t-1} + (1 - beta2) s_t^2
    n = t, or 1 + t modulo reset from the first reset on
    p_t = p - lr m_t / (1 - beta1^n) / (sqrt(v_t / (1 - beta2^n)) + eps)

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. M, a, b: 0-d, of the whole tensor. t:
    the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2, gamma1, gamma2, theta < 1; reset >= 1.

Choices
    None. The cosine by which the authors' code lets beta1 and gamma1 shrink, when asked to, is left
    out.

Special cases
    g = 0 leaves a, b, m and v as they are, and p but for the decay; moments are forgotten all the
    same. nan or inf in one element of g makes all of m, v and p nan, the moments until the next
    reset, M, a and b for ever. Empty tensors stay empty and advance t.

Judged
    p, m, v, M, a and b by the bounded contract, t exactly.

Sources
    T. Huang, H. Hu, Z. Zhang, G. Jin, X. Li, L. Shen, T. Chen, L. Liu, Q. Wen, Z. Wang, S. Liu,
    "Stable-SPAM: How to Train in 4-Bit More Stably than 16-Bit Adam", 2025 (arXiv:2502.17055),
    section 3. The authors' code, TianjinYellow/StableSPAM.
"""

from typing import Annotated

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Beta,
    Count,
    Decay,
    Epsilon,
    Number,
    Rate,
    Second,
    Size,
    Step,
    Switch,
)
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# One norm serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """Hyperparameters of Stable-SPAM; the defaults are pytorch-optimizer's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    gamma1: Beta = 0.7
    gamma2: Beta = 0.9
    theta: Beta = 0.999
    eps: Epsilon = 1e-8
    reset: Annotated[int, Count(1, (1000, 2, 3, 5, 7), (1,))] = 1000
    weight_decay: Decay = 0.0
    maximize: Switch = False


class State(declared.State):
    """Moments m and v, shaped like p, averages M, a, b of sizes, and the number t of steps made."""

    t: int
    m: Step
    v: Number
    M: Size
    a: Size
    b: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros, t = 0."""
    none = np.zeros(())
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p), M=none, a=none, b=none)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    n = t if t < h.reset else 1 + t % h.reset
    if h.maximize:
        g = -g
    p = p * (1 - h.lr * h.weight_decay)
    if not p.size:
        return State(t=t, m=s.m, v=s.v, M=s.M, a=s.a, b=s.b), p
    largest = np.max(np.abs(g))
    most = h.theta * s.M + (1 - h.theta) * largest
    m, v = (s.m, s.v) if t % h.reset else (np.zeros_like(p), np.zeros_like(p))
    limit = most / (1 - h.theta**t)
    g = np.where(np.abs(g) > limit, g / np.where(largest > 0, largest, 1.0) * limit, g)
    square = np.sum(g * g)
    moves, norm = square != 0, np.sqrt(square)
    a = h.gamma1 * s.a + (1 - h.gamma1) * norm
    b = h.gamma2 * s.b + (1 - h.gamma2) * (norm * norm)
    length = a / (1 - h.gamma1**t) / (np.sqrt(b / (1 - h.gamma2**t)) + h.eps)
    scaled = g / np.where(moves, norm, 1.0) * length
    new_m = h.beta1 * m + (1 - h.beta1) * scaled
    new_v = h.beta2 * v + (1 - h.beta2) * (scaled * scaled)
    way = new_m / (1 - h.beta1**n) / (np.sqrt(new_v) / np.sqrt(1 - h.beta2**n) + h.eps)
    m, v = np.where(moves, new_m, m), np.where(moves, new_v, v)
    a, b = np.where(moves, a, s.a), np.where(moves, b, s.b)
    return State(t=t, m=m, v=v, M=most, a=a, b=b), np.where(moves, p - h.lr * way, p)
