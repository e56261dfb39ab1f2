"""The online problem of Reddi, Kale and Kumar, on which forgetful second moments fail."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.kernels import Kernel

# The losses C x, -x, -x, C x, ... on a box of half width 1 about a centre away from 0: the sum of
# three has slope C - 2 > 0, so that the lower end is best.
CENTRE = 3.0
LOW, HIGH = CENTRE - 1, CENTRE + 1


def slope(C: float, t: int) -> float:
    """The gradient of round t = 1, 2, ..."""
    return C if t % 3 == 1 else -1.0


def rate(kernel: Kernel, a: float, beta2: float, t: int) -> float:
    """The lr with which step t of the paper's rule, a / sqrt(t) and no bias correction, is made.

    With beta1 = 0 bias correction multiplies the step by sqrt(1 - beta2^t), unless the maximum is
    taken of corrected moments.
    """
    h = kernel.hyper({})
    raw = getattr(h, "maximum", "raw") == "raw"
    corrected = h.bias_correction != "none" and raw
    factor = float(np.sqrt(1 - beta2**t)) if corrected else 1.0
    return a / (float(np.sqrt(t)) * factor)
