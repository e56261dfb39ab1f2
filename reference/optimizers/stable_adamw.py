"""StableAdamW, AdamW with Adafactor's clipping of the update by its size (Wortsman et al. 2023).

Rule
    g_t = -g when maximizing, else g
    beta1_t = beta1 (1 - beta1^{t-1}) / (1 - beta1^t), beta2_t likewise
    m_t = beta1_t m_{t-1} + (1 - beta1_t) g_t
    v_t = beta2_t v_{t-1} + (1 - beta2_t) g_t^2
    RMS_t = sqrt(mean(g_t^2 / max(v_t, eps^2)))
    eta_t = lr / max(1, RMS_t / clip_threshold)
    p_t = p_{t-1} (1 - eta_t weight_decay) - eta_t m_t / (sqrt(v_t) + eps)

Shapes
    p, g, m, v: one shape, any rank, 0-d and empty included; RMS_t runs over the whole tensor. t:
    the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1; clip_threshold > 0.

Choices
    The rates beta_t make m and v the corrected averages of Adam: beta_1 = 0, so that v_1 = g_1^2
    and the first step is not clipped. clip_threshold is 1 in the paper.
    decay: by the clipped rate ("clipped"); timm's clipping_threshold in AdamW decays by lr ("lr").
    rms: of g^2 / max(v, eps^2) ("floor"); timm takes g / (sqrt(v) + eps) ("denominator"). optimi's
    decouple_lr decays by lr over its largest value: a schedule, outside of one step.

Special cases
    g = 0 from the start moves p by the decay alone; with eps = 0 it is 0/0, nan. nan in g makes the
    whole tensor's p nan, and poisons that element of m and v. Empty tensors stay empty and advance
    t.

Judged
    p, m and v by the bounded contract, t exactly.

Sources
    M. Wortsman et al., "Stable and low-precision training for large-scale vision-language models",
    NeurIPS 2023 (arXiv:2304.13013), Algorithm 2. torch-optimi 0.3.3.
"""

from typing import Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Epsilon, First, Rate, Second, Switch, Threshold
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# The root mean square runs over the whole tensor.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "decay": {
        "clipped": "weight decay, multiplied by the clipped rate, before the step",
        "lr": "weight decay, multiplied by lr, before the step",
    },
    "rms": {
        "floor": "clipping by the size of g over the root of max(v, eps^2)",
        "denominator": "clipping by the size of g over the root of v plus eps",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of StableAdamW; the defaults of the numbers are optimi's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.99
    eps: Epsilon = 1e-6
    weight_decay: Decay = 1e-2
    clip_threshold: Threshold = 1.0
    maximize: Switch = False
    decay: Literal["clipped", "lr"] = "clipped"
    rms: Literal["floor", "denominator"] = "floor"


class State(declared.State):
    """Corrected moments m and v, shaped like p, and the number t of steps made."""

    t: int
    m: First
    v: Second


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments shaped like p, t = 0."""
    return State(t=0, m=np.zeros_like(p), v=np.zeros_like(p))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if p.size == 0:
        return State(t=t, m=s.m, v=s.v), p
    if h.maximize:
        g = -g
    # 1 - beta_t, written so that it is 1 exactly at t = 1 and keeps its digits for large t.
    new1 = (1 - h.beta1) / (1 - h.beta1**t)
    new2 = (1 - h.beta2) / (1 - h.beta2**t)
    m = (1 - new1) * s.m + new1 * g
    v = (1 - new2) * s.v + new2 * (g * g)
    if h.rms == "floor":
        ratio = (g * g) / np.maximum(v, h.eps**2)
    else:
        ratio = np.square(g / (np.sqrt(v) + h.eps))
    eta = h.lr / np.maximum(np.sqrt(np.mean(ratio)) / h.clip_threshold, 1.0)
    p = p * (1 - (eta if h.decay == "clipped" else h.lr) * h.weight_decay)
    return State(t=t, m=m, v=v), p - eta * (m / (np.sqrt(v) + h.eps))
