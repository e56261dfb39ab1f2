"""keras on its torch backend, which KERAS_BACKEND has to name while it is imported."""

import os
import sys

import torch

from truestep.fast.protocol import BackendUnavailable

_VARIABLE = "KERAS_BACKEND"

_before = os.environ.get(_VARIABLE)
if "keras" not in sys.modules:
    os.environ[_VARIABLE] = "torch"
try:
    import keras as keras
except Exception as error:
    raise BackendUnavailable(f"keras cannot be imported: {error}") from error
finally:
    os.environ.pop(_VARIABLE, None)
    if _before is not None:
        os.environ[_VARIABLE] = _before
if keras.backend.backend() != "torch":
    raise BackendUnavailable(f"keras runs on {keras.backend.backend()}, not on torch")


def variable(tensor: torch.Tensor) -> keras.Variable:
    """A variable that holds this tensor, in the layout that it has."""
    return keras.Variable(torch.nn.Parameter(tensor, requires_grad=False))
