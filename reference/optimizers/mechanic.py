"""Mechanic, which bets on how far to go along another rule's way (Cutkosky et al. 2023).

Over 120 lines: the tuner, the rule that it tunes, and the libraries' choices.

Rule
    the tuned rule is gradient descent, whose steps are u_t = -lr g_t
    S = sum_i s_i, the scale
    h = <g_t + weight_decay S |g_t| / (|p_{t-1}| + eps) p_{t-1}, D>
    D = D + u_t, the way of the tuned rule
    for each of the memories b = 0.9, 0.99, ...:
        m = max(b m, |h|);  v = b^2 v + h^2;  r = max(b r - s h, 0)
        s = (s_init m / memories + r) / (sqrt(v) + eps)
    p_t = p_0 + (sum_i s_i) D, where p_0 is the parameter that the first step finds

Shapes
    p, g, p0, way: one shape, any rank, 0-d and empty included. m, v, r, s: (memories,). One scale
    serves all tensors of a model: p is their elements, flattened and joined. t: the number of steps
    made.

Domain
    lr, eps, weight_decay >= 0 and finite; s_init > 0; memories >= 1.

Choices
    bet: r is never below zero ("positive", the paper), or is kept as it is and taken for zero where
    it is bet ("owed", optax).
    form: p_t as above ("direct"), or its way from p_{t-1} added to that ("added", optax), which
    keeps the digits of p_{t-1} alone.
    limit: h as it is ("none"), or in r no larger than the last m, and |h| + eps in the place of |h|
    ("last_size", optax: later than the paper).
    way: D is kept ("kept"), or is (p_{t-1} - p_0) / (S + eps) ("recomputed", optax, and the
    authors' code unless it is to store D), which is nothing in all steps while S is zero.
    Other tuned rules are left out.

Special cases
    At t = 1 D = 0 and so h = 0: s is zero, and p stays where it is; with "last_size" m is eps, and
    s is s_init / memories. p = 0 with eps = 0 is nan. nan or inf in g makes all of p nan in the
    next step. Empty tensors stay empty and advance t.

Judged
    p, m, v, r, s and D by the bounded contract, p0 and t exactly.

Sources
    A. Cutkosky, A. Defazio, H. Mehta, "Mechanic: A Learning Rate Tuner", NeurIPS 2023
    (arXiv:2306.00144), Algorithm 1; the authors' mechanic-pytorch 0.0.1. optax 0.2.8,
    contrib.mechanize of sgd.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Behaviour,
    Count,
    Decay,
    Epsilon,
    First,
    Number,
    Point,
    Rate,
    Real,
    Second,
    Squares,
    decades,
)
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

# One scale serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "bet": {
        "positive": "what is bet is never below zero",
        "owed": Departure("what is bet may fall below zero, and has to be won back"),
    },
    "form": {
        "direct": "new parameter computed from the first",
        "added": "difference to the new parameter added to the old one",
    },
    "limit": {
        "none": "the products of gradient and way as they are",
        "last_size": "the products of gradient and way limited by the largest before",
    },
    "way": {
        "kept": "the tuned rule's way kept beside the parameter",
        "recomputed": "the tuned rule's way computed from the parameter's and the scale",
    },
}


class Hyper(declared.Hyper):
    """The tuned rule's rate, and what the tuner has; the defaults are optax's."""

    lr: Rate = 1.0
    weight_decay: Decay = 1e-2
    eps: Epsilon = 1e-8
    s_init: Annotated[float, Real(0.0, open="low", usual=(1e-6, *decades(-6, 0)))] = 1e-6
    memories: Annotated[int, Count(1, (6, 1, 2, 4))] = 6
    bet: Literal["positive", "owed"] = "positive"
    form: Literal["direct", "added"] = "direct"
    limit: Literal["none", "last_size"] = "none"
    way: Literal["kept", "recomputed"] = "kept"


class State(declared.State):
    """Start p0, way, largest products m, their squares v, bets r, scales s, and the counter t."""

    t: int
    p0: Point
    way: First
    m: Second
    v: Annotated[Array, Behaviour(4, nonnegative=True)]
    r: Squares
    s: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: p0 = p, no way, nothing bet, scales s_init, t = 0."""
    none = np.zeros(h.memories)
    return State(0, p, np.zeros_like(p), none, none, none, np.full(h.memories, h.s_init))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    scale, start = np.sum(s.s), p if s.t == 0 else s.p0
    way = s.way if h.way == "kept" else (p - start) / (scale + h.eps)
    share = np.sqrt(np.sum(g * g)) / (np.sqrt(np.sum(p * p)) + h.eps)
    product = np.sum((g + h.weight_decay * scale * share * p) * way)
    memory = np.asarray([1 - 0.1**i for i in range(1, h.memories + 1)])
    size, limited = np.abs(product), product
    if h.limit == "last_size":
        size, limited = size + h.eps, np.clip(product, -s.m, s.m)
    m = np.maximum(memory * s.m, size)
    v = memory * memory * s.v + product * product
    r = memory * s.r - limited * s.s
    bet = np.maximum(r, 0.0)
    if h.bet == "positive":
        r = bet
    scales = (h.s_init / h.memories * m + bet) / (np.sqrt(v) + h.eps)
    way = way - h.lr * g
    new = start + np.sum(scales) * way
    if h.form == "added":
        new = p + (new - p)
    return State(s.t + 1, start, way if h.way == "kept" else s.way, m, v, r, scales), new
