"""AdaShift, Adam whose second moment is of gradients gone from its first (Zhou et al. 2019).

Rule
    g_t = -g when maximizing, else g;  n = keep_num;  no gradient before the first
    w = 1 + beta1 + ... + beta1^{n-1}
    m_t = beta1 (m_{t-1} - beta1^{n-1} / w g_{t-n}) + g_t / w
    in the first n steps v and p stay, afterwards
        v_t = beta2 v_{t-1} + (1 - beta2) max(g_{t-n}^2)
        p_t = p_{t-1} - lr m_t / (sqrt(v_t / (1 - beta2^{t-n})) + eps)

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. The maximum is over the whole tensor.
    past: the last n gradients, the oldest first, zeros before the first. t: the number of steps
    made.

Domain
    lr, eps >= 0 and finite; keep_num an integer >= 1; 0 <= beta1, beta2 < 1.

Choices
    m is the mean of the last n gradients by powers of beta1, moved on from step to step. squares:
    one maximum serves all elements ("largest"), or each has its own square ("own": AdaShift without
    the spatial operation).

Special cases
    keep_num = 1 has m = g. Without a gradient other than zero n steps ago, and v = 0, eps alone
    divides; eps = 0 makes it 0/0 or infinite. nan in g poisons its element of m for ever, and all
    of v from n steps later on. Empty tensors stay empty and advance t.

Judged
    p, m, v and past by the bounded contract, t exactly.

Sources
    Z. Zhou et al., "AdaShift: Decorrelation and Convergence of Adaptive Learning Rate Methods",
    ICLR 2019 (arXiv:1810.00143), read in pytorch-optimizer 4.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Count, Epsilon, First, Rate, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# One maximum serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "squares": {
        "largest": "the largest square of an old gradient is averaged",
        "own": "each element's own square is averaged",
    }
}


class Hyper(declared.Hyper):
    """Hyperparameters of AdaShift; the defaults are the paper's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    keep_num: Annotated[int, Count(1, (10, 2, 1, 3))] = 10
    eps: Epsilon = 1e-10
    maximize: Switch = False
    squares: Literal["largest", "own"] = "largest"


class State(declared.State):
    """Moments m and v, shaped like p, the last gradients, and the number t of steps made."""

    t: int
    m: First
    v: Second
    past: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros, t = 0."""
    past = np.zeros((h.keep_num, *p.shape))
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p), past=past)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if not p.size:
        return State(t=t, m=s.m, v=s.v, past=s.past), p
    if h.maximize:
        g = -g
    n = h.keep_num
    old = s.past[0]
    weight = sum(h.beta1**i for i in range(n))
    m = h.beta1 * (s.m - h.beta1 ** (n - 1) / weight * old) + 1 / weight * g
    past = np.concatenate([s.past[1:], g[None]])
    if t <= n:
        return State(t=t, m=m, v=s.v, past=past), p
    square = old * old
    v = h.beta2 * s.v + (1 - h.beta2) * (np.max(square) if h.squares == "largest" else square)
    root = np.sqrt(v / (1 - h.beta2 ** (t - n))) + h.eps
    return State(t=t, m=m, v=v, past=past), p - h.lr * (m / root)
