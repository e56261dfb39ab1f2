"""Coordinates of many sizes, each in the middle of a binade, where numbers are evenly spaced."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.reference.validation import Array

# The optima, 1.5 times a power of two: with those that lie within a quarter of it they share a
# binade. Sizes far from 1 show dead zones and cuts of a fixed size.
POWERS = np.array([0.0, 1.0, -30.0, 20.0])
OPTIMUM = 1.5 * 2.0**POWERS * np.array([1.0, -1.0, 1.0, -1.0])


def spacing(kernel: Kernel) -> Array:
    """The distance of neighbouring parameters around each optimum, which is an even one of them."""
    return 2 * kernel.u * 2.0**POWERS


def start(kernel: Kernel, side: float) -> Array:
    """A quarter of the power of two from the optimum, farther from 0 or nearer."""
    return OPTIMUM + side * 0.25 * 2.0**POWERS
