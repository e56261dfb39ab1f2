"""Faults in clipping: whose norm it is, what it is held against, and what is not finite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from truestep.properties.museum.training_kernels import (
    Outputs,
    Run,
    TrainingFault,
    correct,
    with_,
)


def _norm(x: Any) -> Any:
    return np.sqrt(np.sum(x * x))


def _clipped(norm: Callable[[Any, list[Any]], Any]) -> Run:
    """Clipping by another norm of all gradients."""

    def run(h: Any, *, gradients: list[Any]) -> Outputs:
        n = np.float32(norm(h, gradients))
        factor = np.float32(1) if n < h.max_norm else h.max_norm / n
        return {"clipped": [g * factor for g in gradients]}

    return run


def _per_tensor(h: Any, *, gradients: list[Any]) -> Outputs:
    run = correct("clip_by_global_norm")
    return {"clipped": [run(h, gradients=[g])["clipped"][0] for g in gradients]}


def _amplified(h: Any, *, gradients: list[Any]) -> Outputs:
    n = correct("clip_by_global_norm")(h, gradients=gradients)["norm"]
    return {"clipped": [g * (h.max_norm / n) if n > 0 else g for g in gradients]}


def _agc_by_tensor(h: Any, *, params: list[Any], gradients: list[Any]) -> Outputs:
    flat = ([x.reshape(-1) for x in xs] for xs in (params, gradients))
    out = correct("adaptive_gradient_clipping")(h, params=next(flat), gradients=next(flat))
    return {"clipped": [c.reshape(g.shape) for c, g in zip(out["clipped"], gradients, strict=True)]}


def _norm_of(gradients: list[Any]) -> Any:
    return np.sqrt(sum((np.sum(g * g) for g in gradients), np.float32(0)))


CLIPPING = {
    "adaptive_gradient_clipping_by_tensor": TrainingFault(
        "adaptive_gradient_clipping",
        "a tensor is one unit, its rows have no norms of their own",
        "a norm without axes",
        _agc_by_tensor,
    ),
    "adaptive_gradient_clipping_columns": TrainingFault(
        "adaptive_gradient_clipping",
        "norms along the other axes",
        "ports between weights of (in, out) and (out, in)",
        with_("adaptive_gradient_clipping", units="columns"),
        computes="adaptive_gradient_clipping with units along the last axis",
    ),
    "adaptive_gradient_clipping_without_eps": TrainingFault(
        "adaptive_gradient_clipping",
        "zero weights have no least norm, and their gradients vanish",
        "eps left at 0",
        with_("adaptive_gradient_clipping", eps=0.0),
    ),
    "clip_by_global_norm_amplifies": TrainingFault(
        "clip_by_global_norm",
        "gradients within the norm are made as long as it",
        "no minimum with 1",
        _amplified,
    ),
    "clip_by_global_norm_compares_squares": TrainingFault(
        "clip_by_global_norm",
        "the limit is held against the squared norm, and the root is taken afterwards",
        "a root that moved behind the comparison",
        lambda h, *, gradients: {
            "clipped": [
                g * (h.max_norm / np.sqrt(n))
                if (n := sum(np.sum(x * x) for x in gradients)) >= h.max_norm
                else g
                for g in gradients
            ]
        },
    ),
    "clip_by_global_norm_drops_nan": TrainingFault(
        "clip_by_global_norm",
        "a norm that is not finite counts as within the limit",
        "facebookresearch/fairseq and others: clipping passes silently",
        _clipped(lambda h, gradients: n if np.isfinite(n := _norm_of(gradients)) else 0),
        check="special_values",
    ),
    "clip_by_global_norm_mean_square": TrainingFault(
        "clip_by_global_norm",
        "the norm is the root of the mean of the squares",
        "a mean in place of a sum",
        _clipped(
            lambda h, gradients: (
                _norm_of(gradients) / np.sqrt(max(1, sum(g.size for g in gradients)))
            )
        ),
    ),
    "clip_by_global_norm_per_tensor": TrainingFault(
        "clip_by_global_norm",
        "every tensor is clipped by its own norm",
        "clipnorm where global_clipnorm was meant",
        _per_tensor,
    ),
    "clip_by_global_norm_sum_of_norms": TrainingFault(
        "clip_by_global_norm",
        "the tensors' norms are added",
        "the norm of the norms forgotten",
        _clipped(lambda h, gradients: sum(_norm(g) for g in gradients)),
    ),
    "clip_by_global_norm_without_eps": TrainingFault(
        "clip_by_global_norm",
        "eps is missing beside the norm",
        "eps declared as in PyTorch, and not added",
        with_("clip_by_global_norm", eps=0.0),
        check="at_the_threshold",
        dialect={"form": "shrunk"},
        computes="clip_by_global_norm with longer gradients multiplied by max_norm / norm",
    ),
    "clip_by_global_norm_without_last": TrainingFault(
        "clip_by_global_norm",
        "the last tensor is clipped, but not part of the norm",
        "pytorch/pytorch: multi-tensor norms that lose a tensor",
        _clipped(lambda h, gradients: _norm_of(gradients[:-1] or gradients)),
    ),
    "clip_by_value_above_only": TrainingFault(
        "clip_by_value",
        "negative elements are not clipped",
        "a minimum without its maximum",
        lambda h, *, gradients: {"clipped": [np.minimum(g, h.max_value) for g in gradients]},
    ),
    "clip_by_value_drops_nan": TrainingFault(
        "clip_by_value",
        "nan becomes the limit",
        "fmin and fmax, which ignore nan",
        lambda h, *, gradients: {
            "clipped": [np.fmin(np.fmax(g, -h.max_value), h.max_value) for g in gradients]
        },
        check="special_values",
    ),
    "clip_by_value_loses_sign": TrainingFault(
        "clip_by_value",
        "sizes are clipped and signs forgotten",
        "a minimum with |g|",
        lambda h, *, gradients: {
            "clipped": [np.where(np.abs(g) > h.max_value, h.max_value, g) for g in gradients]
        },
    ),
}
