"""What a group's extreme may be where the numbers that it is taken from err.

format: a block format, of which the groups and the extremes are asked. x, error: of one shape.
"""

from typing import Any

import numpy as np

from truestep.reference import declared
from truestep.reference.validation import Array


def either_sign(format: Any, h: declared.Hyper, x: Array, error: Array) -> Array:
    """Of every group, whether its extreme, if that has a sign, may have the other one."""
    m = format.extremes(h, x)
    if not format.row.signed or not np.any(error):
        return np.zeros(m.shape, bool)
    least = np.abs(format.extremes(h, np.maximum(np.abs(x) - error, 0.0)))
    rivals = np.abs(x) + error >= format.per_element(h, least, x.shape)
    rivals &= (x < 0) != format.per_element(h, m < 0, x.shape)
    either: Array = format.extremes(h, 1.0 * rivals) != 0
    return either


def astray(format: Any, h: declared.Hyper, x: Array, error: Array) -> Array:
    """How far x, as it enters a quotient by the extreme, errs where that errs too.

    With an extreme that is off by a factor of up to 1 + r, (|x| + error) / (1 - r) is at most that
    far from |x|. Where the sign or the size of the extreme is open, infinity.
    """
    if not np.any(error):
        return error
    error = np.broadcast_to(error, x.shape)
    sizes = (np.abs(x), np.maximum(np.abs(x) - error, 0.0), np.abs(x) + error)
    m, least, most = (np.abs(format.extremes(h, size)) for size in sizes)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.maximum(most - m, m - least) / m
    unsure = either_sign(format, h, x, error) | ~(r < 1)
    r = format.per_element(h, np.where(unsure, 0.0, r), x.shape)
    spread = (error + np.where(np.isfinite(x), np.abs(x), 0.0) * r) / (1 - r)
    return np.where(format.per_element(h, unsure, x.shape), np.inf, spread)
