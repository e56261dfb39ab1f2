"""Gradient descent with normal noise whose variance falls with the count (Neelakantan et al. 2015).

Rule
    g_t = -g when maximizing, else g
    sigma_t = sqrt(eta / t^gamma)
    p_t = p_{t-1} - lr (g_t + sigma_t z_t)

Shapes
    p, g, noise: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eta >= 0 and finite; 0 <= gamma <= 32.

Choices
    noise (z) is drawn from the standard normal distribution, anew for every element, tensor and
    step, by a generator that is a kernel's own. A step is a function of what was drawn, which is an
    input here; a kernel that is handed none draws its own. The paper counts t from 0 and divides by
    (1 + t)^gamma, which is the same.

Special cases
    eta = 0 is gradient descent. nan in g or in the noise makes that element of p nan. Empty tensors
    stay empty and advance t.

Judged
    p by the bounded contract, given the noise; t exactly; what a kernel draws by statistics.

Sources
    A. Neelakantan et al., "Adding Gradient Noise Improves Learning for Very Deep Networks", 2015
    (arXiv:1511.06807), equation (1) and section 3. optax 0.2.8, documentation of noisy_sgd.
"""

from typing import Annotated

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import POWER, Rate, Real, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True, inputs={"noise": lambda shape: shape}, drawn=("noise",))
DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """Hyperparameters of noisy SGD; eta and gamma are among the paper's."""

    lr: Rate = 1e-3
    eta: Annotated[float, Real(0.0, usual=(0.01, 0.3, 1.0, 0.0))] = 0.01
    gamma: Annotated[float, Real(0.0, POWER, usual=(0.55, 1.0, 0.3, 0.0))] = 0.55
    maximize: Switch = False


class State(declared.State):
    """The number t of steps made."""

    t: int


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: t = 0."""
    return State(t=0)


def step(h: Hyper, s: State, p: Array, g: Array, *, noise: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g and noise: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    sigma = np.sqrt(h.eta / t**h.gamma)
    return State(t=t), p - h.lr * (g + sigma * noise)
