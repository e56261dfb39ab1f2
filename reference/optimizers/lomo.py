"""LOMO, stochastic gradient descent fused into the backward pass (Lv et al. 2023).

Rule
    g_t = -g when maximizing, else g
    g_t = g_t / loss_scale
    g_t = g_t min(1, clip_norm / (|g_t| + eps)) when clipping by norm
    p_t = p_{t-1} (1 - lr weight_decay) - lr g_t

Shapes
    p, g: one shape, any rank, 0-d and empty included. With clipping by norm p is all parameters of
    the model, flattened and joined: the norm is theirs. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; clip_norm, clip_value, loss_scale > 0.

Choices
    What LOMO adds to SGD is when it runs: each parameter moves as soon as its gradient is there,
    and the gradient is freed. The update is SGD's, which this file is, provided that each parameter
    is used once; where tied parameters are used twice, the authors' hook moves them by each part of
    the gradient in turn. Accumulating gradients over micro-batches is impossible.
    clip: "none", by "value" to [-clip_value, clip_value], by "norm" as above, or "both": the norm
    is that of the unclamped gradient, found in a first backward pass, and scales the clamped one.
    The paper proposes clipping by value and by norm in two passes; its rule has no eps.
    decay: the paper has none; lomo-optim shrinks p before the step.
    overflow: a gradient with nan or infinity is taken as it is ("none"); pytorch-optimizer leaves
    p alone then ("skip").

Special cases
    g = 0 moves p by the decay alone. nan in g makes that element nan, with clipping by norm every
    element; inf then makes its own element nan and zeroes the other gradients. lomo-optim skips the
    step of such a gradient under its loss scaler, which is a rule of its own here. Empty tensors
    stay empty and advance t.

Judged
    p by the bounded contract, t exactly.

Sources
    K. Lv et al., "Full Parameter Fine-tuning for Large Language Models with Limited Resources", ACL
    2024 (arXiv:2306.09782), Algorithm 1. The authors' lomo-optim 0.1.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Decay, Epsilon, Rate, Real, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# The norm runs over the whole tensor.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "clip": {
        "none": "gradient not clipped",
        "value": "gradient clamped element by element",
        "norm": "gradient scaled to a largest norm",
        "both": "gradient clamped, then scaled by the factor of the unclamped norm",
    },
    "overflow": {
        "none": "nan and infinity in the gradient taken as they are",
        "skip": "no step from a gradient with nan or infinity",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of LOMO; lr and eps as in the authors' code."""

    lr: Rate = 1e-3
    weight_decay: Decay = 0.0
    clip_norm: Annotated[float, Real(0.0, open="low", usual=(1.0, 0.1, 10.0))] = 1.0
    clip_value: Annotated[float, Real(0.0, open="low", usual=(1.0, 0.1, 10.0))] = 1.0
    eps: Epsilon = 1e-6
    loss_scale: Annotated[float, Real(0.0, open="low", usual=(1.0, 1024.0, 65536.0, 3.0))] = 1.0
    maximize: Switch = False
    clip: Literal["none", "value", "norm", "both"] = "none"
    overflow: Literal["none", "skip"] = "none"


class State(declared.State):
    """Only the number t of steps made."""

    t: int


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: t = 0."""
    return State(t=0)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    given = g
    if h.maximize:
        g = -g
    g = g / h.loss_scale
    raw = g
    if h.clip in ("value", "both"):
        g = np.minimum(np.maximum(g, -h.clip_value), h.clip_value)
    if h.clip in ("norm", "both"):
        norm = np.sqrt(np.sum(raw * raw))
        g = g * np.minimum(h.clip_norm / (norm + h.eps), 1.0)
    moved = p * (1 - h.lr * h.weight_decay) - h.lr * g
    if h.overflow == "skip":
        beyond = np.sum(np.where(np.isfinite(given), np.zeros_like(given), np.ones_like(given)))
        moved = np.where(beyond > 0, p, moved)
    return State(t=s.t + 1), moved
