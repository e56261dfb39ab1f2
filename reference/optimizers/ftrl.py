"""FTRL-Proximal, led by all gradients so far, with small weights at zero (McMahan et al. 2013).

Rule
    g_t = -g when maximizing, else g
    n_t = n_{t-1} + g_t^2
    sigma = (sqrt(n_t) - sqrt(n_{t-1})) / lr
    z_t = z_{t-1} + g_t - sigma p_{t-1}
    p_t = 0 where |z_t| <= lambda_1, else
        p_t = (sign(z_t) lambda_1 - z_t) / ((beta + sqrt(n_t)) / lr + lambda_2)

Shapes
    p, g, z, n: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr > 0; beta, lambda_1, lambda_2 >= 0; all finite.

Choices
    The power of n is the paper's half. Other powers and the penalty of shrinkage of TensorFlow are
    left out.

Special cases
    p_t is a function of z and n, as if p_0 = 0 had been found before any gradient: where all
    gradients were zero p is zero, wherever it began. nan or inf in g poisons that element for ever.
    Empty tensors stay empty and advance t.

Judged
    p by the bounded contract where it is decided whether |z| exceeds lambda_1, else zero too; z and
    n by it, t exactly.

Sources
    H. B. McMahan et al., "Ad Click Prediction: a View from the Trenches", KDD 2013, Algorithm 1.
    pytorch-optimizer 4.1.
"""

from typing import Annotated

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import First, Real, Second, Switch, decades
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """Hyperparameters of FTRL-Proximal; the paper gives no numbers but beta = 1."""

    lr: Annotated[float, Real(0.0, open="low", usual=decades(-5, 0))] = 0.1
    beta: Annotated[float, Real(0.0, usual=(1.0, 0.1, 0.0), edges=(0.0,))] = 1.0
    lambda_1: Annotated[float, Real(0.0, usual=(0.0, 0.1, 1.0, 0.01), edges=(0.0,))] = 0.0
    lambda_2: Annotated[float, Real(0.0, usual=(0.0, 0.1, 1.0, 0.01), edges=(0.0,))] = 0.0
    maximize: Switch = False


class State(declared.State):
    """Led sums z and squares n, shaped like p, and the number t of steps made."""

    t: int
    z: First
    n: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero sums shaped like p, t = 0."""
    return State(t=0, z=np.zeros_like(p), n=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    if h.maximize:
        g = -g
    n = s.n + g * g
    root = np.sqrt(n)
    sigma = (root - np.sqrt(s.n)) / h.lr
    z = s.z + g - sigma * p
    curvature = (h.beta + root) / h.lr + h.lambda_2
    led = (np.sign(z) * h.lambda_1 - z) / curvature
    return State(t=s.t + 1, z=z, n=n), np.where(np.abs(z) <= h.lambda_1, 0.0, led)
