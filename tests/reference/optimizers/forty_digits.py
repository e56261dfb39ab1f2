"""Inputs of the tests of rules on matrices, and numbers in 40 digits beside float64.

Numbers of two routes agree where ten decimals of both print alike: for these inputs the routes
differ by rounding alone, below 1e-13, and no decimal is lost to a carry.
"""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
from mpmath import mp

mp.dps = 40
_RNG = np.random.default_rng(8)
P = _RNG.standard_normal((3, 4))
GRADIENTS = _RNG.standard_normal((4, 3, 4))
SQUARE = _RNG.standard_normal((4, 4, 4))
CUBOID = _RNG.standard_normal((2, 3, 2))
# An orthogonal matrix exact in binary.
HADAMARD = np.array([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2


def run(module: Any, h: Any, p: Any, gradients: Any) -> tuple[Any, Any]:
    """The state and the parameter after a step with each gradient from a fresh state."""
    s = module.init(h, p)
    for g in gradients:
        s, p = module.step(h, s, p, np.asarray(g))
    return s, p


def digits(x: Any) -> list[str]:
    """Every element to ten decimals, zero without a sign."""
    exact = isinstance(x, mpmath.matrix)
    values = [x[i, j] for i in range(x.rows) for j in range(x.cols)] if exact else np.ravel(x)
    printed = [f"{float(v):.10f}" for v in values]
    return [text.lstrip("-") if float(text) == 0 else text for text in printed]


def matrix(x: Any) -> Any:
    """x in 40 digits."""
    return mpmath.matrix(np.asarray(x).tolist())
