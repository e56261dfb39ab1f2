"""AMSGrad: Adam whose second moment never decreases (Reddi, Kale & Kumar 2018).

Over 120 lines: the libraries' choices of decay, of eps and of the maximum.

Rule
    g_t = -g when maximizing, else g; then g_t + weight_decay p_{t-1}
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    v_max_t = max(v_max_{t-1}, v_t)
    p_t = p_{t-1} - lr m_t / (sqrt(v_max_t) + eps)

Shapes
    p, g, m, v, v_max: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1.

Choices
    eps: the paper has none; eps = 0 is the paper. It is added to the root ("outside"), or before
    the root is corrected as Keras does ("before_correction"), or "inside" it (optax's eps_root).
    bias_correction: the paper has none; PyTorch, Keras, optax and torchao correct "both" moments.
    maximum: taken over the "raw" second moment and corrected with the current step's factor
    (PyTorch, Keras, torchao), or over the "debiased" one (optax). With "raw" and correction the
    denominator can decrease: v_max stands still while 1 - beta2^t grows.
    decay: the paper has none; PyTorch's Adam adds weight_decay p to the gradient ("coupled"), its
    AdamW and the others shrink p by (1 - lr weight_decay) first ("before"); torchao subtracts
    lr weight_decay p ("in_step"), "before" but for its rounding.
    The paper's projection onto a feasible set is not taken.

Special cases
    g = 0 from the start without decay leaves m, v, v_max = 0 and p as it is; with eps = 0, nan.
    nan in g poisons that element's m, v, v_max and p for ever. Empty tensors stay empty, advance t.

Judged
    p, m, v and v_max by the bounded contract, t exactly.

Sources
    S. Reddi, S. Kale, S. Kumar, "On the Convergence of Adam and Beyond", ICLR 2018
    (arXiv:1904.09237), Algorithm 2.
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
        "none": "moments not corrected for their zero start",
        "both": "both moments corrected for their zero start",
    },
    "decay": {
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before the step",
        "in_step": "weight decay, multiplied by lr, in one sum with the step",
    },
    "eps_placement": {
        "outside": "eps added to the root of the second moment",
        "before_correction": "eps added to the root before bias correction",
        "inside": "eps added inside the root",
    },
    "maximum": {
        "raw": "maximum over second moments before bias correction",
        "debiased": "maximum over second moments after bias correction",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of AMSGrad: PyTorch's default numbers, the paper's dialects."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    maximize: Switch = False
    bias_correction: Literal["none", "both"] = "none"
    decay: Literal["coupled", "before", "in_step"] = "coupled"
    eps_placement: Literal["outside", "before_correction", "inside"] = "outside"
    maximum: Literal["raw", "debiased"] = "raw"


class State(declared.State):
    """Moments m, v and the largest v_max, shaped like p, and the number t of steps made."""

    t: int
    m: First
    v: Second
    v_max: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p), v_max=np.zeros_like(p))


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
    corrected = h.bias_correction == "both"
    m_hat = m / (1 - h.beta1**t) if corrected else m
    if h.maximum == "raw":
        v_max = np.maximum(s.v_max, v)
        v_hat = v_max / (1 - h.beta2**t) if corrected else v_max
    else:
        v_max = np.maximum(s.v_max, v / (1 - h.beta2**t) if corrected else v)
        v_hat = v_max
    if h.eps_placement == "outside":
        update = m_hat / (np.sqrt(v_hat) + h.eps)
    elif h.eps_placement == "before_correction":
        eps = h.eps / np.sqrt(1 - h.beta2**t) if corrected else h.eps
        update = m_hat / (np.sqrt(v_hat) + eps)
    else:
        update = m_hat / np.sqrt(v_hat + h.eps)
    if h.decay == "in_step":
        update = update + h.weight_decay * p
    return State(t=t, m=m, v=v, v_max=v_max), p - h.lr * update
