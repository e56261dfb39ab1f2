"""Clipping gradients element by element.

Rule
    g = min(max(g, -max_value), max_value)

Shapes
    Any shape, 0-d and empty included. run: a list of gradients, to the list clipped.

Domain
    max_value > 0 and finite.

Choices
    None: torch's clip_grad_value_, optax's clip and keras's clipvalue are this rule.

Special cases
    nan stays nan; +-inf becomes +-max_value; +-0 stays itself.

Judged
    The clipped gradient by the bounded contract, which is exact but for the rounding of max_value.

Sources
    Folklore; T. Mikolov, "Statistical Language Models Based on Neural Networks", PhD thesis, Brno
    2012, clips gradients of recurrent networks so.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Real, decades
from truestep.reference.validation import Array

DIALECTS: dict[str, dict[str, str]] = {}
INPUTS = {"gradients": "tensors"}
OPTIONAL = ()


class Hyper(declared.Hyper):
    """max_value, the largest size of an element that is let through."""

    max_value: Annotated[float, Real(0.0, open="low", usual=decades(-3, 1))] = 1.0


def apply(h: Hyper, g: Array) -> Array:
    """The clipped gradient."""
    return np.minimum(np.maximum(g, -h.max_value), h.max_value)


def run(h: Hyper, *, gradients: Sequence[Array]) -> dict[str, Array]:
    """The clipped gradients."""
    return {"clipped": [apply(h, g) for g in gradients]}
