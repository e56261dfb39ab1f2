"""COCOB-Backprop, a bet on every coordinate in the place of a rate (Orabona and Tommasi 2017).

Rule
    g_t = -g when maximizing, else g;  g_t = lr (g_t + weight_decay p_{t-1})
    size_t = max(size_{t-1}, |g_t|)
    total_t = total_{t-1} + |g_t|
    reward_t = max(reward_{t-1} - g_t (p_{t-1} - p_0), 0)
    s_t = s_{t-1} - g_t
    share = s_t / (size_t max(total_t + size_t, alpha size_t))
    p_t = p_0 + share (size_t + reward_t)

Shapes
    p, g, p0, s, size, total, reward: one shape, any rank, 0-d and empty included. t: the number of
    steps made.

Domain
    lr, alpha, eps, weight_decay >= 0 and finite.

Choices
    size_0 is eps, as in optax; the paper has 0. lr = 1 and weight_decay = 0 are the paper's: optax
    multiplies the gradient by lr and adds the decay to it. form: p_t as written ("direct"), or as a
    change that is added to p_{t-1} ("added": optax).

Special cases
    g = 0 from the start leaves p at p_0 for eps > 0; with eps = 0 it is 0/0, nan. lr = 0 is a
    gradient of zero. nan in g poisons that element for ever. Empty tensors stay empty.

Judged
    p and the state by the bounded contract, p0 too, which never changes; t exactly.

Sources
    F. Orabona, T. Tommasi, "Training Deep Networks without Learning Rates Through Coin Betting",
    NeurIPS 2017 (arXiv:1705.07795), Algorithm 2. optax.contrib.cocob for eps, lr and weight_decay.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Decay, Epsilon, First, Point, RateFactor, Real, Size, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "form": {
        "direct": "the new point as it is",
        "added": "the new point as a change of the old one",
    }
}


class Hyper(declared.Hyper):
    """Hyperparameters of COCOB; the defaults are the paper's, eps optax's."""

    lr: RateFactor = 1.0
    alpha: Annotated[float, Real(0.0, usual=(100.0, 1.0, 3.0, 10.0), edges=(0.0,))] = 100.0
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    form: Literal["direct", "added"] = "direct"


class State(declared.State):
    """First point p0, sum s, largest size, total of sizes and reward, and the counter t."""

    t: int
    p0: Point
    s: First
    size: Size
    total: Size
    reward: Size


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: p0 = p, size eps, zero sums, t = 0."""
    zeros = np.zeros_like(p)
    return State(t=0, p0=p, s=zeros, size=np.full_like(p, h.eps), total=zeros, reward=zeros)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    if h.maximize:
        g = -g
    g = h.lr * (g + h.weight_decay * p)
    size = np.maximum(s.size, np.abs(g))
    total = s.total + np.abs(g)
    reward = np.maximum(s.reward - g * (p - s.p0), 0.0)
    bets = s.s - g
    share = bets / (size * np.maximum(total + size, h.alpha * size))
    new = s.p0 + share * (size + reward)
    if h.form == "added":
        new = p + (new - p)
    return State(s.t + 1, s.p0, bets, size, total, reward), new
