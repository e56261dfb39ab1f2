"""Lookahead around SGD: k fast steps, then one slow step to where they led (Zhang et al. 2019).

Over 120 lines: the wrapped rule, and what libraries make of its momentum.

Rule
    the wrapped rule is SGD with momentum:
        g_t = -g when maximizing, else g;  g_t += weight_decay p_{t-1}
        b_t = momentum b_{t-1} + g_t
        f_t = p_{t-1} - lr b_t
    where k divides t:
        slow_t = (1 - alpha) slow_{t-1} + alpha f_t, from slow_0 = p_0;  p_t = slow_t
    else slow_t = slow_{t-1};  p_t = f_t

Shapes
    p, g, b, slow, slow_b: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, weight_decay >= 0 and finite; 0 <= momentum < 1; 0 < alpha <= 1; k >= 1.

Choices
    pullback: where k divides t, b_t is kept ("none", the paper's default), set to zero ("reset"),
    or drawn to a slow momentum as p is to slow ("pullback").
    form: p_t as written ("direct"), or as changes that are added to p_{t-1} and to slow ("added":
    optax).
    sync: the slow step comes last of k steps ("last"), or first, of steps 1, k + 1, ..., and slow_0
    is the first fast point f_1 ("first": torch_optimizer).
    Other wrapped rules are left out; RAdam's is Ranger.

Special cases
    alpha = 1 is SGD with this momentum. g = 0 from the start leaves p but for the rounding of a
    mean of p with itself. nan in g poisons that element for ever. Empty tensors stay empty and
    advance t.

Judged
    p, b, slow and slow_b by the bounded contract, t exactly.

Sources
    M. R. Zhang, J. Lucas, G. Hinton, J. Ba, "Lookahead Optimizer: k steps forward, 1 step back",
    NeurIPS 2019 (arXiv:1907.08610), Algorithm 1; section 3.1 for the momentum.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count, Decay, First, Momentum, Point, Rate, Real, Switch
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "form": {
        "direct": "the new points as they are",
        "added": "the new points as changes of the old ones",
    },
    "pullback": {
        "none": "the momentum kept through a slow step",
        "pullback": "the momentum drawn to a slow momentum by a slow step",
        "reset": "the momentum zero after a slow step",
    },
    "sync": {
        "last": "the slow step last of k fast ones",
        "first": Departure("the slow step first of k fast ones, its start the first fast point"),
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of SGD and of Lookahead; k and alpha by default as in the libraries."""

    lr: Rate = 1e-3
    momentum: Momentum = 0.9
    alpha: Annotated[float, Real(0.0, 1.0, "low", usual=(0.5, 0.8, 0.2, 1.0))] = 0.5
    k: Annotated[int, Count(1, (5, 2, 3, 6, 10), (1,))] = 5
    weight_decay: Decay = 0.0
    maximize: Switch = False
    form: Literal["direct", "added"] = "direct"
    pullback: Literal["none", "pullback", "reset"] = "none"
    sync: Literal["last", "first"] = "last"


class State(declared.State):
    """Momenta b and slow_b, the slow point, all shaped like p, and the number t of steps made."""

    t: int
    b: First
    slow: Point
    slow_b: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: no momenta, the slow point at p, t = 0."""
    return State(t=0, b=np.zeros_like(p), slow=p, slow_b=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    g = g + h.weight_decay * p
    b = h.momentum * s.b + g
    fast = p - h.lr * b
    start = fast if h.sync == "first" and s.t == 0 else s.slow
    if (t if h.sync == "last" else s.t) % h.k:
        return State(t=t, b=b, slow=start, slow_b=s.slow_b), fast
    slow = new = (1 - h.alpha) * start + h.alpha * fast
    if h.form == "added":
        way = fast - start
        slow, new = start + h.alpha * way, p + ((fast - p) - (1 - h.alpha) * way)
    slow_b = s.slow_b
    if h.pullback == "pullback":
        slow_b = b = (1 - h.alpha) * s.slow_b + h.alpha * b
    elif h.pullback == "reset":
        b = np.zeros_like(p)
    return State(t=t, b=b, slow=slow, slow_b=slow_b), new
