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
    pytorch-optimizer's "rows_and_taps" is "rows", but for tensors of rank three, whose norms go
    over the second axis alone (of a convolution over one axis, one unit for each tap of a filter).
    clips: the paper clips where the ratio exceeds clipping ("above": also pytorch-optimizer); timm
    and optax clip unless it is less ("unless_below"), which is the same but for nan. floor: timm
    and optax raise |G_i| to 1e-6 where it divides, which cannot matter while clipping eps exceeds
    it; pytorch-optimizer where it compares too ("above"): with a limit below floor, shorter
    gradients are shortened as well. 0 is the paper's.

Special cases
    A zero gradient stays zero. nan in a unit makes the unit nan, or if clips is "above" leaves it
    as it is, nan in its weights too; inf makes its own element nan and the unit's others 0. Empty
    tensors stay empty.

Judged
    The clipped gradient by the bounded contract.

Sources
    A. Brock, S. De, S. L. Smith, K. Simonyan, "High-Performance Large-Scale Image Recognition
    Without Normalization", ICML 2021 (arXiv:2102.06171), equation (3). timm 1.0.31
    adaptive_clip_grad, optax 0.2.8 adaptive_grad_clip, pytorch-optimizer 4.1 agc.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Real
from truestep.reference.validation import Array

DIALECTS = {
    "clips": {
        "unless_below": "clipped unless the norm is below the limit",
        "above": "clipped if the norm, raised to its floor, is above the limit",
    },
    "units": {
        "rows": "units along the first axis",
        "rows_and_taps": "units along the first axis, of rank three along the first and the last",
        "columns": "units along the last axis",
        "columns_and_heads": "units along the last axis, of rank three along the last two",
    },
}
INPUTS = {"gradients": "tensors", "params": "tensors"}
OPTIONAL = ()


class Hyper(declared.Hyper):
    """The largest ratio, the least norm of weights that it is taken of, the floor of |G|."""

    clipping: Annotated[float, Real(0.0, open="low", usual=(0.01, 0.1, 1.0, 0.3))] = 0.01
    eps: Annotated[float, Real(0.0, usual=(1e-3, 1e-6, 0.1), edges=(0.0,))] = 1e-3
    floor: Annotated[float, Real(0.0, usual=(0.0, 1e-6, 0.01))] = 0.0
    clips: Literal["unless_below", "above"] = "unless_below"
    units: Literal["rows", "rows_and_taps", "columns", "columns_and_heads"] = "rows"


def unit_norm(h: Hyper, x: Array) -> Array:
    """The norm of each unit, in a shape that meets x."""
    heads = h.units == "columns_and_heads"
    if x.ndim < 2 or (heads and sum(n != 1 for n in x.shape) < 2):
        return np.sqrt(np.sum(x * x))
    rows = h.units in ("rows", "rows_and_taps")
    axes = tuple(range(1, x.ndim)) if rows else tuple(range(x.ndim - 1))
    if x.ndim == 3:
        axes = {"columns_and_heads": (0,), "rows_and_taps": (1,)}.get(h.units, axes)
    return np.sqrt(np.sum(x * x, axis=axes, keepdims=True))


def apply(h: Hyper, p: Array, g: Array) -> Array:
    """The clipped gradient of the parameters p."""
    limit = h.clipping * np.maximum(unit_norm(h, p), h.eps)
    norm = unit_norm(h, g)
    if h.clips == "above":
        raised = np.maximum(norm, h.floor)
        above = raised > limit
        return np.where(above, g * (limit / np.where(above, raised, 1.0)), g)
    within = norm < limit
    safe = np.where(within, limit, np.maximum(norm, h.floor))
    return np.where(within, g, g * (limit / safe))


def run(h: Hyper, *, params: Sequence[Array], gradients: Sequence[Array]) -> dict[str, Array]:
    """The clipped gradients of all tensors, each by itself."""
    return {"clipped": [apply(h, p, g) for p, g in zip(params, gradients, strict=True)]}
