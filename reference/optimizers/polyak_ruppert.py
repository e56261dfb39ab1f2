"""Averaged stochastic gradient descent (Ruppert 1988; Polyak & Juditsky 1992).

Rule
    g_t = -g when maximizing, else g; then g_t + weight_decay p_{t-1}
    a_t = lr / t^power
    p_t = p_{t-1} - a_t g_t
    average_t = p_t for t <= start + 1, then
    average_t = average_{t-1} + (p_t - average_{t-1}) / (t - start)

Shapes
    p, g, average: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, power, weight_decay >= 0 and finite; 0 <= ema < 1; start an integer >= 0. The theorem asks
    for steps slower than 1/t: 1/2 < power < 1.

Choices
    The papers average from the first step; start > 0 leaves out the transient.
    average: the arithmetic mean ("uniform", also stochastic weight averaging), or a moving average
    after a first copy: average + (1 - ema) (p - average), PyTorch's get_ema_multi_avg_fn
    ("exponential"), or the same but for rounding, ema average + (1 - ema) p, its get_ema_avg_fn,
    Keras's use_ema and optax's incremental_update ("weighted").
    PyTorch's ASGD shrinks p and shifts the counters: rule asgd.

Special cases
    A constant p keeps the average equal to it, but for the rounding of the weighted sum. nan in g
    poisons that element of p and average for ever. Empty tensors stay empty and advance t.

Judged
    p and average by the bounded contract, t exactly.

Sources
    B. T. Polyak, A. Juditsky, "Acceleration of Stochastic Approximation by Averaging", SIAM J.
    Control Optim. 30 (1992) 838-855, section 2. D. Ruppert, "Efficient Estimations
    from a Slowly Convergent Robbins-Monro Process", Cornell technical report 781 (1988).
"""

from typing import Annotated, Literal

from truestep.reference import declared
from truestep.reference.declared import POWER, Beta, Count, Decay, Point, Rate, Real, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "average": {
        "uniform": "arithmetic mean of the iterates",
        "exponential": "exponential moving average of the iterates",
        "weighted": "exponential moving average, as a weighted sum of average and iterate",
    }
}


class Hyper(declared.Hyper):
    """The steps lr / t^power, where averaging starts, and the rate of the moving average."""

    lr: Rate = 1e-2
    power: Annotated[float, Real(0.0, POWER, usual=(1.0, 0.75, 0.6, 0.5, 0.0))] = 0.75
    weight_decay: Decay = 0.0
    ema: Beta = 0.999
    start: Annotated[int, Count(0, (0, 2, 100, 5000))] = 0
    maximize: Switch = False
    average: Literal["uniform", "exponential", "weighted"] = "uniform"


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
    p = p - h.lr / t**h.power * g
    if t <= h.start + 1:
        average = p
    elif h.average == "uniform":
        average = s.average + (p - s.average) / (t - h.start)
    elif h.average == "exponential":
        average = s.average + (1 - h.ema) * (p - s.average)
    else:
        average = h.ema * s.average + (1 - h.ema) * p
    return State(t=t, average=average), p
