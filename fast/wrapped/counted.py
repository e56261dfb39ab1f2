"""Numbers of a state that follow from the count of steps and a hyperparameter.

An optimizer may keep a power of its beta, or the sum of the weights of an average. Which it is
shows over the steps of a trial; any other count has the same function.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from truestep.fast.wrapped.trials import ROUNDED, Named, Trial

# Of a number b in (0, 1) and the count t, t >= 1.
_FUNCTIONS: Mapping[str, Callable[[float, int], float]] = {
    "power": lambda b, t: b**t,
    "one minus power": lambda b, t: 1 - b**t,
    "sum of powers": lambda b, t: (1 - b**t) / (1 - b),
}

Counted = Callable[[Mapping[str, float], int], float]


def recognized(values: Sequence[float], hyper: Named) -> Counted | None:
    """The function of hyperparameters and count that has these values after each step, if any.

    hyper: the numbers of the run by field. The function may be a multiple of the rate.
    """
    for field, b in hyper.items():
        if not isinstance(b, float) or not 0 < b < 1 or field == "lr":
            continue
        for function in _FUNCTIONS.values():
            for scale in ("", "lr"):
                size = hyper.get(scale, 1.0) if scale else 1.0
                if all(
                    math.isclose(x, size * function(b, t + 1), rel_tol=ROUNDED)
                    for t, x in enumerate(values)
                ):
                    return _made(field, function, scale)
    return None


def follows(trial: Trial, name: str, hyper: Named) -> bool:
    """Whether what is kept under a name follows from the count."""
    kept = [each.get(name, ()) for each in trial.states]
    if any(np.size(x) != 1 for x in kept):
        return False
    return recognized([float(np.ravel(x)[0]) for x in kept], hyper) is not None


def _made(field: str, function: Callable[[float, int], float], scale: str) -> Counted:
    def value(numbers: Mapping[str, float], t: int) -> float:
        return (numbers[scale] if scale else 1.0) * function(numbers[field], t)

    return value
