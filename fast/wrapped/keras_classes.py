"""Keras, and what of it can be wrapped.

Keras runs on the backend that KERAS_BACKEND names; where it names none, on the first that is
installed.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Mapping

from truestep.fast.locating import BrokenBackend
from truestep.fast.protocol import BackendUnavailable

_VARIABLE, _BACKENDS = "KERAS_BACKEND", ("tensorflow", "torch", "jax", "numpy")
_chosen = "keras" not in sys.modules and _VARIABLE not in os.environ
if _chosen:
    os.environ[_VARIABLE] = next(name for name in _BACKENDS if importlib.util.find_spec(name))
try:
    import keras
except Exception as error:
    raise BackendUnavailable(f"keras cannot be imported: {error}") from error
finally:
    if _chosen:
        del os.environ[_VARIABLE]

__all__ = ["Make", "keras", "looked_at"]

Make = Callable[..., keras.optimizers.Optimizer]


def looked_at(
    make: Make, rule: str | None = None, options: Mapping[str, object] | None = None
) -> Make:
    """What makes optimizers; raises BrokenBackend for what cannot."""
    if not callable(make) or (
        inspect.isclass(make) and not issubclass(make, keras.optimizers.Optimizer)
    ):
        raise BrokenBackend(
            f"{make!r} is no keras.optimizers.Optimizer, and no function that makes one"
        )
    return make
