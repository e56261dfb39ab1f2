"""Float64 arrays that tell which comparisons a rule's lines make, and how each came out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from truestep.properties.arithmetic.lift import Lift
from truestep.properties.arithmetic.numpy_table import COMPARISONS
from truestep.reference.validation import Array

# What chooses one of its operands, by the comparison with which it does.
_CHOOSING = {np.fmax: np.greater, np.fmin: np.less, np.maximum: np.greater, np.minimum: np.less}

Outcome = NDArray[np.bool_]


class Watched(np.ndarray):
    """An array whose comparisons are written down in outcomes, as are those of what it becomes."""

    outcomes: list[Outcome]

    def __array_finalize__(self, whole: Array) -> None:
        self.outcomes = getattr(whole, "outcomes", [])

    @classmethod
    def of(cls, x: Array, outcomes: list[Outcome]) -> Self:
        """x in float64."""
        made = np.asarray(x, dtype=np.float64).view(cls)
        made.outcomes = outcomes
        return made

    def __getitem__(self, index: Array) -> Array:
        return self._kept(super().__getitem__(index))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Array, **kwargs: Array) -> Array:
        plain = [_plain(x) for x in args]
        if method == "__call__":
            self._compared(ufunc, plain)
        if "out" in kwargs:  # as NumPy's own mean has it
            kwargs["out"] = tuple(map(_plain, kwargs["out"]))
        return self._kept(getattr(ufunc, method)(*plain, **kwargs))

    def __array_function__(
        self,
        function: Callable[..., Array],
        _: object,
        args: Iterable[Array],
        kwargs: Mapping[str, Array],
    ) -> Array:
        found = super().__array_function__(function, (Watched,), args, kwargs)
        return self._kept(found)

    def _compared(self, ufunc: np.ufunc, given: Sequence[Array]) -> None:
        if ufunc.__name__ == "clip":
            x, low, high = given
            self.outcomes += [np.asarray(x < low), np.asarray(x > high)]
        elif ufunc in COMPARISONS or ufunc in _CHOOSING:
            self.outcomes.append(np.asarray(_CHOOSING.get(ufunc, ufunc)(*given)))

    def _kept(self, x: Array) -> Array:
        """A result that is compared as its operands are; masks are what they were."""
        if isinstance(x, tuple):
            kept = map(self._kept, x)
            return type(x)(*kept) if hasattr(x, "_fields") else tuple(kept)
        known = isinstance(x, np.ndarray | np.floating) and x.dtype == np.float64
        return Watched.of(x, self.outcomes) if known else x


def _plain(x: Array) -> Array:
    return np.asarray(x) if isinstance(x, Watched) else x


def watched(outcomes: list[Outcome]) -> Lift:
    """Numbers in float64, the outcomes of whose comparisons are appended, in the lines' order."""
    return Lift(
        lambda x: x if np.asarray(x).dtype.kind in "biu" else Watched.of(x, outcomes),
        lambda _, x: x,
        lambda _, x: x,
    )
