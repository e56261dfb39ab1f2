"""The call of a backend: whose fault an exception is, and what has to come back."""

import traceback
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np

from truestep.fast.protocol import Array

P = ParamSpec("P")
Result = TypeVar("Result")


class BackendFault(AssertionError):
    """A backend broke the protocol: a wrong shape, dtype or counter, or a written input."""


class BackendRaised(Exception):
    """The backend raised an exception; the text holds its type, message and last lines."""


def backend_call(method: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Call the backend; its exceptions become BackendRaised, so that ours are not blamed on it."""
    try:
        return method(*args, **kwargs)
    except Exception as error:
        last = "".join(traceback.format_exception(error)[-3:]).rstrip()
        raise BackendRaised(
            f"the backend raised {type(error).__name__}: {error}\n{last}"
        ) from error


def require_array(
    what: str, got: object, shape: tuple[int, ...], dtype: np.dtype[np.generic], place: str = ""
) -> Array:
    """got, an ndarray of that shape and dtype; raise BackendFault otherwise."""
    if not isinstance(got, np.ndarray):
        raise BackendFault(f"{what} must be an ndarray, got {type(got).__name__}{place}")
    if got.shape != shape:
        raise BackendFault(f"{what} has shape {got.shape}, expected {shape}{place}")
    if got.dtype != dtype:
        raise BackendFault(f"{what} has dtype {got.dtype}, expected {dtype}{place}")
    return got
