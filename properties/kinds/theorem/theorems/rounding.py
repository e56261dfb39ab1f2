"""How far rounding moves what an experiment follows."""

from collections.abc import Sequence

import numpy as np

from truestep.reference.validation import Array


def of_step(u: float, before: Array, after: Array, lr: float, g: Array) -> float:
    """What one plain step may err in any coordinate.

    It rounds p', lr, g and lr g, each by at most u of itself; p counts for what stores before it.
    """
    sizes = (float(np.max(np.abs(x), initial=0.0)) for x in (before, after, g))
    p, moved, pull = sizes
    return u * (p + moved + 3 * lr * pull)


def carried(errors: Sequence[float], responses: Sequence[float]) -> float:
    """What errors of the steps so far amount to, where one of k steps ago counts responses[k]."""
    n = len(errors)
    return float(np.dot(errors, np.asarray(responses[:n])[::-1]))
