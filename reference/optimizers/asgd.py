"""Averaged SGD as in PyTorch: shrinking iterates, decaying steps, average after t0 steps.

Rule
    g_t = -g when maximizing, else g; then g_t + weight_decay p_{t-1}
    eta_t = lr / (1 + lambd lr (t - 1))^alpha
    p_t = p_{t-1} (1 - lambd eta_t) - eta_t g_t
    mu_t = 1 / max(1, t - 1 - t0)
    average_t = p_t while mu_t = 1, then average_{t-1} + mu_t (p_t - average_{t-1})

Shapes
    p, g, average: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, lambd, alpha, weight_decay >= 0 and finite; t0 an integer >= 0.

Choices
    No paper states this rule; it is Bottou's form of averaged SGD on an L2-regularized loss, and
    PyTorch's documentation names Polyak & Juditsky, who have neither shrinkage nor t0.
    lambd and weight_decay are two decays: the gradient effectively gains (lambd + weight_decay) p.
    PyTorch stores eta and mu for the next step; here both are functions of t. The mean runs over
    p_{t0+2}, p_{t0+3}, ...: with PyTorch's t0 of a million the average is p for a million steps.
    before_averaging: the average is a "copy" of p until then; PyTorch's foreach form has it "moved"
    to p by the whole difference, which rounds.

Special cases
    g = 0 shrinks p by (1 - lambd eta_t). nan in g poisons that element of p and average for ever.
    Empty tensors stay empty and advance t.

Judged
    p and average by the bounded contract, t exactly.

Sources
    PyTorch 2.13, torch.optim.ASGD. L. Bottou, "Large-Scale Machine Learning with Stochastic
    Gradient Descent", COMPSTAT 2010, section 5. B. T. Polyak, A. Juditsky, "Acceleration of
    Stochastic Approximation by Averaging", SIAM J. Control Optim. 30 (1992).
"""

from typing import Annotated, Literal

from truestep.reference import declared
from truestep.reference.declared import POWER, Count, Decay, Point, Rate, Real, Switch, decades
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "before_averaging": {
        "copy": "average a copy of p before averaging begins",
        "moved": "average moved to p by the whole difference before averaging begins",
    }
}


class Hyper(declared.Hyper):
    """Hyperparameters of averaged SGD; names and defaults are PyTorch's."""

    lr: Rate = 1e-2
    lambd: Annotated[float, Real(0.0, usual=decades(-5, -1))] = 1e-4
    alpha: Annotated[float, Real(0.0, POWER, usual=(0.99, 0.9, 0.75, 0.5))] = 0.75
    t0: Annotated[int, Count(0, (1, 0, 10, 90, 1_000_000))] = 1_000_000
    weight_decay: Decay = 0.0
    maximize: Switch = False
    before_averaging: Literal["copy", "moved"] = "copy"


class State(declared.State):
    """The average of the iterates, shaped like p, and the number t of steps made."""

    t: int
    average: Point


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: nothing averaged yet, t = 0."""
    return State(t=0, average=p)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    g = g + h.weight_decay * p
    # The inverse of a power that leaves float64 is 0.
    eta = h.lr * (1 + h.lambd * h.lr * (t - 1)) ** -h.alpha
    p = p * (1 - h.lambd * eta) - eta * g
    if t - 1 - h.t0 <= 1:
        average = p if h.before_averaging == "copy" else s.average + (p - s.average)
        return State(t=t, average=average), p
    return State(t=t, average=s.average + (p - s.average) / (t - 1 - h.t0)), p
