"""What a check is, in a sentence: what a family of cases varies, what a law says."""

import importlib
import inspect
from collections.abc import Callable, Iterator
from functools import cache

from truestep.properties.laws.claims import PREFIX
from truestep.reports.listing import LAWS

# The kinds whose checks are families of cases.
_KINDS = ("minimizer", "optimizer", "quantizer", "schedule", "training")
_BESIDE = {
    "closed_form": "the errors of a whole run, added up",
    "strata": "the declared input space, every stratum of every axis",
}


@cache
def explained(kind: str, check: str) -> str:
    """The sentence, without its full stop; "" for a name that no table has."""
    if kind not in _KINDS:
        return ""
    if check.startswith(PREFIX):
        return _laws(kind).get(check.removeprefix(PREFIX), "")
    families = importlib.import_module(f"truestep.properties.kinds.{kind}.families").FAMILIES
    return str(families[check].about) if check in families else _beside(kind).get(check, "")


@cache
def _laws(kind: str) -> dict[str, str]:
    return dict(_described(kind))


def _described(kind: str) -> Iterator[tuple[str, str]]:
    for of, module, table in LAWS:
        if of == kind:
            found: dict[str, Callable[..., object]] = vars(importlib.import_module(module))[table]
            yield from ((name, _sentence(law)) for name, law in found.items())


@cache
def _beside(kind: str) -> dict[str, str]:
    """What is neither: statistics of many roundings, and the strata."""
    if kind != "optimizer":
        return _BESIDE
    from truestep.properties.kinds.optimizer.statistics import STATISTICS

    return _BESIDE | {name: _sentence(test) for name, test in STATISTICS.items()}


def _sentence(told: object) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join((inspect.getdoc(told) or "").split("\n\n")[0].split()).rstrip(".")
