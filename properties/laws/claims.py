"""A law's claims that two results agree, and their judgement; a table of laws from its modules."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import Array
from truestep.properties.judge.contracts import Judged, agreement

# What the name of a check begins with that is a law's.
PREFIX = "law:"
# A power of two: scaling by it is exact, so that homogeneity holds bit for bit.
SCALE = 2.0**6


@dataclass(frozen=True, slots=True)
class Claim:
    """left and right agree: bit for bit if bound is None, else within bound, element by element.

    steps: where elements are values at several steps, which these are.
    """

    tensor: str
    left: Array
    right: Array
    bound: NDArray[np.float64] | None = None
    steps: Sequence[int] = ()


Claims = Iterator[Claim]
Law = TypeVar("Law", bound=Callable[..., Claims])


def judged(claims: Iterable[Claim]) -> Iterator[Judged]:
    """Every claim by the agreement of its sides, at the step of the worst element."""
    waiting = iter(claims)
    while True:
        with np.errstate(all="ignore"):
            claim = next(waiting, None)
            if claim is None:
                return
            judgement = agreement(claim.left, claim.right, claim.bound)
        step = claim.steps[judgement.index[0]] if claim.steps and judgement.index else 0
        yield Judged(step, 0, 0, claim.tensor, judgement)


def by_name(*laws: Law) -> dict[str, Law]:
    """A table of laws in alphabetical order."""
    return {law.__name__: law for law in sorted(laws, key=lambda law: law.__name__)}


def table(*modules: ModuleType) -> dict[str, Callable[..., Claims]]:
    """All the laws that modules state, which are their public functions."""
    return by_name(
        *(
            found
            for module in modules
            for name, found in vars(module).items()
            if isinstance(found, FunctionType)
            and found.__module__ == module.__name__
            and not name.startswith("_")
        )
    )


def about(law: Callable[..., Claims]) -> str:
    """What a law says."""
    return (law.__doc__ or "").strip()
