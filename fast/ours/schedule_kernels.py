"""The kernels of schedules, as csrc/schedules declares them: which there are, and their values."""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from truestep.fast import _core
from truestep.fast.protocol import Capability, ScheduleCapability
from truestep.reference.declared import Hyper
from truestep.reference.rules import Departure
from truestep.reference.schedules import SCHEDULES


@cache
def schedules() -> dict[str, tuple[int, tuple[str, ...]]]:
    """Of each schedule its number in the extension, and the fields that it reads in its order."""
    return {
        name: (place, tuple(field.removesuffix("[]") for field in hyper.split()))
        for place, (name, hyper) in enumerate(_core.schedules())
    }


def row(rule: str, h: Hyper) -> list[float]:
    """The hyperparameters as doubles: of a choice its place, of a list its length and then it."""
    choices, names = SCHEDULES[rule].Hyper.CHOICES, schedules()[rule][1]
    for name in choices:
        if name not in names and (value := getattr(h, name)) != choices[name][0]:
            raise ValueError(f"no kernel of {rule} with {name} = {value!r}")
    doubles: list[float] = []
    for name in names:
        value = getattr(h, name)
        if name in choices:
            doubles.append(float(choices[name].index(value)))
        elif isinstance(value, tuple):
            doubles += [float(len(value)), *map(float, value)]
        else:
            doubles.append(float(value))
    return doubles


def values(rule: str, h: Hyper, steps: Sequence[int]) -> NDArray[np.float64]:
    """The learning rates of the steps after so many steps made.

    Raises ValueError where the schedule has no value.
    """
    if rule not in schedules():
        raise ValueError(f"no kernel of {rule}; there are {', '.join(sorted(schedules()))}")
    counts = np.array(steps, dtype=np.int64)
    found = np.empty(len(counts))
    _core.schedule_values(schedules()[rule][0], np.array(row(rule, h)), counts, found)
    return defined(h, counts, found)


def defined(h: Hyper, steps: NDArray[np.int64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values found; raise where one is nan, which says that the schedule has none."""
    for t in steps[np.isnan(found)]:
        raise ValueError(f"there is no value past the end of {h!r}, got t = {t}")
    return found


def capabilities(arithmetic: str = "ieee_float64") -> list[Capability]:
    """Every schedule in every dialect but departures: a kernel takes all choices at run time.

    The first dialect of each is run at level smoke already.
    """
    return [
        ScheduleCapability(
            rule=rule,
            format="float64",
            arithmetic=arithmetic,
            dialect=dialect,
            variant="+".join(dialect.values()),
            level="standard" if number else "smoke",
        )
        for rule in schedules()
        for number, dialect in enumerate(_dialects(rule))
    ]


def _dialects(rule: str) -> Iterator[dict[str, str]]:
    choices = {
        name: tuple(choice for choice, told in meanings.items() if not isinstance(told, Departure))
        for name, meanings in SCHEDULES[rule].DIALECTS.items()
    }
    for chosen in product(*choices.values()):
        yield dict(zip(choices, chosen, strict=True))
