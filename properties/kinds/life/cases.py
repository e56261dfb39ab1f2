"""Cases of objects with a life: what one is made of, and the events of its life."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from truestep.fast.protocol import Array, LifeCapability, Operation, Program, numpy_dtype
from truestep.properties.cases.restored import recorded

FORMATS = ("float32", "bfloat16", "float64", "float16")
# Numbers that a group may be given between two steps.
SETTABLE = ("lr", "weight_decay", "momentum", "betas.0", "eps")
_SHAPES = ((3,), (2, 2), (1,))
_MATRICES = ((2, 3), (3, 2), (2, 2))


@dataclass(frozen=True, slots=True)
class Event:
    """One event: a step, in which gradients may be absent or zero, or a number that is set.

    what: "step"; "none", "infinite" and "zero", a step in which the gradient of one parameter,
    numbered by which, is absent or infinite, or those of all are zero; "set", where which counts
    numbers and groups, and factor is what the number is multiplied by.
    """

    what: str
    which: int = 0
    factor: float = 0.5


@dataclass(frozen=True, slots=True)
class LifeCase:
    """An object's groups, by how many parameters each has; events; and where it is renewed.

    formats: of the parameters, one after the other, over again. cuts: the events before which the
    object is given up for another one. seed: of parameters, gradients and measured values.
    """

    groups: tuple[int, ...] = (1,)
    formats: tuple[str, ...] = ("float32",)
    events: tuple[Event, ...] = (Event("step"),)
    cuts: tuple[int, ...] = ()
    seed: int = 0

    def to_json(self) -> dict[str, object]:
        """A dictionary that json accepts and restored reads back exactly."""
        return recorded(self)

    @property
    def count(self) -> int:
        """The number of parameters."""
        return sum(self.groups)


def array(case: LifeCase, capability: LifeCapability, place: int, draw: int) -> Array:
    """The parameter of that place where draw is 0, else its gradient at the event before draw.

    Multiples of 1/8 other than 0, so that every format has them.
    """
    shapes = _MATRICES if capability.shapes == "matrices" else _SHAPES
    format = case.formats[place % len(case.formats)] if "formats" in capability.offers else ""
    shape = shapes[place % len(shapes)]
    mixed = 1 + case.seed % 97 + 5 * place + 11 * draw
    drawn = (mixed * (2 * np.arange(np.prod(shape)) + 3) + mixed**2) % 31 - 15.5
    values = (drawn + 0.5 * np.sign(drawn)) / 8
    found: Array = values.reshape(shape).astype(numpy_dtype(format or capability.format))
    return found


def groups_of(case: LifeCase, capability: LifeCapability) -> list[Operation]:
    """The groups, each with a rate and a decay of its own where there are several."""
    found: list[Operation] = []
    for place, count in enumerate(case.groups):
        first = sum(case.groups[:place])
        names = ("lr", "weight_decay") if "groups" in capability.offers else ()
        numbers = {name: x / 2**place for name, x in capability.numbers.items() if name in names}
        params = [array(case, capability, first + k, 0) for k in range(count)]
        found.append({"params": params, **numbers})
    return found


def made(case: LifeCase, capability: LifeCapability, **more: object) -> Operation:
    """The construction."""
    return {
        "do": "make",
        "groups": groups_of(case, capability),
        "numbers": dict(capability.numbers),
        **more,
    }


def grads_of(case: LifeCase, capability: LifeCapability, at: int) -> list[Array | None]:
    """The gradients of the event at that place."""
    event = case.events[at]
    found: list[Array | None] = [array(case, capability, k, at + 1) for k in range(case.count)]
    if event.what == "zero":
        return [None if g is None else np.zeros_like(g) for g in found]
    if event.what == "none" and "none" in capability.offers:
        found[event.which % case.count] = None
    if event.what == "infinite":
        return _infinite(found, event.which % case.count)
    return found


def _infinite(grads: list[Array | None], place: int) -> list[Array | None]:
    """The gradients, of which that at this place is infinite."""
    return [
        np.full_like(g, np.inf) if k == place and g is not None else g for k, g in enumerate(grads)
    ]


def infinite_step(case: LifeCase, capability: LifeCapability, place: int) -> Operation:
    """A step in which the gradient of the parameter at that place is infinite."""
    grads = [array(case, capability, k, 1) for k in range(case.count)]
    return {"do": "step", "grads": _infinite([*grads], place), "metric": 0.0}


def operation(case: LifeCase, capability: LifeCapability, at: int) -> Operation:
    """The event at that place as an operation."""
    event = case.events[at]
    names = [name for name in SETTABLE if name in capability.numbers]
    if event.what == "set" and names:
        name = names[event.which % len(names)]
        group = event.which // len(names) % len(case.groups)
        value = capability.numbers[name] * event.factor
        return {"do": "set", "group": group, "name": name, "value": value}
    metric = float((case.seed + at * at) % 3)
    return {"do": "step", "grads": grads_of(case, capability, at), "metric": metric}


def operations(case: LifeCase, capability: LifeCapability) -> list[Operation]:
    """All events as operations."""
    return [operation(case, capability, at) for at in range(len(case.events))]


def unnumbered(begin: Operation) -> Operation:
    """A construction whose groups have the constructor's numbers alone."""
    return {**begin, "groups": [{"params": group["params"]} for group in begin["groups"]]}


LOOK: Operation = {"do": "look"}


def life(
    case: LifeCase, capability: LifeCapability, renewal: Operation | None = None
) -> list[Operation]:
    """The whole life, renewed at the cuts where a renewal is given; a look after every event."""
    found = [made(case, capability)]
    for at in range(len(case.events)):
        if renewal is not None and at in case.cuts:
            found.append(renewal)
        found += [operation(case, capability, at), LOOK]
    return found


def strategy(capability: LifeCapability, whats: Sequence[str]) -> st.SearchStrategy[LifeCase]:
    """Lives of up to six events of these sorts."""
    several = "groups" in capability.offers
    event = st.builds(
        Event, st.sampled_from(whats), st.integers(0, 9), st.sampled_from((0.5, 0.75))
    )
    formats = st.lists(st.sampled_from(FORMATS), min_size=1, max_size=3).map(tuple)
    return st.builds(
        LifeCase,
        groups=st.sampled_from(
            ((1,), (2,), (1, 1), (1, 2), (1, 1, 1)) if several else ((1,), (2,))
        ),
        formats=formats if "formats" in capability.offers else st.just(("float32",)),
        events=st.lists(event, min_size=1, max_size=6).map(tuple),
        cuts=st.lists(st.integers(0, 5), min_size=1, max_size=2, unique=True).map(tuple),
        seed=st.integers(0, 2**16),
    )


def first(capability: LifeCapability, whats: Sequence[str]) -> tuple[LifeCase, ...]:
    """Lives that are tried first, from the simplest on: with every sort of event, and formats."""
    rest = [Event(what, which) for which, what in enumerate(whats) if what != "step"]
    step, several = Event("step"), "groups" in capability.offers
    groups = ((1,), (1, 2), (1, 1)) if several else ((1,), (2,), (2,))
    return (
        LifeCase(groups[0], events=(step, step), cuts=(1,)),
        LifeCase(groups[1], events=(step, step, *rest, step, step), cuts=(2,), seed=1),
        LifeCase(groups[2], ("bfloat16", "float64"), (step, *rest, step, step), (1, 3), 2),
    )


def words(program: Program) -> str:
    """A program in one line, without its looks."""
    return "; ".join(_word(op) for op in program if op["do"] != "look")


def _word(op: Operation) -> str:
    if op["do"] == "make":
        tensors = [[f"{x.dtype}{list(x.shape)}" for x in g["params"]] for g in op["groups"]]
        return f"make {tensors}{_rest(op, 'groups', 'numbers')}"
    if op["do"] == "step":
        grads = op["grads"]
        told = [_gap(g) for g in grads]
        gaps = ", ".join(f"{word} for {k}" for k, word in enumerate(told) if word)
        return f"step{f' (gradient {gaps})' if gaps else ''}{_rest(op, 'grads', 'metric')}"
    if op["do"] == "fork":
        return f"fork{_rest(op, 'program')} [{words(op['program'])}]"
    if op["do"] == "add":
        return f"add {[str(x.dtype) for x in op['group']['params']]}"
    return f"{op['do']}{_rest(op)}"


def _gap(grad: Array | None) -> str:
    if grad is None:
        return "none"
    return (
        "" if np.any(grad) and np.all(np.isfinite(grad)) else "infinite" if np.any(grad) else "zero"
    )


def _rest(op: Operation, *besides: str) -> str:
    return "".join(f" {k}={x}" for k, x in op.items() if k not in ("do", *besides))
