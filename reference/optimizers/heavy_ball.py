"""The heavy ball: gradient descent with the memory of one previous point (Polyak 1964).

Rule
    g_t = -g when maximizing, else g; then g_t + weight_decay p_{t-1}
    p_t = p_{t-1} - lr g_t + momentum (p_{t-1} - p_{t-2}), with p_{-1} = p_0

Shapes
    p, g, p_previous: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, weight_decay >= 0 and finite; 0 <= momentum < 1.

Choices
    The paper has no weight decay; here it is coupled, the gradient of the L2 penalty.
    With constant lr the points are those of sgd in both its momentum forms without dampening. They
    part when lr changes: the memory here is of distances, which lr has already scaled, as in
    sgd's "lr_inside".

Special cases
    g = 0 from the start without decay leaves p as it is. nan in g poisons that element of p for
    ever.
    Empty tensors stay empty and advance t.

Judged
    p and p_previous by the bounded contract, t exactly.

Sources
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR
    Computational Mathematics and Mathematical Physics 4(5) (1964) 1-17.
"""

from truestep.reference import declared
from truestep.reference.declared import Decay, Momentum, Point, Rate, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS: dict[str, dict[str, str]] = {}


class Hyper(declared.Hyper):
    """Hyperparameters of the heavy ball: lr as in PyTorch's SGD, momentum at its usual value."""

    lr: Rate = 1e-3
    momentum: Momentum = 0.9
    weight_decay: Decay = 0.0
    maximize: Switch = False


class State(declared.State):
    """The point before p, shaped like p, and the number t of steps made."""

    t: int
    p_previous: Point


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: the ball rests at p, t = 0."""
    return State(t=0, p_previous=p)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    g = g + h.weight_decay * p
    return State(t=t, p_previous=p), p - h.lr * g + h.momentum * (p - s.p_previous)
