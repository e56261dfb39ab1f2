"""The call of a backend: whose fault an exception is, and what has to come back."""

import traceback
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from truestep.fast.host.messages import Foreign
from truestep.fast.host.walk import arrays_in, in_words
from truestep.fast.protocol import Array, Capability

Result = TypeVar("Result")


class BackendFault(AssertionError):
    """A backend broke the protocol: a wrong shape, dtype or counter, or a written input."""


class Malformed(BackendFault):
    """A result has not the structure, the shape or the format that is due: the adapter's fault."""


class BackendRaised(Exception):
    """The backend raised an exception; the text holds its type, message and last lines."""


class BackendLost(BaseException):
    """The backend's process died or hangs: not an Exception, since a search must not go on."""


def backend_call(method: Callable[..., Result], capability: Capability, *given: object) -> Result:
    """Call the backend; its exceptions become BackendRaised, so that ours are not blamed on it.

    Raises BackendFault where an input has been written.
    """
    # A backend in a process of its own has inputs of its own, which are looked at there.
    mine = [] if is_guarded(method) else list(arrays_in(given))
    before = [x.tobytes() for _, x in mine]
    try:
        result = method(capability, *given)
    except (BackendFault, BackendRaised):
        raise
    except Exception as error:
        last = "".join(traceback.format_exception(error)[-3:]).rstrip()
        raise BackendRaised(
            f"the backend raised {type(error).__name__}: {error}\n{last}"
        ) from error
    for (path, x), was in zip(mine, before, strict=True):
        if x.tobytes() != was:
            raise BackendFault(f"the backend wrote its input {in_words(path)}")
    return result


def is_guarded(method: Callable[..., object]) -> bool:
    """Whether the backend gets copies, in a process of its own, and cannot write what we hold."""
    return bool(getattr(method, "guarded", False))


def require_array(
    what: str, got: object, shape: tuple[int, ...], dtype: np.dtype[np.generic], place: str = ""
) -> Array:
    """got, an ndarray of that shape and dtype; raise Malformed otherwise."""
    if isinstance(got, np.generic) and shape == ():
        got = np.asarray(got)
    if type(got) is not np.ndarray:
        raise Malformed(f"{what} must be an ndarray, got {type_of(got)}{place}")
    if got.shape != shape:
        raise Malformed(f"{what} has shape {got.shape}, expected {shape}{place}")
    if got.dtype != dtype:
        raise Malformed(f"{what} has dtype {got.dtype}, expected {dtype}{place}")
    return got


def require_list(what: str, got: object, count: int, place: str = "") -> None:
    """Raise Malformed unless got is a sequence of so many."""
    if not isinstance(got, Sequence) or isinstance(got, (str, bytes)):
        raise Malformed(f"{what} must be a sequence, got {type_of(got)}{place}")
    if len(got) != count:
        raise Malformed(f"got {len(got)} {what} back for {count}{place}")


def type_of(got: object) -> str:
    """What the type of a result is called, in whichever process it was made."""
    return got.name if isinstance(got, Foreign) else type(got).__name__
