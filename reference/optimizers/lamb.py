"""LAMB, Adam with layer-wise trust ratios (You et al. 2020).

Over 120 lines: the libraries' choices, and the trust ratio by each of them.

Rule
    g_t = -g when maximizing, else g
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    r_t = m_t / (1 - beta1^t) / (sqrt(v_t / (1 - beta2^t)) + eps)
    update = r_t + weight_decay p_{t-1}
    trust = |p_{t-1}| / |update|
    p_t = p_{t-1} - lr trust update

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included; the norms run over the whole tensor
    (one layer). t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    bias_correction: "both" moments (the paper from its fourth version on), "none" (earlier
    versions, torch_optimizer), or "after_ratio": the ratio is taken without, then lr is multiplied
    by sqrt(1 - beta2^t) / (1 - beta1^t) (DeepSpeed's CUDA kernel).
    clip: the paper's phi is the identity in practice ("none"); |p| at most 10 ("norm_10",
    torch_optimizer); trust at most 1 ("ratio_1", timm's trust_clip); trust where it
    is below 1 and else 1, for nan too ("below_1", bitsandbytes with its default max_unorm); trust
    in [0.01, 10] ("ratio_0.01_10", DeepSpeed).
    decay: inside the norm ("in_ratio"); Keras shrinks p by (1 - lr weight_decay) first and leaves
    the decay out of the ratio ("before"); bitsandbytes does so once |p| is taken ("after_norm").
    guard: the paper's trust is 0 for a zero p, which then never moves ("zero"); libraries set it
    to 1 where either norm is 0 ("one"), Keras where either is not positive, nan too ("positive").
    adapts: "always", or only with weight decay, as timm and apex do ("with_decay").
    ratio: of the two norms ("norms"); pytorch-optimizer adds eps to the one that divides ("eps").
    The global gradient clipping that apex and timm build in is a separate rule.

Special cases
    g = 0 from the start with no decay leaves p as it is. nan or inf anywhere in p or g makes the
    whole tensor nan, unless trust is then 1. Empty tensors stay empty and advance t.

Judged
    p, m and v by the bounded contract, t exactly.

Sources
    Y. You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes", ICLR
    2020 (arXiv:1904.00962), Algorithm 2.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Second, Switch
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array

# The norms run over the whole tensor.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "adapts": {
        "always": "trust ratio applied to every tensor",
        "with_decay": "trust ratio applied only with weight decay",
    },
    "bias_correction": {
        "both": "both moments corrected for their zero start",
        "none": "moments not corrected for their zero start",
        "after_ratio": "corrections multiply lr, outside the trust ratio",
    },
    "clip": {
        "none": "trust ratio not limited",
        "norm_10": "norm of p limited to 10",
        "ratio_1": "trust ratio limited to 1",
        "below_1": Departure("trust ratio where it is below 1, else 1"),
        "ratio_0.01_10": "trust ratio limited to [0.01, 10]",
    },
    "decay": {
        "in_ratio": "weight decay inside the trust ratio's norm",
        "before": "weight decay, multiplied by lr, before the step",
        "after_norm": Departure(
            "weight decay, multiplied by lr, before the step but after the norm of p"
        ),
    },
    "guard": {
        "zero": "trust ratio 0 for a zero tensor",
        "one": "trust ratio 1 where a norm is zero",
        "positive": "trust ratio 1 where a norm is not positive, or nan",
    },
    "ratio": {
        "norms": "trust ratio of the two norms",
        "eps": "trust ratio of the two norms, eps added to the update's",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of LAMB; the defaults of the numbers are the authors' code's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-6
    weight_decay: Decay = 1e-2
    maximize: Switch = False
    adapts: Literal["always", "with_decay"] = "always"
    bias_correction: Literal["both", "none", "after_ratio"] = "both"
    clip: Literal["none", "norm_10", "ratio_1", "below_1", "ratio_0.01_10"] = "none"
    decay: Literal["in_ratio", "before", "after_norm"] = "in_ratio"
    guard: Literal["zero", "one", "positive"] = "zero"
    ratio: Literal["norms", "eps"] = "norms"


class State(declared.State):
    """Moments m and v, shaped like p, and the number t of steps made."""

    t: int
    m: First
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p))


def trust_ratio(h: Hyper, p: Array, update: Array) -> Array:
    """The 0-d factor of the tensor's step."""
    p_norm = np.sqrt(np.sum(p * p))
    update_norm = np.sqrt(np.sum(update * update))
    numerator = np.minimum(p_norm, 10.0) if h.clip == "norm_10" else p_norm
    # Asked for zeros, not for positive numbers: a nan stays one.
    divisor = np.where(update_norm == 0, 1.0, update_norm)
    ratio = numerator / (divisor if h.ratio == "norms" else divisor + h.eps)
    if h.clip == "ratio_1":
        ratio = np.minimum(ratio, 1.0)
    elif h.clip == "below_1":
        ratio = np.where(ratio < 1, ratio, 1.0)
    elif h.clip == "ratio_0.01_10":
        ratio = np.minimum(np.maximum(ratio, 0.01), 10.0)
    if h.guard == "one":
        ratio = np.where(p_norm == 0, 1.0, np.where(update_norm == 0, 1.0, ratio))
    elif h.guard == "positive":
        ratio = np.where(p_norm > 0, np.where(update_norm > 0, ratio, 1.0), 1.0)
    return ratio if h.adapts == "always" else np.where(h.weight_decay > 0, ratio, 1.0)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    if h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    m = h.beta1 * s.m + (1 - h.beta1) * g
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    if h.bias_correction == "both":
        update = m / (1 - h.beta1**t) / (np.sqrt(v / (1 - h.beta2**t)) + h.eps)
    else:
        update = m / (np.sqrt(v) + h.eps)
    if h.decay == "in_ratio":
        update = update + h.weight_decay * p
    move = h.lr * trust_ratio(h, p, update) * update
    if h.bias_correction == "after_ratio":
        move = move * (np.sqrt(1 - h.beta2**t) / (1 - h.beta1**t))
    if h.decay == "after_norm":
        p = p * (1 - h.lr * h.weight_decay)
    return State(t=t, m=m, v=v), p - move
