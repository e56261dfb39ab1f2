"""Schedule-Free SGD: online averaging in the place of a schedule (Defazio et al. 2024).

Rule
    y_t = (1 - beta) z_t + beta x_t, where the gradient g_t is taken
    gamma_t = lr min(1, t / warmup_steps)
    d_t = g_t + weight_decay y_t, with -g_t when maximizing
    z_{t+1} = z_t - gamma_t d_t
    w_t = t^r (max of gamma_1..gamma_t)^weight_lr_power
    c_t = w_t / (w_1 + ... + w_t)
    x_{t+1} = (1 - c_t) x_t + c_t z_{t+1}

Shapes
    p, g, z: one shape, any rank, 0-d and empty included. p is y, the point of the gradient; x, what
    the method returns, is average(h, s, p). weight_sum, lr_max: 0-d. t: the number of steps made.

Domain
    lr, weight_decay, r, weight_lr_power >= 0 and finite; 0 < beta < 1; warmup_steps an integer >=
    0, where 0 means none.

Choices
    As in every library x is not stored: with x = (y - (1 - beta) z) / beta the three lines give
    y_{t+1} = (1 - c_t) y_t + c_t z_t - gamma_t (1 - beta (1 - c_t)) d_t.
    form: so as in schedulefree ("direct"), or, as in optax, by recovering x from y and z at every
    step, averaging it and mixing it with the new z ("through_x"), equal but for rounding.
    The paper's weights are gamma_t^2: r = 0, weight_lr_power = 2; the largest gamma so far is its
    gamma_t as long as the rate is not lowered from outside.
    decay: the paper's experiments and schedulefree decay at y. optax has no r, and counts its
    warm-up from 0 but the weights from 1, so that a first rate of 0 has a positive weight. c_t = 0
    where all weights are zero, as for lr = 0.

Special cases
    g = 0 from the start, without decay, leaves y = z = x. nan in g poisons that element for ever.
    Empty tensors stay empty and advance t.

Judged
    p, z, weight_sum and lr_max by the bounded contract, t exactly.

Sources
    A. Defazio et al., "The Road Less Scheduled", NeurIPS 2024 (arXiv:2405.15682), equations (3) to
    (5). The authors' schedulefree 1.4.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import POWER, Count, Decay, Number, Point, Rate, Real, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# Each element is updated by itself, but weight_sum and lr_max are one for a whole tensor.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "form": {
        "direct": "y moved without x",
        "through_x": "x recovered from y and z, averaged, and mixed with z",
    }
}


class Hyper(declared.Hyper):
    """Hyperparameters of Schedule-Free SGD; names and defaults are schedulefree's."""

    lr: Rate = 1.0
    beta: Annotated[float, Real(0.0, 1.0, "both", (0.9, 0.999, 0.95, 0.5))] = 0.9
    weight_decay: Decay = 0.0
    r: Annotated[float, Real(0.0, POWER, usual=(0.0, 0.5, 1.0))] = 0.0
    weight_lr_power: Annotated[float, Real(0.0, POWER, usual=(2.0, 1.0, 0.0))] = 2.0
    warmup_steps: Annotated[int, Count(0, (0, 3, 100))] = 0
    maximize: Switch = False
    form: Literal["direct", "through_x"] = "direct"


class State(declared.State):
    """The sequence z, the sum of weights, the largest rate so far, and the counter t."""

    t: int
    z: Point
    weight_sum: Number
    lr_max: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: z = p, nothing weighed, t = 0."""
    return State(t=0, z=p, weight_sum=np.zeros(()), lr_max=np.zeros(()))


def average(h: Hyper, s: State, p: Array) -> Array:
    """The averaged iterate x, at which the model is evaluated; p is y."""
    return (p - (1 - h.beta) * s.z) / h.beta


def weighed(h: Hyper, s: State, gamma: Array) -> tuple[Array, Array, Array]:
    """The weight c of the new z in the average, the new sum of weights and the largest rate."""
    lr_max = np.maximum(s.lr_max, gamma)
    w = (s.t + 1) ** h.r * lr_max**h.weight_lr_power
    weight_sum = s.weight_sum + w
    c = np.where(weight_sum == 0, 0.0, w / np.where(weight_sum == 0, 1.0, weight_sum))
    return c, weight_sum, lr_max


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at y = p with gradient g: the new state and the new y."""
    t = s.t + 1
    if h.maximize:
        g = -g
    gamma = h.lr * min(1.0, t / h.warmup_steps) if h.warmup_steps else h.lr
    d = g + h.weight_decay * p
    c, weight_sum, lr_max = weighed(h, s, gamma)
    z = s.z - gamma * d
    if h.form == "direct":
        p = (1 - c) * p + c * s.z - gamma * (1 - h.beta * (1 - c)) * d
    else:
        x = (1 - c) * average(h, s, p) + c * z
        p = h.beta * x + (1 - h.beta) * z
    return State(t=t, z=z, weight_sum=weight_sum, lr_max=lr_max), p
