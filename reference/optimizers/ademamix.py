"""AdEMAMix, AdamW with a second, slow average of gradients (Pagliardini, Ablin & Grangier 2024).

Over 120 lines: the two warm-ups, and the libraries' choices.

Rule
    g_t = -g when maximizing, else g
    alpha_t = min(t alpha / alpha_warmup, alpha)
    beta3_t = min(exp(ln beta1 ln beta3 / ((1 - t/T) ln beta3 + (t/T) ln beta1)), beta3)
    with T = beta3_warmup
    m1_t = beta1 m1_{t-1} + (1 - beta1) g_t
    m2_t = beta3_t m2_{t-1} + (1 - beta3_t) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    m1_hat = m1_t / (1 - beta1^t);  v_hat = v_t / (1 - beta2^t)
    p_t = p_{t-1} - lr ((m1_hat + alpha_t m2_t) / (sqrt(v_hat) + eps) + weight_decay p_{t-1})

Shapes
    p, g, m1, m2, v: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, alpha, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1; 0 <= beta3 < 1; with a
    warm-up of beta3, which rises from beta1, 0 < beta1 <= beta3; alpha_warmup, beta3_warmup
    integers >= 0, where 0 means none.

Choices
    m2 is not corrected for its start. With alpha = 0 this is AdamW with the decay before the step.
    Since beta3^2 > beta2 in practice, steps are not bounded: after the gradients stop, m2 / sqrt(v)
    grows.
    alpha: the authors' code has 2, optax, bitsandbytes and pytorch-optimizer 5.
    bias_correction: of m1 and v ("moments"); HeavyBall keeps them divided, as averages whose new
    part weighs (1 - beta) / (1 - beta^t) ("in_average").
    counter: the authors' schedules begin at t = 1 ("from_one"); optax's at 0 ("from_zero"). The
    authors' schedule of beta3 adds 1e-8 to both betas within its logarithms, which is left out.
    decay: as above, in one sum with the step ("in_step"); as a factor of p_{t-1} ("before", the
    same but for its rounding: HeavyBall, pytorch-optimizer); bitsandbytes' CUDA kernels shrink the
    moved p ("after"); pytorch-optimizer adds it to the gradient unless told otherwise ("coupled").
    eps_placement: "outside" the root, optax's eps_root "inside" it, or as its "floor" (HeavyBall).

Special cases
    g = 0 from the start moves p by the decay alone; with eps = 0 it is 0/0, nan. nan in g poisons
    that element for ever. Empty tensors stay empty and advance t.

Judged
    p, m1, m2 and v by the bounded contract, t exactly.

Sources
    M. Pagliardini, P. Ablin, D. Grangier, "The AdEMAMix Optimizer: Better, Faster, Older", ICLR
    2025 (arXiv:2409.03137), Algorithm 1. The authors' ml-ademamix.
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
from truestep.reference.validation import Array, require_ordered

FACTS = Facts(elementwise=True)
DIALECTS = {
    "bias_correction": {
        "moments": "fast average and second moment corrected for their zero start",
        "in_average": "fast average and second moment kept as they are when corrected",
    },
    "counter": {
        "from_one": "schedules of alpha and beta3 begin at 1",
        "from_zero": "schedules of alpha and beta3 begin at 0",
    },
    "decay": {
        "in_step": "weight decay, multiplied by lr, in one sum with the step",
        "before": "weight decay, multiplied by lr, before the step",
        "after": "weight decay, multiplied by lr, after the step",
        "coupled": "weight decay added to the gradient",
    },
    "eps_placement": {
        "outside": "eps added to the root of the corrected second moment",
        "inside": "eps added inside the root",
        "floor": "eps as a floor of the root",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of AdEMAMix; the defaults of the numbers are optax's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    beta3: Annotated[float, Real(0.0, 1.0, "high")] = 0.9999
    alpha: Annotated[float, Real(0.0, usual=(0.99, 0.9, 0.75, 0.5))] = 5.0
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    alpha_warmup: Annotated[int, Count(0, (0, 50))] = 0
    beta3_warmup: Annotated[int, Count(0, (0, 500))] = 0
    maximize: Switch = False
    bias_correction: Literal["moments", "in_average"] = "moments"
    counter: Literal["from_one", "from_zero"] = "from_one"
    decay: Literal["in_step", "before", "after", "coupled"] = "in_step"
    eps_placement: Literal["outside", "inside", "floor"] = "outside"

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        if self.beta3_warmup:
            for field in ("beta1", "beta3"):
                Real(0.0, open="low").check(field, getattr(self, field))
            require_ordered(self, "beta1", "beta3")


class State(declared.State):
    """Fast and slow averages m1 and m2, second moment v, shaped like p, and the counter t."""

    t: int
    m1: First
    m2: First
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments shaped like p, t = 0."""
    zeros = np.zeros_like(p)
    return State(t=0, m1=zeros, m2=zeros, v=zeros)


def mixing(h: Hyper, k: int) -> tuple[Array, Array]:
    """alpha and beta3 at count k of their schedules."""
    alpha, beta3 = h.alpha, h.beta3
    if h.alpha_warmup and k < h.alpha_warmup:
        alpha = h.alpha * (k / h.alpha_warmup)
    if h.beta3_warmup and k < h.beta3_warmup:
        done = k / h.beta3_warmup
        fast, slow = np.log(h.beta1), np.log(h.beta3)
        beta3 = np.minimum(np.exp(fast * slow / ((1 - done) * slow + done * fast)), h.beta3)
    return alpha, beta3


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
    alpha, beta3 = mixing(h, t if h.counter == "from_one" else s.t)
    m1 = h.beta1 * s.m1 + (1 - h.beta1) * g
    m2 = beta3 * s.m2 + (1 - beta3) * g
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    m1_hat = m1 / (1 - h.beta1**t)
    v_hat = v / (1 - h.beta2**t)
    if h.bias_correction == "in_average":
        m1 = m1_hat = in_average(h.beta1, t, s.m1, g)
        v = v_hat = in_average(h.beta2, t, s.v, g * g)
    if h.eps_placement == "outside":
        root = np.sqrt(v_hat) + h.eps
    elif h.eps_placement == "inside":
        root = np.sqrt(v_hat + h.eps)
    else:
        root = np.maximum(np.sqrt(v_hat), h.eps)
    update = (m1_hat + alpha * m2) / root
    if h.decay == "in_step":
        p = p - h.lr * (update + h.weight_decay * p)
    elif h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay) - h.lr * update
    elif h.decay == "after":
        p = (p - h.lr * update) * (1 - h.lr * h.weight_decay)
    else:
        p = p - h.lr * update
    return State(t=t, m1=m1, m2=m2, v=v), p
