"""NumPy functions by what they do to rounding errors; every arithmetic treats them alike."""

import numpy as np

# Those that only move elements, copy them or leave some out.
MOVES = (
    np.broadcast_to, np.copy, np.expand_dims, np.moveaxis, np.ravel, np.reshape, np.squeeze,
    np.swapaxes, np.transpose,
)  # fmt: skip
COMPARISONS = (np.equal, np.greater, np.greater_equal, np.less, np.less_equal, np.not_equal)
