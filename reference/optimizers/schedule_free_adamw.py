"""Schedule-Free AdamW: an Adam-scaled step, averaged online (Defazio et al. 2024).

Over 120 lines: three sequences, and their weights by rate, step and rectification.

Rule
    y_t = (1 - beta1) z_t + beta1 x_t, where the gradient g_t is taken
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    gamma_t = lr sqrt(1 - beta2^t) min(1, t / warmup_steps)
    d_t = g_t / (sqrt(v_t) + eps) + weight_decay y_t, with -g_t when maximizing
    z_{t+1} = z_t - gamma_t d_t
    w_t = t^r (max of gamma_1..gamma_t)^weight_lr_power
    c_t = w_t / (w_1 + ... + w_t)
    x_{t+1} = (1 - c_t) x_t + c_t z_{t+1}

Shapes
    p, g, z, v: one shape, any rank, 0-d and empty included. p is y, the point of the gradient; x,
    what the method returns, is average(h, s, p). weight_sum, lr_max: 0-d. t: the number of steps
    made.

Domain
    lr, eps, weight_decay, r, weight_lr_power >= 0 and finite; 0 < beta1 < 1; 0 <= beta2 < 1;
    warmup_steps an integer >= 0, where 0 means none.

Choices
    As in every library x is not stored: with x = (y - (1 - beta1) z) / beta1 the three lines give
    y_{t+1} = (1 - c_t) y_t + c_t z_t - gamma_t (1 - beta1 (1 - c_t)) d_t.
    form: so as in schedulefree ("direct"), or, as in optax, by recovering x from y and z at every
    step, averaging it and mixing it with the new z ("through_x"), equal but for rounding.
    bias_correction: in the paper the "rate" carries sqrt(1 - beta2^t), in the weights w_t too
    (AdamWScheduleFreePaper); schedulefree's AdamWScheduleFree, optax and pytorch-optimizer correct
    the "moment", v_t / (1 - beta2^t), and eps is added to that root. HeavyBall keeps v divided, as
    an average whose new part weighs (1 - beta2) / (1 - beta2^t) ("in_average").
    eps_placement: "outside" the root, or as its "floor" (HeavyBall).
    rectification: none in the paper; schedulefree's RAdamScheduleFree multiplies the rate by
    RAdam's r_t, and until rho_t > 4 by 0 ("silent"), or by 1 with g_t in the place of the quotient
    ("plain", its silent_sgd_phase=False). rho_t and r_t are those of the rule radam.
    The paper's weights are gamma_t^2: r = 0, weight_lr_power = 2; the largest gamma so far is its
    gamma_t as long as the rate is not lowered from outside. Decay acts at y.
    c_t = 0 where all weights are zero, as for lr = 0.

Special cases
    g = 0 from the start, without decay, leaves y = z = x; with eps = 0 it is 0/0, nan. nan in g
    poisons that element for ever. Empty tensors stay empty and advance t.

Judged
    p, z, v, weight_sum and lr_max by the bounded contract, t exactly.

Sources
    A. Defazio et al., "The Road Less Scheduled", NeurIPS 2024 (arXiv:2405.15682), Algorithm 1. The
    authors' schedulefree 1.4.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    POWER,
    Beta,
    Count,
    Decay,
    Epsilon,
    Number,
    Point,
    Rate,
    Real,
    Second,
    Switch,
)
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# Each element is updated by itself, but weight_sum and lr_max are one for a whole tensor.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "bias_correction": {
        "rate": "correction of the second moment multiplies lr, in the averaging weights too",
        "moment": "second moment corrected for its zero start",
        "in_average": "second moment kept as it is when corrected",
    },
    "eps_placement": {
        "outside": "eps added to the root of the second moment",
        "floor": "eps as a floor of the root",
    },
    "form": {
        "direct": "y moved without x",
        "through_x": "x recovered from y and z, averaged, and mixed with z",
    },
    "rectification": {
        "none": "rate not rectified",
        "silent": "rate rectified as RAdam's, zero until adaptive",
        "plain": "rate rectified as RAdam's, steps by the gradient until adaptive",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of Schedule-Free AdamW; the defaults of the numbers are schedulefree's."""

    lr: Rate = 2.5e-3
    beta1: Annotated[
        float, Real(0.0, 1.0, "both", (0.9, 0.99, 0.999, 0.95, 0.8, 0.5, 0.9999, 0.3))
    ] = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    r: Annotated[float, Real(0.0, POWER, usual=(0.0, 0.5, 1.0))] = 0.0
    weight_lr_power: Annotated[float, Real(0.0, POWER, usual=(2.0, 1.0, 0.0))] = 2.0
    warmup_steps: Annotated[int, Count(0, (0, 3, 100))] = 0
    maximize: Switch = False
    bias_correction: Literal["rate", "moment", "in_average"] = "rate"
    eps_placement: Literal["outside", "floor"] = "outside"
    form: Literal["direct", "through_x"] = "direct"
    rectification: Literal["none", "silent", "plain"] = "none"


class State(declared.State):
    """The sequence z, the second moment v, the sum of weights, the largest rate, the counter t."""

    t: int
    z: Point
    v: Second
    weight_sum: Number
    lr_max: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: z = p, zero moment, nothing weighed, t = 0."""
    zero = np.zeros(())
    return State(t=0, z=p, v=np.zeros_like(p), weight_sum=zero, lr_max=zero)


def average(h: Hyper, s: State, p: Array) -> Array:
    """The averaged iterate x, at which the model is evaluated; p is y."""
    return (p - (1 - h.beta1) * s.z) / h.beta1


def weighed(h: Hyper, s: State, gamma: Array | float) -> tuple[Array, Array, Array]:
    """The weight c of the new z in the average, the new sum of weights and the largest rate."""
    lr_max = np.maximum(s.lr_max, gamma)
    w = (s.t + 1) ** h.r * lr_max**h.weight_lr_power
    weight_sum = s.weight_sum + w
    c = np.where(weight_sum == 0, 0.0, w / np.where(weight_sum == 0, 1.0, weight_sum))
    return c, weight_sum, lr_max


def rectified(h: Hyper, t: int) -> tuple[Array, Array]:
    """Whether RAdam's step t is adaptive, and the factor of its rate if it is."""
    rho_inf = 2 / (1 - h.beta2) - 1
    rho = rho_inf - 2 * t * h.beta2**t / (1 - h.beta2**t)
    adaptive = rho > 4
    # Before the threshold r is not used: 5 keeps its root real.
    a, b = np.where(adaptive, rho, 5.0), np.where(adaptive, rho_inf, 5.0)
    return adaptive, np.sqrt((a - 4) * (a - 2) * b / ((b - 4) * (b - 2) * a))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at y = p with gradient g: the new state and the new y."""
    t = s.t + 1
    if h.maximize:
        g = -g
    kept, new = h.beta2, 1 - h.beta2
    if h.bias_correction == "in_average":
        new = new / (1 - h.beta2**t)
        kept = 1 - new
    v = kept * s.v + new * (g * g)
    gamma: Array | float = h.lr * min(1.0, t / h.warmup_steps) if h.warmup_steps else h.lr
    if h.bias_correction == "rate":
        gamma = gamma * np.sqrt(1 - h.beta2**t)
    root = np.sqrt(v / (1 - h.beta2**t) if h.bias_correction == "moment" else v)
    root = root + h.eps if h.eps_placement == "outside" else np.maximum(root, h.eps)
    d = g / root
    if h.rectification != "none":
        adaptive, r = rectified(h, t)
        gamma = gamma * np.where(adaptive, r, 0.0 if h.rectification == "silent" else 1.0)
        d = np.where(adaptive, d, g)
    d = d + h.weight_decay * p
    c, weight_sum, lr_max = weighed(h, s, gamma)
    z = s.z - gamma * d
    if h.form == "direct":
        p = (1 - c) * p + c * s.z - gamma * (1 - h.beta1 * (1 - c)) * d
    else:
        x = (1 - c) * average(h, s, p) + c * z
        p = h.beta1 * x + (1 - h.beta1) * z
    return State(t=t, z=z, v=v, weight_sum=weight_sum, lr_max=lr_max), p
