"""What Muon's iteration makes of one singular value."""

from functools import cache
from typing import cast

import numpy as np

from truestep.fast.protocol import Number
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.reference.optimizers import muon
from truestep.reference.validation import Array

COEFFICIENTS, STEPS = (3.4445, -4.775, 2.0315), 5
GIVEN: dict[str, Number] = {
    "eps": 0.0,
    "ns_a": COEFFICIENTS[0],
    "ns_b": COEFFICIENTS[1],
    "ns_c": COEFFICIENTS[2],
    "ns_steps": STEPS,
}
# Beyond 1, what one step can make of a number up to here stays below it.
WIDEST = 1.25
# What a subject needs for this: one divisor, the Frobenius norm, and these coefficients.
DIALECT = {"coefficients": ("constant",), "magnitude": ("none",), "norm": ("frobenius",)}


def mapped(s: Array) -> Array:
    """The iteration on singular values, after division by the norm: s' = a s + b s^3 + c s^5."""
    a, b, c = COEFFICIENTS
    for _ in range(STEPS):
        s = a * s + b * s**3 + c * s**5
    return s


@cache
def largest() -> float:
    """A bound on mapped over [0, 1]: its largest value on a grid, and what may lie between.

    A step maps [0, 1.25] into itself, so that the product of five slopes is at most the fifth power
    of the largest one there: at an end, or where the second derivative vanishes.
    """
    a, b, c = COEFFICIENTS
    squares = np.array([0.0, -3 * b / (10 * c), WIDEST**2])
    steepest = float(np.max(np.abs(a + 3 * b * squares + 5 * c * squares**2)))
    grid = np.linspace(0.0, 1.0, 400_001)
    return float(np.max(mapped(grid))) + steepest**STEPS * 0.5 / 400_000


def scale(kernel: Kernel, shape: tuple[int, int]) -> float:
    """The factor of a step for a matrix of this shape, in the kernel's form."""
    return float(muon.shape_scale(cast(muon.Hyper, kernel.hyper({})), *shape))


def with_singular_values(s: Array, shape: tuple[int, int], seed: int) -> tuple[Array, Array, Array]:
    """Orthonormal U and V', and the matrix U diag(s) V'."""
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.standard_normal((shape[0], len(s))))[0]
    V = np.linalg.qr(rng.standard_normal((shape[1], len(s))))[0]
    return U, V.T, U @ np.diag(s) @ V.T
