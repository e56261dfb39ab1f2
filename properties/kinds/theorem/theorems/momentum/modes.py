"""Recursions x_{t+1} = trace x_t - determinant x_{t-1} of momentum, solved."""

import numpy as np

from truestep.reference.validation import Array


def mode(trace: float, determinant: float, steps: int) -> Array:
    """x_0 = 1, x_1, ..., x_steps from rest, x_{-1} = x_0.

    The roots of z^2 - trace z + determinant are r e^{+-i w}, r = sqrt(determinant), where they are
    not real; where they coincide, x_t = (1 + b t) z^t.
    """
    return _combined(trace, determinant, steps, 1.0)


def response(trace: float, determinant: float, steps: int) -> Array:
    """What is left after 0, 1, ..., steps steps of an error 1 of one step: x_{-1} = 0, x_0 = 1."""
    return _combined(trace, determinant, steps, 0.0)


def _combined(trace: float, determinant: float, steps: int, before: float) -> Array:
    t, r = np.arange(steps + 1.0), np.sqrt(determinant)
    discriminant = trace**2 / 4 - determinant
    if abs(discriminant) <= 1e-12 * determinant:
        z = trace / 2
        # (1 - b) / z = before
        return (1 + (1 - before * z) * t) * z**t
    if discriminant > 0:
        a, b = trace / 2 + np.sqrt(discriminant), trace / 2 - np.sqrt(discriminant)
        # c + d = 1 and c / a + d / b = before
        c = (before - 1 / b) / (1 / a - 1 / b)
        return c * a**t + (1 - c) * b**t
    w = np.arccos(trace / (2 * r))
    # r^-1 (cos w - s sin w) = before
    s = (np.cos(w) - before * r) / np.sin(w)
    return r**t * (np.cos(w * t) + s * np.sin(w * t))
