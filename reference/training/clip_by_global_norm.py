"""Clipping gradients by their global norm (Pascanu, Mikolov & Bengio 2013).

Rule
    n = sqrt(sum of |g_i|^2 over all tensors g_i)
    g_i = max_norm / n g_i where n >= max_norm, for every i

Shapes
    A sequence of tensors of any shapes, empty ones included; the result has the same shapes. run:
    gradients, to the list clipped and the 0-d norm that they had, which not every library tells.

Domain
    max_norm > 0; eps >= 0, both finite.

Choices
    form: the paper leaves gradients within the norm as they are, and scales the others by max_norm
    / n ("threshold"); optax divides by n, then multiplies ("divided"), the same up to rounding.
    PyTorch always multiplies by min(1, max_norm / (n + eps)) with eps = 1e-6 ("shrunk"): a gradient
    of norm max_norm is made shorter, and clipping twice is not clipping once. Keras multiplies by
    max_norm min(1 / n, 1 / max_norm) ("reciprocal").
    norm: "two" as above, or the largest element, one of PyTorch's others ("infinity"). PyTorch
    takes the norm of the tensors' norms, the same up to rounding.

Special cases
    All gradients zero stay zero. nan anywhere makes every element nan ("threshold" and "divided"
    also: nan is not below max_norm). inf in g makes its own element nan and the others 0; Keras's
    form makes every element nan.

Judged
    The clipped gradients and the norm, where it is told, by the bounded contract.

Sources
    R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks",
    ICML 2013 (arXiv:1211.5063), Algorithm 1. torch 2.13 clip_grad_norm_, optax 0.2.8
    clip_by_global_norm, keras 3.15.1 clip_by_global_norm.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Real, decades
from truestep.reference.validation import Array

DIALECTS = {
    "form": {
        "threshold": "longer gradients multiplied by max_norm / norm",
        "divided": "longer gradients divided by the norm, then multiplied by max_norm",
        "shrunk": "gradients multiplied by min(1, max_norm / (norm + eps))",
        "reciprocal": "gradients multiplied by max_norm min(1 / norm, 1 / max_norm)",
    },
    "norm": {"two": "Euclidean norm of all elements", "infinity": "largest size of an element"},
}
INPUTS = {"gradients": "tensors"}
OPTIONAL = ("norm",)


class Hyper(declared.Hyper):
    """max_norm, the largest norm that is let through; eps is PyTorch's."""

    max_norm: Annotated[float, Real(0.0, open="low", usual=decades(-3, 1))] = 1.0
    eps: Annotated[float, Real(0.0, usual=(1e-3, 1e-6, 0.1), edges=(0.0,))] = 1e-6
    form: Literal["threshold", "divided", "shrunk", "reciprocal"] = "threshold"
    norm: Literal["two", "infinity"] = "two"


def global_norm(h: Hyper, gradients: Sequence[Array]) -> Array:
    """The norm of all elements of all gradients, 0-d; 0 of none."""
    parts = [g for g in gradients if g.size]
    if not parts:
        return np.zeros(())
    if h.norm == "infinity":
        return reduce(np.maximum, [np.max(np.abs(g)) for g in parts])
    return np.sqrt(reduce(lambda a, b: a + b, [np.sum(g * g) for g in parts]))


def apply(h: Hyper, gradients: Sequence[Array]) -> list[Array]:
    """The clipped gradients."""
    n = global_norm(h, gradients)
    if h.form == "shrunk":
        return [g * np.minimum(h.max_norm / (n + h.eps), 1.0) for g in gradients]
    within = n < h.max_norm
    safe = np.where(within, h.max_norm, n)
    if h.form == "threshold":
        return [np.where(within, g, g * (h.max_norm / safe)) for g in gradients]
    if h.form == "divided":
        return [np.where(within, g, g / safe * h.max_norm) for g in gradients]
    # n - n is 0, or nan where the norm is not finite.
    factor = h.max_norm * np.minimum(1 / safe, 1 / h.max_norm) + (n - n)
    return [g * factor for g in gradients]


def run(h: Hyper, *, gradients: Sequence[Array]) -> dict[str, Array]:
    """The clipped gradients, and the norm that they had."""
    return {"clipped": apply(h, gradients), "norm": global_norm(h, gradients)}
