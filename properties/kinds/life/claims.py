"""What a law of objects with a life claims: that two programs end alike, or that one raises."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from truestep.fast.protocol import Array, LifeCapability, Observation, Program
from truestep.properties.kinds.life.cases import LOOK, LifeCase, life, made, operations

# A step of an elementwise rule rounds no number more often.
ROUNDINGS = 64
# What of an observation is compared, by name.
View = Callable[[Observation], dict[str, Array | None]]


@dataclass(frozen=True, slots=True)
class Alike:
    """The last observations of two programs agree in what each view shows, in every bit.

    The program got is on trial, due says what it should have come to. differ: they are to differ
    instead. near: to within ROUNDINGS of the largest number, where they are computed in other ways.
    """

    got: Program
    due: Program
    view: View
    of_due: View | None = None
    differ: bool = False
    near: bool = False


@dataclass(frozen=True, slots=True)
class Raises:
    """The program raises at its last operation, whatever kind of Exception; due: what is wrong."""

    got: Program
    due: str


Claim = Alike | Raises
Law = Callable[[LifeCapability, LifeCase], Iterator[Claim]]


def whole(seen: Observation) -> dict[str, Array | None]:
    """Parameters, states, and the numbers of the groups."""
    found: dict[str, Array | None] = {}
    for k, group in enumerate(seen["groups"]):
        found |= {f"group {k}: {name}": x for name, x in group.items()}
    return {**tensors()(seen), **found}


def tensors(places: Sequence[int] | None = None, *, state: bool = True) -> View:
    """The parameters of these places, with their states; those of all, where none are given."""

    def view(seen: Observation) -> dict[str, Array | None]:
        found: dict[str, Array | None] = {}
        for k, place in enumerate(range(len(seen["params"])) if places is None else places):
            found[f"p of parameter {k}"] = seen["params"][place]
            held = seen["state"][place] if state else {}
            found |= {f"{name} of parameter {k}": x for name, x in held.items()}
        return found

    return view


def rates(seen: Observation) -> dict[str, Array | None]:
    """The numbers of the groups as a scheduler leaves them."""
    return {
        f"{name} of group {k}": x
        for k, group in enumerate(seen["groups"])
        for name, x in group.items()
        if name != "initial_lr"
    }


def resumed(
    capability: LifeCapability, case: LifeCase, view: View, **renewal: object
) -> Iterator[Claim]:
    """That a life that another object goes on with at the cuts is as one that was not cut."""
    renewed = {"do": "renew", **renewal}
    yield Alike(life(case, capability, renewed), life(case, capability), view)


def forked(
    capability: LifeCapability, case: LifeCase, view: View, **how: object
) -> Iterator[Claim]:
    """That an object and its copy by a state dictionary know nothing of each other's steps."""
    begin, steps = made(case, capability), operations(case, capability)
    fork = {"do": "fork", **how, "program": steps, "way": "state_dict"}
    yield Alike([begin, *steps, fork, *steps, LOOK], [begin, *steps, *steps, LOOK], view)
