"""AdaHessian, Adam on an average of the Hessian's diagonal, squared (Yao et al. 2021).

Rule
    g_t = -g when maximizing, else g
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    every period steps, the first included, with the estimate e_t of the Hessian's diagonal:
        v_t = beta2 v_{t-1} + (1 - beta2) e_t^2;  v_t = v_{t-1} in the other steps
    m_hat, v_hat = m_t / (1 - beta1^t), v_t / (1 - beta2^t)
    p_t = p_{t-1} (1 - lr weight_decay) - lr m_hat / (sqrt(v_hat)^hessian_power + eps)

Shapes
    p, g, estimate, m, v: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 < hessian_power <= 1; 0 <= beta1, beta2 < 1; period an
    integer >= 1.

Choices
    The estimate is the caller's, and of the function that is minimized: Hutchinson's, as of Sophia,
    averaged over a kernel's window where the paper does so. It is not read in steps that refresh
    nothing. eps is the authors' code's; the correction of v counts all steps.
    decay: "before" as above; added to the step, "before" but for its rounding ("in_step", the
    authors' code), added to the gradient ("coupled"), or without lr ("unscaled").

Special cases
    The estimate's sign does not show. Where v is zero p moves by lr m_hat / eps; with eps = 0 a
    zero gradient is 0/0 there, nan. nan in g or in a used estimate poisons that element for ever.
    Empty tensors stay empty and advance t.

Judged
    p, m and v by the bounded contract, t exactly.

Sources
    Z. Yao et al., "ADAHESSIAN: An Adaptive Second Order Optimizer for Machine Learning", AAAI 2021
    (arXiv:2006.00719), Algorithm 2. The authors' code, amirgholami/adahessian, as torch-optimizer
    0.3 has it; pytorch-optimizer 4.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Beta,
    Count,
    Decay,
    Epsilon,
    First,
    Rate,
    Real,
    Second,
    Switch,
)
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True, inputs={"estimate": lambda shape: shape})
DIALECTS = {
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
        "in_step": "weight decay, multiplied by lr, in one sum with the step",
        "unscaled": "weight decay, not multiplied by lr, before the step",
    }
}


class Hyper(declared.Hyper):
    """Hyperparameters of AdaHessian; the defaults are the authors', the power the paper's."""

    lr: Rate = 0.15
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-4
    weight_decay: Decay = 0.0
    hessian_power: Annotated[float, Real(0.0, 1.0, "low", (1.0, 0.5, 0.75))] = 1.0
    period: Annotated[int, Count(1, (1, 2, 5))] = 1
    maximize: Switch = False
    decay: Literal["before", "coupled", "in_step", "unscaled"] = "before"


class State(declared.State):
    """Mean m and squares v of the Hessian's diagonal, shaped like p, and the counter t."""

    t: int
    m: First
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero averages shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array, *, estimate: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    m, v = h.beta1 * s.m + (1 - h.beta1) * g, s.v
    if s.t % h.period == 0:
        v = h.beta2 * s.v + (1 - h.beta2) * (estimate * estimate)
    m_hat, v_hat = m / (1 - h.beta1**t), v / (1 - h.beta2**t)
    u = m_hat / (np.sqrt(v_hat) ** h.hessian_power + h.eps)
    if h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    elif h.decay == "unscaled":
        p = p * (1 - h.weight_decay)
    elif h.decay == "in_step":
        u = u + h.weight_decay * p
    return State(t=t, m=m, v=v), p - h.lr * u
