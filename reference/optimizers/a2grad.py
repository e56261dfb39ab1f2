"""A2Grad, accelerated descent whose steps shrink as gradients vary (Deng, Cheng & Lan 2018).

Rule
    k = t - 1, the number of steps made before;  a_k = 2 / (k + 2)
    g_t = -g when maximizing, else g, taken at p_{t-1}
    n_t = (1 - 1/t) n_{t-1} + g_t / t, the mean of the gradients so far
    d_t = |g_t - n_t|^2, over all elements
    v_t = v_{t-1} + d_t;  h_t = sqrt(v_t)
    c_t = lr / (2 lips / (k + 1) + beta h_t)
    x_t = x_{t-1} - c_t g_t
    p_t = (1 - a_{k+1}) (p_{t-1} - a_k c_t g_t) + a_{k+1} x_t

Shapes
    p, g, x, n: one shape, any rank, 0-d and empty included. v, w: 0-d, of the whole tensor. t: the
    number of steps made.

Domain
    lr, beta >= 0 and finite; lips > 0 and finite; 0 <= rho < 1.

Choices
    moments: all count alike ("uniform"); or v_t = (k / (k + 1))^2 v_{t-1} + d_t ("incremental":
    torch_optimizer), with h_t = sqrt(t v_t) ("scaled": pytorch-optimizer); or
    w_t = rho w_{t-1} + (1 - rho) d_t, v_t = max(v_{t-1}, w_t) and h_t = sqrt(t v_t)
    ("exponential"). count: k as above ("before"); pytorch-optimizer counts the step itself too, but
    for a_0 = 1 ("with"). The paper has no lr: it multiplies what the rule finds, and is 1.

Special cases
    The first step has d = 0 and is descent by lr / (2 lips). nan in g poisons the whole tensor for
    ever. Empty tensors stay empty and advance t.

Judged
    p, x, n, v and w by the bounded contract, t exactly.

Sources
    Q. Deng, Y. Cheng, G. Lan, "Optimal Adaptive and Accelerated Stochastic Gradient Descent", 2018
    (arXiv:1810.00553), Algorithm 1 and section 3, read in torch_optimizer 0.3.0 and
    pytorch-optimizer 4.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import First, Point, RateFactor, Real, Second, Switch
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

# One sum of squares serves all elements.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "count": {
        "before": "weights are those of the number of steps made before",
        "with": Departure("weights count the step itself"),
    },
    "moments": {
        "uniform": "all gradients count alike",
        "incremental": "later gradients count more",
        "scaled": "later gradients count more, and the count multiplies their sum",
        "exponential": "the largest moving average so far, multiplied by the count",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of A2Grad; the defaults are the libraries'."""

    lr: RateFactor = 1.0
    beta: Annotated[float, Real(0.0, usual=(10.0, 1.0, 0.1, 0.0))] = 10.0
    lips: Annotated[float, Real(0.0, open="low", usual=(10.0, 1.0, 0.1))] = 10.0
    rho: declared.Beta = 0.5
    maximize: Switch = False
    count: Literal["before", "with"] = "before"
    moments: Literal["uniform", "incremental", "scaled", "exponential"] = "uniform"


class State(declared.State):
    """The point x and the mean n, shaped like p, the sums v and w, and the number t of steps."""

    t: int
    x: Point
    n: First
    v: Second
    w: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: x is p, no past, t = 0."""
    return State(t=0, x=p * 1.0, n=np.zeros_like(p), v=np.zeros(()), w=np.zeros(()))


def spread(h: Hyper, s: State, d: Array, k: int) -> tuple[Array, Array, Array]:
    """The sums v and w, and h, by how much gradients vary so far."""
    if h.moments == "exponential":
        w = h.rho * s.w + (1 - h.rho) * d
        v = np.maximum(s.v, w)
    else:
        w, kept = s.w, 1.0 if h.moments == "uniform" else (k / (k + 1)) ** 2
        v = kept * s.v + d
    counted = k + 1 if h.moments in ("scaled", "exponential") else 1
    return v, w, np.sqrt(counted * v)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    k = s.t if h.count == "before" else t
    if h.maximize:
        g = -g
    n = (1 - 1 / t) * s.n + g / t
    away = g - n
    v, w, far = spread(h, s, np.sum(away * away), k)
    c = h.lr / (2 * h.lips / (k + 1) + h.beta * far)
    x = s.x - c * g
    old, new = 2 / (s.t + (2 if h.count == "before" or t == 1 else 3)), 2 / (k + 3)
    p = (1 - new) * (p - old * (c * g)) + new * x
    return State(t=t, x=x, n=n, v=v, w=w), p
