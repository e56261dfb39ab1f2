"""Whose state is whose: a rule's tensors and an optimizer's, paired by their values."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

import numpy as np

from truestep.fast.protocol import Array
from truestep.fast.wrapped.forms import Walk, apart
from truestep.fast.wrapped.trials import Named, Trial

# What a counter may be ahead of the number of steps made, and still count them.
_AHEAD = (0, 1, -1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an optimizer keeps something: by name in its state of a tensor, or of a group.

    negative: it keeps the negative. squeezed: the axis of size 1 that it leaves out. shape: the
    rule's own in a trial. like: what it kept at the end of that trial. ahead: of a counter, by how
    much. parts: where the reference joins in one array what it keeps for every axis, under a name
    that ends in the axis's number: vectors along the axis, or square matrices.
    """

    where: Literal["state", "group"]
    name: str
    like: Any
    negative: bool = False
    squeezed: int | None = None
    shape: tuple[int, ...] = ()
    ahead: int = 0
    parts: Literal["", "sides", "squares"] = ""


def counter(trial: Trial) -> Place | None:
    """Where the number of steps is kept, if anywhere."""
    for where, name, kept in _entries(trial):
        for ahead in _AHEAD:
            wanted = [t + 1 + ahead for t in range(len(kept))]
            pairs = zip(kept, wanted, strict=True)
            if all(np.size(x) == 1 and float(np.ravel(x)[0]) == t for x, t in pairs):
                return Place(where, name, kept[-1], ahead=ahead)
    return None


def places(
    walks: Sequence[Walk], trials: Sequence[Trial], within: float, initial: Sequence[Named]
) -> tuple[dict[str, Place], list[str]]:
    """Where each field of the rule's state is kept, and which fields are kept nowhere.

    A field that stays what it was at the start need not be kept. walks, initial: the
    rule's, trial by trial, of the first trials. within: how far values may be apart, by the largest
    of them.
    """
    found: dict[str, Place] = {}
    missing: list[str] = []
    for field in (name for name in walks[0][0][0] if name != "t"):
        options = [
            _options(field, walk, trial, within)
            for walk, trial in zip(walks, trials, strict=False)
            if _alive(field, walk)
        ]
        common = (
            [o for o in options[0] if all(_among(o, each) for each in options[1:])]
            if options
            else []
        )
        if common:
            found[field] = max(common, key=lambda place: _likeness(field, place))
        elif any(_moves(field, walk, start) for walk, start in zip(walks, initial, strict=False)):
            missing.append(field)
    return found, missing


def unexplained(trial: Trial, places: Iterable[Place]) -> list[str]:
    """What changes from step to step in the state of a tensor, and stands in none of the places."""
    known = {*(place.name for place in places), *copies(trial.states, trial.params)}
    joined = tuple(place.name for place in places if place.parts)
    return [
        name
        for where, name, kept in _entries(trial)
        if where == "state"
        and name not in known
        and not (joined and name.startswith(joined))
        and any(not np.array_equal(x, kept[0], equal_nan=True) for x in kept)
    ]


def copies(states: Sequence[Named], params: Sequence[Array]) -> list[str]:
    """What is the parameter after every step, as a copy of it in a wider format is."""
    return [
        name
        for name in states[-1]
        if all(np.array_equal(s.get(name, ()), p) for s, p in zip(states, params[1:], strict=True))
    ]


def _alive(field: str, walk: Walk) -> bool:
    return any(np.any(state[field]) for state, _ in walk)


def _moves(field: str, walk: Walk, start: Named) -> bool:
    return any(not np.array_equal(state[field], start[field]) for state, _ in walk)


def _among(place: Place, options: Iterable[Place]) -> bool:
    mine = (place.where, place.name, place.negative, place.parts)
    return any((o.where, o.name, o.negative, o.parts) == mine for o in options)


def _options(field: str, walk: Walk, trial: Trial, within: float) -> list[Place]:
    wanted = [np.asarray(state[field]) for state, _ in walk]
    found = []
    for where, name, kept in _entries(trial):
        if all(np.size(x) == w.size for x, w in zip(kept, wanted, strict=True)):
            for negative in (False, True):
                pairs = zip(kept, wanted, strict=True)
                if all(_same(x, -w if negative else w, within) for x, w in pairs):
                    axis = _squeezed(np.shape(kept[-1]), wanted[-1].shape)
                    shape = wanted[-1].shape
                    found.append(Place(where, name, kept[-1], negative, axis, shape))
    if wanted[0].ndim == 1:
        found += [
            Place("state", name, None, parts=parts)
            for name, parts, kept in _series(trial)
            if all(_same(x, w, within) for x, w in zip(kept, wanted, strict=True))
        ]
    return found


def shapes(parts: str, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The shapes of what is kept for every axis of a tensor."""
    if parts == "squares":
        return [(n, n) for n in shape]
    if len(shape) < 2:
        return [shape]
    return [tuple(n if a == axis else 1 for a in range(len(shape))) for axis, n in enumerate(shape)]


def _series(trial: Trial) -> Iterator[tuple[str, Literal["sides", "squares"], list[Array]]]:
    """What is kept for axes, joined, after every step; the name without the number."""
    shape, last = trial.params[0].shape, trial.states[-1]
    numbered = (name for name in last if name[-1].isdigit())
    for name in dict.fromkeys(each.rstrip("0123456789") for each in numbered):
        for parts in _PARTS:
            due = {f"{name}{axis}": each for axis, each in enumerate(shapes(parts, shape))}
            kept = [each for each in due if each in last]
            if kept and all(np.shape(last[each]) == due[each] for each in kept):
                steps = [[state.get(each, ()) for each in kept] for state in trial.states]
                yield name, parts, [np.concatenate([*map(np.ravel, step)]) for step in steps]


_PARTS: tuple[Literal["sides", "squares"], ...] = ("sides", "squares")


def _same(x: object, wanted: Array, within: float) -> bool:
    got = np.asarray(x, np.float64)
    if got.size != wanted.size:
        return False
    got = got.reshape(wanted.shape)
    return apart(got, wanted, np.max(np.abs(wanted), initial=0.0)) <= within


def _squeezed(got: tuple[int, ...], wanted: tuple[int, ...]) -> int | None:
    for axis in range(-1, -len(wanted) - 1, -1):
        index = len(wanted) + axis
        if wanted[index] == 1 and wanted[:index] + wanted[index + 1 :] == got:
            return axis
    return None


def _entries(trial: Trial) -> Iterator[tuple[Literal["state", "group"], str, list[Any]]]:
    """Numbers and arrays of numbers that are there after every step."""
    steps: tuple[tuple[Literal["state", "group"], Sequence[Mapping[str, Any]]], ...] = (
        ("state", trial.states),
        ("group", trial.groups),
    )
    for where, kept in steps:
        for name in kept[-1]:
            values = [each.get(name) for each in kept]
            if all(_numeric(x) for x in values):
                yield where, name, values


def _numeric(x: object) -> bool:
    if isinstance(x, np.ndarray):
        return x.dtype.kind in "fiu"
    return isinstance(x, (int, float)) and not isinstance(x, bool)


# What tensors are called that two fields could be, as v and its maximum while it grows.
USUAL: Mapping[str, tuple[str, ...]] = {
    "b": ("momentum_buffer", "buf", "momentum", "velocity"),
    "m": ("exp_avg", "momentum_buffer", "mu", "first_moment", "momentum"),
    "v": ("exp_avg_sq", "nu", "second_moment", "square_avg"),
    "v_max": ("max_exp_avg_sq",),
}


def _likeness(field: str, place: Place) -> tuple[bool, float]:
    names = (field, *USUAL.get(field, ()))
    return not place.negative, max(SequenceMatcher(None, n, place.name).ratio() for n in names)
