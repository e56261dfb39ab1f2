"""Adam-mini, AdamW with one second moment for each block of a tensor (Zhang et al. 2024).

Over 120 lines: the block means, and how they are spread over a tensor.

Rule
    g_t = -g when maximizing, else g
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) mean over the block (g_t^2)
    p_t = p_{t-1} (1 - lr weight_decay)
    p_t = p_t - lr m_t / (1 - beta1^t) / (sqrt(v_t / (1 - beta2^t)) + eps)

Shapes
    p, g, m: one shape, any rank, 0-d and empty included. v: one element for each block, with axes
    of size 1 in the place of those averaged; for heads (heads, 1); for the whole tensor 0-d. t: the
    number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1; heads an integer >= 1 that divides
    the number of elements.

Choices
    blocks: the paper partitions by the smallest dense sub-blocks of the Hessian: each output
    neuron, that is row, of embeddings, output, value, projection and MLP layers ("rows"), each of
    the heads of queries and keys ("heads": contiguous parts of equal size), and whole tensors for
    what remains, such as normalisations ("tensor"). The authors' code chooses by parameter names
    and gives biases full Adam ("elements"); here the caller chooses.
    Rows of a vector are its elements. The authors' code drops the decay wherever a name contains
    "norm", "ln" or "bias"; here weight_decay is what it says.

Special cases
    g = 0 from the start moves p by the decay alone; with eps = 0 it is 0/0, nan. nan or inf in g
    poisons its whole block for ever. Empty tensors stay empty and advance t.

Judged
    p, m and v by the bounded contract, t exactly.

Sources
    Y. Zhang et al., "Adam-mini: Use Fewer Learning Rates To Gain More", ICLR 2025
    (arXiv:2406.16793), Algorithms 1 to 3. The authors' adam-mini 1.1.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Count, Decay, Epsilon, First, Rate, Second, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# Means run over blocks.
FACTS = Facts(elementwise=False, parts=lambda h: h.heads if h.blocks == "heads" else 1)
DIALECTS = {
    "blocks": {
        "rows": "one second moment for each row",
        "heads": "one second moment for each head, a contiguous part of the tensor",
        "tensor": "one second moment for the whole tensor",
        "elements": "one second moment for each element, as AdamW",
    }
}


class Hyper(declared.Hyper):
    """Hyperparameters of Adam-mini; the defaults of the numbers are the authors' code's."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.0
    heads: Annotated[int, Count(1, (1, 2, 4, 8))] = 1
    maximize: Switch = False
    blocks: Literal["rows", "heads", "tensor", "elements"] = "rows"


class State(declared.State):
    """Momentum m shaped like p, one second moment v for each block, and the counter t."""

    t: int
    m: First
    v: Second


def block_mean(h: Hyper, x: Array) -> Array:
    """The mean of x over each block."""
    if h.blocks == "elements":
        return x
    if h.blocks == "tensor":
        return np.mean(x)
    if h.blocks == "rows":
        return np.mean(x, axis=tuple(range(1, x.ndim)), keepdims=True) if x.ndim > 1 else x
    if x.size % h.heads:
        raise ValueError(f"heads must divide the {x.size} elements of p, got {h.heads!r}")
    return np.mean(x.reshape(h.heads, x.size // h.heads), axis=1, keepdims=True)


def spread(h: Hyper, x: Array, like: Array) -> Array:
    """x, one element for each block, in a form that meets a tensor shaped like p."""
    if h.blocks != "heads":
        return x
    return (x + np.zeros_like(like).reshape(h.heads, like.size // h.heads)).reshape(like.shape)


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero moments, t = 0."""
    zeros = np.zeros_like(p)
    return State(t=0, m=zeros, v=block_mean(h, zeros) if p.size else zeros)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if p.size == 0:
        return State(t=t, m=s.m, v=s.v), p
    if h.maximize:
        g = -g
    m = h.beta1 * s.m + (1 - h.beta1) * g
    v = h.beta2 * s.v + (1 - h.beta2) * block_mean(h, g * g)
    root = np.sqrt(v / (1 - h.beta2**t)) + h.eps
    p = p * (1 - h.lr * h.weight_decay)
    return State(t=t, m=m, v=v), p - h.lr * (m / (1 - h.beta1**t) / spread(h, root, p))
