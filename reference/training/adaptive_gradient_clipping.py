"""Adaptive gradient clipping, by each unit's ratio of gradient to weight (Brock et al. 2021).

Rule
    limit_i = clipping max(|W_i|, eps) for every unit i
    G_i = limit_i / |G_i| G_i where |G_i| >= limit_i

Shapes
    p, g: one shape, any rank, 0-d and empty included. A unit is a row of a matrix, a filter of a
    convolution, the whole of a vector. run: lists of params and gradients, to the list clipped.

Domain
    clipping > 0; eps, floor >= 0, all finite.

Choices
    units: output units are "rows" where weights are (out, in, ...), as in PyTorch and timm;
    "columns" (all axes but the last) where they are (..., in, out). optax's "columns_and_heads" is
    that, but for tensors of rank three, whose norms go over the first axis alone (one unit for each
    number of each head), and for those with one axis longer than 1, which are one unit.
    The paper clips where the ratio exceeds clipping; timm and optax where it reaches it, which is
    the same. They also raise |G_i| to floor = 1e-6 where it divides, which cannot matter while
    clipping eps exceeds it; 0 is the paper's.

Special cases
    A zero gradient stays zero. nan in a unit makes the unit nan; inf makes its own element nan and
    the unit's others 0. Empty tensors stay empty.

Judged
    The clipped gradient by the bounded contract.

Sources
    A. Brock, S. De, S. L. Smith, K. Simonyan, "High-Performance Large-Scale Image Recognition
    Without Normalization", ICML 2021 (arXiv:2102.06171), equation (3). timm 1.0.31
    adaptive_clip_grad, optax 0.2.8 adaptive_grad_clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from truestep.reference.validation import (
    Array,
    require_above,
    require_at_least,
    require_one_of,
)

DIALECTS = {
    "units": {
        "rows": "units along the first axis",
        "columns": "units along the last axis",
        "columns_and_heads": "units along the last axis, of rank three along the last two",
    },
}
INPUTS = {"gradients": "tensors", "params": "tensors"}


@dataclass(frozen=True, slots=True)
class Hyper:
    """The largest ratio, the least norm of weights that it is taken of, the floor of |G|."""

    clipping: float = 0.01
    eps: float = 1e-3
    floor: float = 0.0
    units: Literal["rows", "columns", "columns_and_heads"] = "rows"

    def __post_init__(self) -> None:
        require_above(self, 0.0, "clipping")
        require_at_least(self, 0.0, "eps", "floor")
        require_one_of(self, DIALECTS)


def unit_norm(h: Hyper, x: Array) -> Array:
    """The norm of each unit, in a shape that meets x."""
    heads = h.units == "columns_and_heads"
    if x.ndim < 2 or (heads and sum(n != 1 for n in x.shape) < 2):
        return np.sqrt(np.sum(x * x))
    axes = tuple(range(1, x.ndim)) if h.units == "rows" else tuple(range(x.ndim - 1))
    axes = (0,) if heads and x.ndim == 3 else axes
    return np.sqrt(np.sum(x * x, axis=axes, keepdims=True))


def apply(h: Hyper, p: Array, g: Array) -> Array:
    """The clipped gradient of the parameters p."""
    limit = h.clipping * np.maximum(unit_norm(h, p), h.eps)
    norm = unit_norm(h, g)
    within = norm < limit
    safe = np.where(within, limit, np.maximum(norm, h.floor))
    return np.where(within, g, g * (limit / safe))


def run(h: Hyper, *, params: Sequence[Array], gradients: Sequence[Array]) -> dict[str, Any]:
    """The clipped gradients of all tensors, each by itself."""
    return {"clipped": [apply(h, p, g) for p, g in zip(params, gradients, strict=True)]}
