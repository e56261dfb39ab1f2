"""NAdam, Adam with Nesterov momentum (Dozat 2016).

Over 120 lines: the libraries' choices of decay, of eps and of the momentum's schedule.

Rule
    g_t = -g when maximizing, else g; then g_t + weight_decay p_{t-1}
    mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    mu_product_t = mu_product_{t-1} mu_t, mu_product_0 = 1
    m_hat = mu_{t+1} m_t / (1 - mu_product_t mu_{t+1}) + (1 - mu_t) g_t / (1 - mu_product_t)
    v_hat = v_t / (1 - beta2^t)
    p_t = p_{t-1} - lr m_hat / (sqrt(v_hat) + eps)

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. mu_product: 0-d. t: the number of
    steps.

Domain
    lr, eps, weight_decay, momentum_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    form: "scheduled" momentum is Dozat's and PyTorch's; Keras's is the same with momentum_decay =
    1. optax keeps the momentum at beta1 ("constant": m_hat = beta1 m_t / (1 - beta1^(t+1)) +
    (1 - beta1) g_t / (1 - beta1^t)); timm corrects both parts alike ("one_correction":
    m_hat = (beta1 m_t + (1 - beta1) g_t) / (1 - beta1^t)). In both mu_product stays 1.
    Dozat's m is averaged with mu_t; PyTorch, Keras and this file average with beta1.
    bias_correction: of v as above ("moment"); HeavyBall keeps v divided, as an average whose new
    part weighs (1 - beta2) / (1 - beta2^t) ("in_average").
    eps: added to the root ("outside"), "inside" it (optax's eps_root), or its "floor" (HeavyBall).
    decay: the paper has none; "coupled" is PyTorch's default, "before" its decoupled_weight_decay,
    Keras and timm; optax adds weight_decay p to the update that lr multiplies ("in_step").

Special cases
    g = 0 from the start leaves m = v = 0 and p as it is; with eps = 0 it is 0/0, nan.
    nan in g poisons that element for ever; inf makes p nan. Empty tensors stay empty, advance t.
    The first step is longer than lr.

Judged
    p, m, v and mu_product by the bounded contract, t exactly.

Sources
    T. Dozat, "Incorporating Nesterov Momentum into Adam", ICLR 2016 workshop, Algorithm 2, and its
    longer report of 2015 for the schedule of mu. PyTorch 2.13, torch.optim.NAdam.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Beta,
    Decay,
    Epsilon,
    First,
    Number,
    Rate,
    Real,
    Second,
    Switch,
)
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# The product of momenta is one number per tensor.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "bias_correction": {
        "moment": "second moment corrected for its zero start",
        "in_average": "second moment kept as it is when corrected",
    },
    "decay": {
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before the step",
        "in_step": "weight decay, multiplied by lr, in one sum with the step",
    },
    "eps_placement": {
        "outside": "eps added to the root of the corrected second moment",
        "inside": "eps added inside the root",
        "floor": "eps as a floor of the root",
    },
    "form": {
        "scheduled": "momentum grows with t, corrections by the product of momenta",
        "constant": "momentum beta1, look-ahead part corrected for one step more",
        "one_correction": "momentum beta1, both parts corrected alike",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of NAdam; names and defaults are PyTorch's."""

    lr: Rate = 2e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    momentum_decay: Annotated[float, Real(0.0, usual=(4e-3, 1.0, 0.1, 0.3))] = 4e-3
    maximize: Switch = False
    bias_correction: Literal["moment", "in_average"] = "moment"
    decay: Literal["coupled", "before", "in_step"] = "coupled"
    eps_placement: Literal["outside", "inside", "floor"] = "outside"
    form: Literal["scheduled", "constant", "one_correction"] = "scheduled"


class State(declared.State):
    """Moments m and v, shaped like p, the product of momenta, and the number t of steps made."""

    t: int
    m: First
    v: Second
    mu_product: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments, an empty product of momenta, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p), mu_product=np.ones(()))


def in_average(beta: Array, t: int, old: Array, new: Array) -> Array:
    """The corrected average after one more, from the corrected one before."""
    weight = (1 - beta) / (1 - beta**t)
    return (1 - weight) * old + weight * new


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    elif h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    m = h.beta1 * s.m + (1 - h.beta1) * g
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    mu_product = s.mu_product
    if h.form == "scheduled":
        mu = h.beta1 * (1 - 0.5 * 0.96 ** (t * h.momentum_decay))
        mu_next = h.beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * h.momentum_decay))
        mu_product = mu_product * mu
        m_hat = mu_next * m / (1 - mu_product * mu_next) + (1 - mu) * g / (1 - mu_product)
    elif h.form == "constant":
        m_hat = h.beta1 * m / (1 - h.beta1 ** (t + 1)) + (1 - h.beta1) * g / (1 - h.beta1**t)
    else:
        m_hat = (h.beta1 * m + (1 - h.beta1) * g) / (1 - h.beta1**t)
    v_hat = v / (1 - h.beta2**t)
    if h.bias_correction == "in_average":
        v = v_hat = in_average(h.beta2, t, s.v, g * g)
    if h.eps_placement == "outside":
        update = m_hat / (np.sqrt(v_hat) + h.eps)
    elif h.eps_placement == "inside":
        update = m_hat / np.sqrt(v_hat + h.eps)
    else:
        update = m_hat / np.maximum(np.sqrt(v_hat), h.eps)
    if h.decay == "in_step":
        update = update + h.weight_decay * p
    return State(t=t, m=m, v=v, mu_product=mu_product), p - h.lr * update
