"""Dynamic loss scaling for training in 16 bits (Micikevicius et al. 2018).

Over 120 lines: the scale and the steps that it lets through are defined together.

Rule
    the loss is multiplied by scale before the backward pass
    the gradients are divided by scale
    some element of a quotient not finite: skip the step, scale = scale backoff, good = 0
    otherwise: step with the quotients, good = good + 1;
    when good = window: scale = scale growth, good = 0

Shapes
    scale: 0-d; patience, good: integers. Gradients of any shape. t: the number of calls made. run:
    lists of scaled gradients, params and moments of the same shapes and the state, to the new
    state, params, moments and the flag skipped; the optimizer that it skips or lets step is SGD
    with rate RATE and momentum MOMENTUM.

Domain
    initial, growth, max_scale > 0; min_scale >= 0, where 0 means none; growth > 1; 0 < backoff < 1;
    window, hysteresis >= 1.

Choices
    Powers of two for initial, growth and backoff: scaling then rounds nothing, and unscaling gives
    back every bit that has neither over- nor underflown.
    hysteresis: the paper lets every overflow shrink the scale (1). DeepSpeed counts down patience
    from hysteresis first, and restores it when the scale grows ("at_growth") or after any finite
    step ("at_once", its consecutive_hysteresis).
    min_scale, max_scale: limits of apex and DeepSpeed; DeepSpeed raises an error where the scale
    would fall below min_scale. PyTorch has none, but does not grow beyond float32 (max_scale
    2^127). Defaults by library: PyTorch initial 2^16, window 2000; Keras 2^15, 2000; DeepSpeed 2^16
    in its configuration, window 1000, hysteresis 2, min_scale 1.

Special cases
    A skipped step leaves parameters, moments and counters as they are, bit for bit. A finite
    gradient over a scale below 1 may be infinite: it is looked for after the division.

Judged
    good, patience, t and skipped exactly; so is scale for powers of two, and everything that a
    skipped step leaves. Otherwise scale, params and moments by the bounded contract.

Sources
    P. Micikevicius et al., "Mixed Precision Training", ICLR 2018 (arXiv:1710.03740), section 3.2.
    torch 2.13 GradScaler, DeepSpeed DynamicLossScaler, keras 3.15.1 LossScaleOptimizer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Above, Count, Real
from truestep.reference.validation import Array, require_ordered

DIALECTS = {
    "restored": {
        "at_growth": "patience restored when the scale grows",
        "at_once": "patience restored after any finite step",
    }
}
INPUTS = {
    "good": "count",
    "gradients": "tensors",
    "moments": "tensors",
    "params": "tensors",
    "patience": "count",
    "scale": "number",
    "t": "count",
}
OPTIONAL = ()
# Powers of two, with which the optimizer rounds as little as can be.
RATE, MOMENTUM = 0.125, 0.5


class Hyper(declared.Hyper):
    """The scale's start, factors, window and limits; PyTorch's defaults, and normal."""

    initial: Above = 65536.0
    growth: Annotated[float, Real(1.0, open="low", usual=(2.0, 4.0))] = 2.0
    backoff: Annotated[float, Real(0.0, 1.0, "both", (0.5, 0.25, 0.125))] = 0.5
    window: Annotated[int, Count(1, (1, 2, 3, 2000))] = 2000
    hysteresis: Annotated[int, Count(1, (1, 2, 3))] = 1
    min_scale: Annotated[float, Real(0.0, usual=(1.0, 2.0**-20))] = 2.0**-126
    max_scale: Annotated[float, Real(0.0, open="low", usual=(2.0**24, 2.0**127))] = 2.0**127
    restored: Literal["at_growth", "at_once"] = "at_growth"

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        Real(0.0, self.max_scale).check("initial", self.initial)
        require_ordered(self, "min_scale", "max_scale")


@dataclass(frozen=True, slots=True)
class State:
    """The scale, consecutive finite steps, overflows left before it shrinks, and calls made."""

    t: int
    scale: Array
    good: int
    patience: int


def init(h: Hyper) -> State:
    """The state before the first step."""
    return State(t=0, scale=h.initial, good=0, patience=h.hysteresis)


def finite(gradients: Sequence[Array]) -> bool:
    """Whether every element of every gradient is finite."""
    # A nan or an infinity is the largest size.
    return all(bool(np.isfinite(np.max(np.abs(g)))) for g in gradients if g.size)


def unscale(s: State, g: Array) -> Array:
    """The gradient of the loss itself."""
    return g / s.scale


def chosen(was_finite: bool, old: Array, new: Array) -> Array:
    """The outcome of a step, or what was before it where it is skipped."""
    return new if was_finite else old


def step(h: Hyper, s: State, was_finite: bool) -> State:
    """The state after a backward pass whose gradients were finite, or were not."""
    t = s.t + 1
    if not was_finite:
        if s.patience > 1:
            return State(t=t, scale=s.scale, good=0, patience=s.patience - 1)
        scale = np.maximum(s.scale * h.backoff, h.min_scale)
        return State(t=t, scale=scale, good=0, patience=s.patience)
    patience = h.hysteresis if h.restored == "at_once" else s.patience
    if s.good + 1 < h.window:
        return State(t=t, scale=s.scale, good=s.good + 1, patience=patience)
    scale = s.scale * h.growth
    grown = np.where(scale <= h.max_scale, scale, s.scale)
    return State(t=t, scale=grown, good=0, patience=h.hysteresis)


def run(
    h: Hyper,
    *,
    t: int,
    scale: Array,
    good: int,
    patience: int,
    params: Sequence[Array],
    moments: Sequence[Array],
    gradients: Sequence[Array],
) -> dict[str, Array]:
    """A backward pass with scaled gradients, and the optimizer's step or no step after it."""
    s = State(t=t, scale=scale, good=good, patience=patience)
    unscaled = [unscale(s, g) for g in gradients]
    was_finite = finite(unscaled)
    moved = [MOMENTUM * m + g for m, g in zip(moments, unscaled, strict=True)]
    stepped = [p - RATE * m for p, m in zip(params, moved, strict=True)]
    new = step(h, s, was_finite)
    return {
        "t": new.t,
        "scale": new.scale,
        "good": new.good,
        "patience": new.patience,
        "skipped": not was_finite,
        "params": chosen(was_finite, params, stepped),
        "moments": chosen(was_finite, moments, moved),
    }
