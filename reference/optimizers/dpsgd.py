"""DP-SGD: gradients of single examples are shortened, summed and blurred (Abadi et al. 2016).

Rule
    g_i = -g_i when maximizing, else g_i: the gradients of the L examples of a batch
    c_i = g_i / max(1, |g_i| / clip)
    u_t = (sum_i c_i + noise_multiplier clip z_t) / L
    b_t = momentum b_{t-1} + u_t
    p_t = p_{t-1} - lr b_t

Shapes
    p, g, noise, b: one shape, any rank, 0-d and empty included. others: an axis of L - 1 examples
    before it. |g_i| is over all elements of a model: p is its tensors, flattened and joined. t: the
    number of steps made.

Domain
    lr, noise_multiplier >= 0 and finite; clip > 0 and finite; 0 <= momentum < 1.

Choices
    g is the first example's gradient, others are the rest. The paper divides by the size of a lot,
    and has no momentum; optax has both forms of it: nesterov steps by u_t + momentum b_t. noise (z)
    is drawn from the standard normal distribution, anew for every element, tensor and step, by a
    generator that is a kernel's own. A step is a function of what was drawn, which is an input
    here; a kernel that is handed none draws its own. unknown_length: an example with a nan is nan
    as a whole ("nan"), or its other elements count as they are, however long ("unclipped": optax).

Special cases
    An example without gradient counts in L. nan in one gradient makes all elements of its example
    nan, and with them b and p for ever. An infinite one is nan, and the rest of its example counts
    for nothing. Empty tensors stay empty and advance t.

Judged
    p and b by the bounded contract, given the noise; t exactly; what a kernel draws by statistics.

Sources
    M. Abadi et al., "Deep Learning with Differential Privacy", CCS 2016 (arXiv:1607.00133),
    Algorithm 1. optax 0.2.8, documentation of contrib.dpsgd, for the momentum.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import First, Momentum, Rate, Real, Switch, Threshold
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

# One norm shortens all elements of an example.
FACTS = Facts(
    elementwise=False,
    inputs={"noise": lambda shape: shape, "others": lambda shape: (3, *shape)},
    drawn=("noise",),
)
DIALECTS = {
    "unknown_length": {
        "nan": "an example with a nan is nan as a whole",
        "unclipped": Departure("an example with a nan is not shortened"),
    }
}


class Hyper(declared.Hyper):
    """Hyperparameters of DP-SGD; the paper's experiments have a noise of 4, 8 and 2 clip."""

    lr: Rate = 1e-3
    clip: Threshold = 1.0
    noise_multiplier: Annotated[float, Real(0.0, usual=(1.0, 0.3, 4.0, 0.0))] = 1.0
    momentum: Momentum = 0.0
    nesterov: Switch = False
    maximize: Switch = False
    unknown_length: Literal["nan", "unclipped"] = "nan"


class State(declared.State):
    """The momentum b, shaped like p, and the number t of steps made."""

    t: int
    b: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: no momentum, t = 0."""
    return State(t=0, b=np.zeros_like(p))


def divisor(h: Hyper, length: Array) -> Array:
    """By what an example of that length is shortened."""
    due = np.maximum(1.0, length / h.clip)
    return np.where(np.isnan(length), 1.0, due) if h.unknown_length == "unclipped" else due


def step(
    h: Hyper, s: State, p: Array, g: Array, *, noise: Array, others: Array
) -> tuple[State, Array]:
    """One step from state s at p, the examples' gradients g and others: the new state and p."""
    sign = -1.0 if h.maximize else 1.0
    rest = others.reshape(len(others), p.size)
    length = np.sqrt(np.sum(g * g))
    lengths = np.sqrt(np.sum(rest * rest, axis=1, keepdims=True))
    first = sign * g / divisor(h, length)
    clipped = sign * rest / divisor(h, lengths)
    total = first + np.sum(clipped, axis=0).reshape(p.shape)
    u = (total + h.noise_multiplier * h.clip * noise) / (1 + len(others))
    b = h.momentum * s.b + u
    move = u + h.momentum * b if h.nesterov else b
    return State(t=s.t + 1, b=b), p - h.lr * move
