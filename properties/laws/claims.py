"""A law's claims that two results agree, and their judgement; a table of laws from its modules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import FunctionType, ModuleType

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


def judged(claims: Iterable[Claim]) -> list[Judged]:
    """Every claim by the agreement of its sides, at the step of the worst element."""
    found = []
    with np.errstate(all="ignore"):
        for claim in claims:
            judgement = agreement(claim.left, claim.right, claim.bound)
            step = claim.steps[judgement.index[0]] if claim.steps and judgement.index else 0
            found.append(Judged(step, 0, 0, claim.tensor, judgement))
    return found


def table(*modules: ModuleType) -> dict[str, Callable[..., Claims]]:
    """The laws that modules state, by name in alphabetical order: all their public functions."""
    found = {
        name: function
        for module in modules
        for name, function in vars(module).items()
        if isinstance(function, FunctionType)
        and function.__module__ == module.__name__
        and not name.startswith("_")
    }
    return dict(sorted(found.items()))


def about(law: Callable[..., Claims]) -> str:
    """What a law says."""
    return (law.__doc__ or "").strip()
