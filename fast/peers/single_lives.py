"""Objects with a life of libraries that are not like torch: optimizers that have no scheduler."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np

from truestep.fast.protocol import Array, Observation, Operation, Program

Held = TypeVar("Held")


class Single(Protocol, Generic[Held]):
    """An optimizer with its parameters."""

    def step(self, grads: Sequence[Array]) -> None:
        """One step."""

    def set(self, name: str, value: float, group: int) -> None:
        """A number of a group from now on."""

    def copied(self, way: str) -> Single[Held]:
        """The object "pickled" or "deepcopied", with its parameters."""

    def fresh(self, *, otherwise: bool) -> Single[Held]:
        """Another object as this one was constructed, or with other numbers, at its parameters."""

    def held(self, *, saved: bool) -> Held:
        """What it saves; after it has been saved to a file and read back."""

    def load(self, held: Held) -> None:
        """Go on from what another one saved."""

    def seen(self) -> Observation:
        """What there is to look at."""


# Makes one of groups and numbers, as in the operation.
Make = Callable[[Sequence[Operation], Mapping[str, float]], Single[Held]]


def lived(
    make: Make[Held], programs: Sequence[Program], formatted: Callable[[str], None], usual: str
) -> list[list[Observation]]:
    """What is seen in lives; formatted: changes the library's default format, which is usual."""
    found = []
    for program in programs:
        try:
            found.append(_seen(make, program, formatted))
        finally:
            formatted(usual)
    return found


def named(numbers: Mapping[str, float]) -> dict[str, float]:
    """The numbers under the names of optax and Keras."""
    return {{"lr": "learning_rate"}.get(name, name): x for name, x in numbers.items()}


def filed(arrays: Sequence[Array]) -> list[Array]:
    """The arrays after they have been in a file."""
    file = io.BytesIO()
    np.savez(file, *arrays)
    file.seek(0)
    read = np.load(file)
    return [read[f"arr_{k}"] for k in range(len(arrays))]


def _seen(
    make: Make[Held], program: Program, formatted: Callable[[str], None]
) -> list[Observation]:
    seen: list[Observation] = []
    one: Single[Held] | None = None
    for at, operation in enumerate(program):
        try:
            if operation["do"] == "make":
                one = make(operation["groups"], operation["numbers"])
            elif operation["do"] == "format":
                formatted(operation["name"])
            else:
                assert one is not None
                one = _done(one, operation, seen)
        except Exception as error:
            text = str(error).partition("\n")[0]
            return [*seen, {"raised": type(error).__name__, "text": text, "at": at}]
    return seen


def _done(one: Single[Held], op: Operation, seen: list[Observation]) -> Single[Held]:
    """The object with which the life goes on."""
    if op["do"] == "look":
        seen.append(one.seen())
    elif op["do"] == "set":
        one.set(op["name"], op["value"], op["group"])
    elif op["do"] == "step":
        one.step(op["grads"])
    elif op["do"] == "fork":
        return _forked(one, op)
    else:
        return _renewed(one, op)
    return one


def _renewed(one: Single[Held], op: Operation) -> Single[Held]:
    way = op["way"]
    if way in ("deepcopied", "pickled"):
        return one.copied(way)
    new = one.fresh(otherwise=bool(op.get("otherwise", False)))
    new.load(one.held(saved=way == "saved"))
    return new


def _forked(one: Single[Held], op: Operation) -> Single[Held]:
    late = bool(op.get("late", False))
    other, held = one.fresh(otherwise=False), one.held(saved=False)
    if not late:
        other.load(held)
    acts, stays = (other, one) if op["stay"] == "original" else (one, other)
    for operation in op["program"]:
        _done(acts, operation, [])
    if late:
        other.load(held)
    return stays
