"""Arithmetics that round more than the declared one: what a kernel does that fails for it alone."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from truestep.fast.protocol import Capability
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.arithmetic.profiles import Arithmetic, arithmetic_of
from truestep.properties.search.identification import Reading
from truestep.reference.rules import Rule

_FORMATS = ("compute", "hyper", "counter")


class _Looser(NamedTuple):
    words: str
    changes: Mapping[str, str | float | bool]


# Nothing of fewer bits than float32: its bounds would hold faults of a percent.
_LOOSER: Sequence[_Looser] = (
    _Looser("functions of the counter in float32", {"counter": "float32"}),
    _Looser("hyperparameters and counter in float32", {"hyper": "float32", "counter": "float32"}),
    _Looser("subnormals flushed to zero", {"subnormals": "flushed"}),
    _Looser("products fused with sums", {"contraction": True}),
    _Looser("division within 2 ulps", {"ulps_division": 2.0}),
    _Looser("square roots within 2 ulps", {"ulps_sqrt": 2.0}),
    _Looser("powers within 8 ulps", {"ulps_power": 8.0}),
    _Looser("functions within 4 ulps", {"ulps_function": 4.0}),
    _Looser("sums one after another", {"summation": "sequential"}),
    _Looser("element operations in float32", {"compute": "float32"}),
)


def looser(rule: Rule, capability: Capability, distance: int) -> Iterator[Reading]:
    """The capability's own form in arithmetics that are looser in so many of these ways."""
    for chosen in itertools.combinations(_open_to(capability), distance):
        yield _reading(rule, capability, chosen)


def loosest(rule: Rule, capability: Capability) -> Reading:
    """The form in the arithmetic that is looser in all of these ways at once.

    What is not within its bounds is within no other's.
    """
    return _reading(rule, capability, _open_to(capability))


def _open_to(capability: Capability) -> list[_Looser]:
    declared = arithmetic_of(capability.arithmetic)
    return [each for each in _LOOSER if _loosens(declared, each.changes)]


def _reading(rule: Rule, capability: Capability, chosen: Sequence[_Looser]) -> Reading:
    own = rule.Hyper()
    dialect = {name: capability.dialect.get(name, getattr(own, name)) for name in rule.DIALECTS}
    words = " and ".join(each.words for each in chosen)
    changes = {name: value for each in chosen for name, value in each.changes.items()}
    made = _loosened(arithmetic_of(capability.arithmetic), words, changes)
    return Reading(
        f"{capability.rule} within the bounds of {words}", rule, dialect, arithmetic=made
    )


def _loosens(declared: Arithmetic, changes: Mapping[str, object]) -> bool:
    return any(
        format_named(str(value)).u > format_named(getattr(declared, name)).u
        if name in _FORMATS
        else float(str(value)) > getattr(declared, name)
        if name.startswith("ulps")
        else value != getattr(declared, name)
        for name, value in changes.items()
    )


def _loosened(declared: Arithmetic, words: str, changes: Mapping[str, object]) -> Arithmetic:
    """Tensors stay in their formats, whatever computes them."""
    kept = {"": declared.stored("").name, **declared.storage}
    told = f"{declared.name}, {words}"
    return replace(declared, name=told, storage=kept, **changes)  # type: ignore[arg-type]
