"""AdamW: Adam with decoupled weight decay (Loshchilov & Hutter 2019).

Over 120 lines: the libraries' choices of decay, of eps and of the average.

Rule
    g_t = -g when maximizing, else g
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    m_hat = m_t / (1 - beta1^t)
    v_hat = v_t / (1 - beta2^t)
    p_t = p_{t-1} - (lr m_hat / (sqrt(v_hat) + eps) + weight_decay p_{t-1})

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    eps: the paper's Algorithm 2 adds it to the root of the corrected moment ("outside").
    TensorFlow, Keras, GaLore and APOLLO add it before the correction ("before_correction", the
    "epsilon hat" of Kingma & Ba, end of section 2); optax's eps_root sits "inside" the root;
    "floor" takes the larger of root and eps. bias_correction: of the moments ("moments"); HeavyBall
    keeps m and v divided, as averages whose new part weighs (1 - beta) / (1 - beta^t)
    ("in_average"). decay: the paper multiplies the decay by the schedule
    alone, not by lr ("unscaled"). PyTorch and most libraries shrink p by (1 - lr weight_decay)
    first ("before"); bitsandbytes' CUDA kernels, GaLore and APOLLO shrink the moved p ("after").
    optax adds weight_decay p to the update that lr multiplies ("in_step"), "before" but for its
    rounding, as is torchao's p - lr weight_decay p. Cautious decay shrinks "before", and only where
    the update does not lead away from zero, u p >= 0 ("cautious": Chen et al. 2025, heavyball).

Special cases
    g = 0 from the start leaves m = v = 0 and moves p by the decay alone; with eps = 0 it is 0/0,
    nan. nan in g poisons that element's m, v and p for ever; inf gives m = +-inf, v = inf and p =
    nan. Empty tensors stay empty and advance t.

Judged
    p, m and v by the bounded contract, t exactly.

Sources
    I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019
    (arXiv:1711.05101), Algorithm 2, lines 6-12. D. P. Kingma, J. Ba, "Adam", ICLR 2015
    (arXiv:1412.6980), Algorithm 1.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "bias_correction": {
        "moments": "moments corrected for their zero start",
        "in_average": "moments kept as they are when corrected",
    },
    "decay": {
        "unscaled": "weight decay not multiplied by lr",
        "before": "weight decay, multiplied by lr, before the step",
        "after": "weight decay, multiplied by lr, after the step",
        "in_step": "weight decay, multiplied by lr, in one sum with the step",
        "cautious": "weight decay, multiplied by lr, where the step goes towards zero",
    },
    "eps_placement": {
        "outside": "eps added to the root of the corrected second moment",
        "before_correction": "eps added to the root before bias correction",
        "inside": "eps added inside the root",
        "floor": "eps as a floor of the root",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of AdamW: PyTorch's default numbers, the paper's dialects."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-8
    weight_decay: Decay = 1e-2
    maximize: Switch = False
    decay: Literal["unscaled", "before", "after", "in_step", "cautious"] = "unscaled"
    bias_correction: Literal["moments", "in_average"] = "moments"
    eps_placement: Literal["outside", "before_correction", "inside", "floor"] = "outside"


class State(declared.State):
    """Moments m and v, shaped like p, and the number t of steps made."""

    t: int
    m: First
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p))


def in_average(beta: Array, t: int, old: Array, new: Array) -> Array:
    """The corrected average after one more, from the corrected one before."""
    weight = (1 - beta) / (1 - beta**t)
    return (1 - weight) * old + weight * new


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    m = h.beta1 * s.m + (1 - h.beta1) * g
    v = h.beta2 * s.v + (1 - h.beta2) * (g * g)
    m_hat = m / (1 - h.beta1**t)
    v_hat = v / (1 - h.beta2**t)
    if h.bias_correction == "in_average":
        m_hat, v_hat = in_average(h.beta1, t, s.m, g), in_average(h.beta2, t, s.v, g * g)
        v = v_hat * (1 - h.beta2**t)
    if h.eps_placement == "outside":
        update = m_hat / (np.sqrt(v_hat) + h.eps)
    elif h.eps_placement == "before_correction":
        update = m_hat * np.sqrt(1 - h.beta2**t) / (np.sqrt(v) + h.eps)
    elif h.eps_placement == "inside":
        update = m_hat / np.sqrt(v_hat + h.eps)
    else:
        update = m_hat / np.maximum(np.sqrt(v_hat), h.eps)
    if h.decay == "unscaled":
        p = p - (h.lr * update + h.weight_decay * p)
    elif h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay) - h.lr * update
    elif h.decay == "in_step":
        p = p - h.lr * (update + h.weight_decay * p)
    elif h.decay == "cautious":
        shrunk = p * (1 - h.lr * h.weight_decay)
        p = np.where(update * p >= 0, shrunk, p) - h.lr * update
    else:
        p = (p - h.lr * update) * (1 - h.lr * h.weight_decay)
    if h.bias_correction == "in_average":
        m, v = m_hat, v_hat
    return State(t=t, m=m, v=v), p
