"""Rprop, resilient backpropagation: steps by signs, whose sizes grow and shrink (Riedmiller 1993).

Over 120 lines: what happens where a gradient turned, and the libraries' choices.

Rule
    g_t = -g when maximizing, else g;  c_t = g_t prev_{t-1}
    size_t = size_{t-1} eta_plus where c_t > 0, size_{t-1} eta_minus where c_t < 0, else size_{t-1},
    at least size_min and at most size_max
    g_t = 0 where c_t < 0
    p_t = p_{t-1} - size_t sign(g_t);  prev_t = g_t

Shapes
    p, g, prev, size: one shape, any rank, 0-d and empty included. t: the number of steps made.

Domain
    lr, size_min >= 0, size_max > 0 and finite; 0 < eta_minus < 1 < eta_plus.

Choices
    lr is the first size alone. turn: where the sign of a gradient changed, the parameter rests for
    a step ("rest": iRprop- of Igel & Huesken, torch and optax), takes its last step back ("back":
    the rule of 1993, Rprop+), or steps on with the smaller size ("on": Rprop-). limits: sizes are
    held within theirs in every step ("always", torch), or where they change ("changed", optax).
    memory: prev is the last gradient ("gradient", torch), or the last step of its sign ("step",
    optax), which makes an underflow of c less likely.
    nan_sign: where c or the gradient is nan the size shrinks and the parameter becomes nan ("nan",
    optax), or both signs count as zero and nothing changes ("zero", torch).

Special cases
    g = 0 from the start leaves p and the sizes as they are. Where c underflows to zero, sizes do
    not change. Empty tensors stay empty and advance t.

Judged
    All tensors by the bounded contract where signs are decided, else any of their outcomes; t
    exactly.

Sources
    M. Riedmiller, H. Braun, "A Direct Adaptive Method for Faster Backpropagation Learning: The
    RPROP Algorithm", ICNN 1993. C. Igel, M. Huesken, "Improving the Rprop Learning Algorithm",
    NC 2000, Tables 1 to 4.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import First, Number, Rate, Real, Switch
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

FACTS = Facts(elementwise=True)
DIALECTS = {
    "limits": {
        "always": "sizes held within their limits in every step",
        "changed": "sizes held within their limits where they change",
    },
    "memory": {
        "gradient": "last gradient kept",
        "step": "last step kept in the place of the gradient",
    },
    "nan_sign": {"nan": "sign of nan is nan", "zero": "sign of nan is zero"},
    "turn": {
        "rest": "no step where the gradient turned",
        "back": "last step taken back where the gradient turned",
        "on": "a step of the smaller size where the gradient turned",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of Rprop; the defaults are PyTorch's."""

    lr: Rate = 1e-2
    eta_minus: Annotated[float, Real(0.0, 1.0, "both", usual=(0.5, 0.3, 0.9))] = 0.5
    eta_plus: Annotated[float, Real(1.0, open="low", usual=(1.2, 2.0, 1.05))] = 1.2
    size_min: Annotated[float, Real(0.0, usual=(1e-6, 1e-3), edges=(0.0,))] = 1e-6
    size_max: Annotated[float, Real(0.0, open="low", usual=(50.0, 1.0, 0.1))] = 50.0
    maximize: Switch = False
    turn: Literal["rest", "back", "on"] = "rest"
    limits: Literal["always", "changed"] = "always"
    memory: Literal["gradient", "step"] = "gradient"
    nan_sign: Literal["nan", "zero"] = "nan"


class State(declared.State):
    """Last gradient prev and step sizes, shaped like p, and the number t of steps made."""

    t: int
    prev: First
    size: Number


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: no gradient, every size lr, t = 0."""
    return State(t=0, prev=np.zeros_like(p), size=np.zeros_like(p) + h.lr)


def sign_of(h: Hyper, x: Array) -> Array:
    """-1, 0 or 1; of nan as the dialect says."""
    return np.sign(np.where(np.isnan(x), 0.0, x) if h.nan_sign == "zero" else x)


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if h.maximize:
        g = -g
    change = g * s.prev
    if h.nan_sign == "zero":
        change = np.where(np.isnan(change), 0.0, change)
    turned, same = change < 0, change == 0
    factor = np.where(change > 0, h.eta_plus, np.where(same, 1.0, h.eta_minus))
    size = np.minimum(np.maximum(s.size * factor, h.size_min), h.size_max)
    if h.limits == "changed":
        size = np.where(same, s.size, size)
    kept = g if h.turn == "on" else np.where(turned, 0.0, g)
    move = size * sign_of(h, kept)
    if h.turn == "back":
        move = np.where(turned, -(s.size * sign_of(h, s.prev)), move)
    prev = kept if h.memory == "gradient" else size * sign_of(h, kept)
    return State(t=t, prev=prev, size=size), p - move
