"""Optimistic gradient descent: the last gradient taken back once more (Daskalakis et al. 2018).

Rule
    g_t = -g when maximizing, else g;  g_0 = g_1
    p_t = p_{t-1} - lr ((alpha + beta) g_t - beta g_{t-1})

Shapes
    p, g, previous: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, alpha, beta >= 0 and finite.

Choices
    The paper's alpha and beta are 1; beta = 0 is gradient descent. optax counts the first gradient
    as its own predecessor, where the paper has zero in its place.

Special cases
    g = 0 from the start leaves p as it is. nan or inf in g reaches p, and by previous the next
    step. Empty tensors stay empty and advance t.

Judged
    p by the bounded contract, previous and t exactly.

Sources
    C. Daskalakis, A. Ilyas, V. Syrgkanis, H. Zeng, "Training GANs with Optimism", ICLR 2018
    (arXiv:1711.00141), equation 7. A. Mokhtari, A. Ozdaglar, S. Pattathil, "A Unified Analysis of
    Extra-gradient and Optimistic Gradient Methods", AISTATS 2020 (arXiv:1901.08511).
"""

from typing import Annotated, TypeAlias

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import First, Rate, Real, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

Weight: TypeAlias = Annotated[float, Real(0.0, usual=(1.0, 0.5, 2.0, 0.0), edges=(0.0,))]

FACTS = Facts(elementwise=True)
DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """Learning rate, and the weights of the gradient and of its change."""

    lr: Rate = 1e-2
    alpha: Weight = 1.0
    beta: Weight = 1.0
    maximize: Switch = False


class State(declared.State):
    """The previous gradient, shaped like p, and the number t of steps made."""

    t: int
    previous: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: no gradient, t = 0."""
    return State(t=0, previous=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    previous = g if t == 1 else s.previous
    update = (h.alpha + h.beta) * g - h.beta * previous
    return State(t=t, previous=g), p - h.lr * update
