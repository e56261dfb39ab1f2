"""What a step of plain descent can lower a smooth function by, at least and at most."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import Outcome
from truestep.reference.validation import Array


def between(name: str, got: float, least: float, most: float, allowed: float) -> Outcome:
    """How far a number is from the middle of where it has to lie, in half widths."""
    half = (most - least) / 2 + allowed
    return Outcome(abs(got - (most + least) / 2) / half, name, 2 * allowed / most)


def rounding(kernel: Kernel, x: Array, new: Array, lr: float, g: Array, L: float) -> float:
    """What rounding of a step can change f by: it moves p by e, and f by |f'| |e| + L |e|^2 / 2.

    A coordinate of a step errs by u (|p'| + 3 lr |g|): g, lr, lr g and the sum are rounded.
    """
    e = kernel.u * (np.abs(new) + np.abs(x) + 3 * lr * np.abs(g))
    return float((np.abs(g) * (1 + lr * L)) @ e + L * (e @ e) / 2)
