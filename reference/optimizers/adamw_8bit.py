"""AdamW on moments kept as block-wise dynamic 8-bit codes (Dettmers et al. 2022).

Rule
    m = decode(m_code, m_absmax), v = decode(v_code, v_absmax)
    g_t = -g when maximizing, else g
    m_t = beta1 m + (1 - beta1) g_t
    v_t = beta2 v + (1 - beta2) g_t^2
    m_hat = m_t / (1 - beta1^t)
    v_hat = v_t / (1 - beta2^t)
    p_t = p_{t-1} - (lr m_hat / (sqrt(v_hat) + eps) + weight_decay p_{t-1})
    (m_code, m_absmax) = encode(m_t) with the signed map
    (v_code, v_absmax) = encode(v_t) with the unsigned map

Shapes
    p, g, m_code, v_code: one shape, any rank, 0-d and empty included, cut into blocks in C order;
    m_absmax, v_absmax: one number per block. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= beta1, beta2 < 1; block_size one of 64, 128, ...,
    4096; absmax_floor >= 0.

Choices
    p moves by the moments before they are quantized again: quantization acts from the next step.
    decay: "unscaled", the paper of AdamW; "before" in bitsandbytes' CPU path, "after" in its CUDA
    kernels; torchao subtracts lr weight_decay p ("in_step"), "before" but for its rounding. Its
    Adam8bit adds weight_decay p to the gradient ("coupled").
    block_size: 2048 in the paper, 256 in bitsandbytes and torchao.
    map, normalise, ties, zero_block, absmax_floor: as in the quantizer dynamic_8bit.
    The initial state holds the codes of zero; bitsandbytes' zeros decode to -0, the same numbers.

Special cases
    g = 0 from the start leaves both moments zero and moves p by the decay alone. A negative extreme
    of m loses 0.7 % when it is stored. nan in g makes its block's absmax nan and with the next step
    every element of the block. Empty tensors stay empty and advance t.

Judged
    p by the bounded contract; absmax by the bounded contract of its block's largest moment; codes
    by the admissible interval given the kernel's own absmax; t exactly.

Sources
    T. Dettmers, M. Lewis, S. Shleifer, L. Zettlemoyer, "8-bit Optimizers via Block-wise
    Quantization", ICLR 2022 (arXiv:2110.02861), section 2. I. Loshchilov, F. Hutter, "Decoupled
    Weight Decay Regularization", ICLR 2019 (arXiv:1711.05101), Algorithm 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Beta,
    Count,
    Decay,
    Epsilon,
    Number,
    Rate,
    Real,
    Second,
    Size,
    Switch,
)
from truestep.reference.quantizers import dynamic_8bit
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

# Blocks of elements share a scale.
FACTS = Facts(elementwise=False)

DIALECTS = {
    "decay": {
        "unscaled": "weight decay not multiplied by lr",
        "before": "weight decay, multiplied by lr, before the step",
        "after": "weight decay, multiplied by lr, after the step",
        "in_step": "weight decay, multiplied by lr, in one sum with the step",
        "coupled": "weight decay added to the gradient",
    },
    "map": dynamic_8bit.DIALECTS["map"],
    "normalise": dynamic_8bit.DIALECTS["normalise"],
    "ties": dynamic_8bit.DIALECTS["ties"],
    "zero_block": dynamic_8bit.DIALECTS["zero_block"],
}


@dataclass(frozen=True, slots=True)
class Hyper(declared.Hyper):
    """Hyperparameters of AdamW and of the quantizer; defaults as in adamw and dynamic_8bit."""

    lr: Rate = 1e-3
    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: Epsilon = 1e-8
    weight_decay: Decay = 1e-2
    maximize: Switch = False
    decay: Literal["unscaled", "before", "after", "in_step", "coupled"] = "unscaled"
    block_size: Annotated[int, Count(1, (64, 256, 2048, 128, 512, 1024, 4096))] = 2048
    absmax_floor: Annotated[float, Real(0.0)] = 0.0
    map: Literal["fused", "separate"] = "fused"
    normalise: Literal["divide", "reciprocal"] = "divide"
    ties: Literal["lower", "upper", "even"] = "lower"
    zero_block: Literal["code_of_zero", "first_code"] = "code_of_zero"

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        quantizer(self, signed=True)


@dataclass(frozen=True, slots=True)
class State(declared.State):
    """Codes and absmax of both moments, and the number t of steps made."""

    t: int
    m_code: Number
    m_absmax: Size
    v_code: Number
    v_absmax: Second


def quantizer(h: Hyper, signed: bool) -> dynamic_8bit.Hyper:
    """How a moment is stored: signed for m, unsigned for v."""
    return dynamic_8bit.Hyper(
        signed=signed,
        block_size=h.block_size,
        absmax_floor=h.absmax_floor,
        map=h.map,
        normalise=h.normalise,
        ties=h.ties,
        zero_block=h.zero_block,
    )


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: moments that decode to zero, t = 0."""
    absmax = np.zeros(-(-p.size // h.block_size))
    m_code = np.full(p.shape, dynamic_8bit.code_of_zero(quantizer(h, signed=True)), np.uint8)
    v_code = np.full(p.shape, dynamic_8bit.code_of_zero(quantizer(h, signed=False)), np.uint8)
    return State(t=0, m_code=m_code, m_absmax=absmax, v_code=v_code, v_absmax=absmax.copy())


def decoded(h: Hyper, s: State) -> tuple[Array, Array]:
    """The moments that a state stands for."""
    m = dynamic_8bit.decode(quantizer(h, signed=True), s.m_code, s.m_absmax)
    v = dynamic_8bit.decode(quantizer(h, signed=False), s.v_code, s.v_absmax)
    return m, v


def update(h: Hyper, t: int, m: Array, v: Array, p: Array, g: Array) -> tuple[Array, Array, Array]:
    """Step t from decoded moments: the new m and v before they are encoded, and the new p."""
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    m = h.beta1 * m + (1 - h.beta1) * g
    v = h.beta2 * v + (1 - h.beta2) * (g * g)
    m_hat = m / (1 - h.beta1**t)
    v_hat = v / (1 - h.beta2**t)
    move = m_hat / (np.sqrt(v_hat) + h.eps)
    if h.decay == "unscaled":
        p = p - (h.lr * move + h.weight_decay * p)
    elif h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay) - h.lr * move
    elif h.decay == "after":
        p = (p - h.lr * move) * (1 - h.lr * h.weight_decay)
    elif h.decay == "in_step":
        p = p - h.lr * (move + h.weight_decay * p)
    else:
        p = p - h.lr * move
    return m, v, p


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    m, v, p = update(h, s.t + 1, *decoded(h, s), p, g)
    m_code, m_absmax = dynamic_8bit.encode(quantizer(h, signed=True), m)
    v_code, v_absmax = dynamic_8bit.encode(quantizer(h, signed=False), v)
    return State(s.t + 1, m_code, m_absmax, v_code, v_absmax), p
