"""What Muon's iteration makes of one singular value."""

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
# What a subject needs for this: one divisor, the Frobenius norm, and these coefficients.
DIALECT = {"coefficients": ("constant",), "magnitude": ("none",), "norm": ("frobenius",)}


def mapped(s: Array) -> Array:
    """The iteration on singular values, after division by the norm: s' = a s + b s^3 + c s^5."""
    a, b, c = COEFFICIENTS
    for _ in range(STEPS):
        s = a * s + b * s**3 + c * s**5
    return s


def largest() -> float:
    """A bound on mapped over [0, 1]: its largest value on a grid, and what may lie between.

    |s'| <= a + 3 |b| + 5 c bounds one step's slope where s stays within [0, 1.21], as it does, and
    a is the slope that counts: none of the products is above a^5, as every step but the first is
    flatter where the one before was steep. The bound takes a^5 for all.
    """
    grid = np.linspace(0.0, 1.0, 200_001)
    return float(np.max(mapped(grid))) + COEFFICIENTS[0] ** STEPS * 0.5 / 200_000


def scale(kernel: Kernel, shape: tuple[int, int]) -> float:
    """The factor of a step for a matrix of this shape, in the kernel's form."""
    return float(muon.shape_scale(kernel.hyper({}), *shape))


def with_singular_values(s: Array, shape: tuple[int, int], seed: int) -> tuple[Array, Array, Array]:
    """Orthonormal U and V', and the matrix U diag(s) V'."""
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.standard_normal((shape[0], len(s))))[0]
    V = np.linalg.qr(rng.standard_normal((shape[1], len(s))))[0]
    return U, V.T, U @ np.diag(s) @ V.T
