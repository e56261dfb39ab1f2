"""LARS, layer-wise adaptive rate scaling (You, Gitman & Ginsburg 2017).

Over 120 lines: the libraries' choices, and the trust ratio by each of them.

Rule
    g_t = -g when maximizing, else g
    trust = trust_coefficient |p_{t-1}| / (|g_t| + weight_decay |p_{t-1}| + eps)
    b_t = momentum b_{t-1} + lr trust (g_t + weight_decay p_{t-1})
    p_t = p_{t-1} - b_t

Shapes
    p, g, b: one shape, any rank, 0-d and empty included; the norms run over the whole tensor (one
    layer). t: the number of steps made.

Domain
    lr, trust_coefficient, weight_decay, eps >= 0 and finite; 0 <= momentum < 1.

Choices
    ratio: the paper divides by the sum of two norms ("sum_of_norms"); optax by the norm of the
    sum, |g + weight_decay p| ("norm_of_sum").
    guard: the paper's ratio is 0 for a zero p, which then never moves ("zero"; 0/0 read as 0);
    libraries set it to 1 where either norm is 0 ("one"), pytorch-optimizer unless |p| and the whole
    divisor are positive ("divisor": 1 for nan too). torch_optimizer leaves out the decay as well
    where either norm is 0 ("undecayed").
    momentum_form: lr scales what enters the buffer ("lr_inside", the paper and optax), or the
    buffer ("lr_outside": timm, pytorch-optimizer); bitsandbytes scales the buffer by the trust
    ratio too, in which it takes the gradient's place ("trust_outside": b_t = momentum b_{t-1} +
    g_t + weight_decay p_{t-1}, p_t = p_{t-1} - lr trust b_t).
    clip: the paper does not limit trust ("none"); bitsandbytes, whose max_unorm is the
    trust_coefficient, takes it where it is below 1 and else 1, for nan too ("below_1").
    adapts: on every tensor ("always"), or only with weight decay, as timm does ("with_decay").
    The paper has no eps; eps = 0 is the paper.

Special cases
    g = 0 moves p by decay and momentum. nan or inf anywhere in p or g makes the whole tensor nan,
    unless trust is then 1. Empty tensors stay empty and advance t.

Judged
    p and b by the bounded contract, t exactly.

Sources
    Y. You, I. Gitman, B. Ginsburg, "Large Batch Training of Convolutional Networks"
    (arXiv:1708.03888), Algorithm 1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Decay, Epsilon, Momentum, Rate, Real, Step, Switch
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

# The norms run over the whole tensor.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "adapts": {
        "always": "trust ratio applied to every tensor",
        "with_decay": "trust ratio applied only with weight decay",
    },
    "clip": {
        "none": "trust ratio not limited",
        "below_1": Departure("trust ratio where it is below 1, else 1"),
    },
    "guard": {
        "zero": "trust ratio 0 for a zero tensor",
        "one": "trust ratio 1 where a norm is zero",
        "divisor": "trust ratio 1 unless tensor and divisor are positive",
        "undecayed": Departure("trust ratio 1 where a norm is zero, and no decay there"),
    },
    "momentum_form": {
        "lr_inside": "lr multiplies the step as it enters the momentum buffer",
        "lr_outside": "lr multiplies the momentum buffer",
        "trust_outside": Departure(
            "lr and the buffer's own trust ratio multiply the momentum buffer"
        ),
    },
    "ratio": {
        "sum_of_norms": "divided by the norm of the gradient plus that of the decay",
        "norm_of_sum": "divided by the norm of the gradient with its decay",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of LARS; trust_coefficient and momentum are the paper's."""

    lr: Rate = 1.0
    momentum: Momentum = 0.9
    trust_coefficient: Annotated[float, Real(0.0, usual=(1e-3, 0.02, 1.0))] = 1e-3
    weight_decay: Decay = 0.0
    eps: Epsilon = 0.0
    maximize: Switch = False
    adapts: Literal["always", "with_decay"] = "always"
    clip: Literal["none", "below_1"] = "none"
    guard: Literal["zero", "one", "divisor", "undecayed"] = "zero"
    momentum_form: Literal["lr_inside", "lr_outside", "trust_outside"] = "lr_inside"
    ratio: Literal["sum_of_norms", "norm_of_sum"] = "sum_of_norms"


class State(declared.State):
    """Momentum buffer b, shaped like p, and the number t of steps made."""

    t: int
    b: Step


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: a zero buffer shaped like p, t = 0."""
    return State(t=0, b=np.zeros_like(p))


def trust_ratio(h: Hyper, p: Array, g: Array, decayed: Array) -> Array:
    """The 0-d factor of the tensor's step; g is still without decay."""
    p_norm = np.sqrt(np.sum(p * p))
    if h.ratio == "sum_of_norms":
        g_norm = np.sqrt(np.sum(g * g))
        divisor = g_norm + h.weight_decay * p_norm + h.eps
    else:
        g_norm = np.sqrt(np.sum(decayed * decayed))
        divisor = g_norm + h.eps
    # Asked for zeros, not for positive numbers: a nan stays one.
    ratio = h.trust_coefficient * p_norm / np.where(divisor == 0, 1.0, divisor)
    if h.clip == "below_1":
        ratio = np.where(ratio < 1, ratio, 1.0)
    if h.guard in ("one", "undecayed"):
        ratio = np.where(p_norm == 0, 1.0, np.where(g_norm == 0, 1.0, ratio))
    elif h.guard == "divisor":
        ratio = np.where(p_norm > 0, np.where(divisor > 0, ratio, 1.0), 1.0)
    return ratio if h.adapts == "always" else np.where(h.weight_decay > 0, ratio, 1.0)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    if h.maximize:
        g = -g
    decay: Array | float = h.weight_decay
    if h.guard == "undecayed":
        decay = np.where(np.sum(g * g) == 0, 0.0, decay)
    decayed = g + decay * p
    if h.momentum_form == "lr_inside":
        b = h.momentum * s.b + h.lr * (trust_ratio(h, p, g, decayed) * decayed)
        p = p - b
    elif h.momentum_form == "lr_outside":
        b = h.momentum * s.b + trust_ratio(h, p, g, decayed) * decayed
        p = p - h.lr * b
    else:
        b = h.momentum * s.b + decayed
        p = p - h.lr * (trust_ratio(h, p, b, b) * b)
    return State(t=s.t + 1, b=b), p
