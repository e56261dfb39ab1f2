"""What a check is, in a sentence: what a family of cases varies, what a law says."""

import importlib
import inspect
from collections.abc import Callable, Iterator
from functools import cache

from truestep.properties.laws.claims import PREFIX
from truestep.reports.listing import LAWS

# The kinds whose checks are families of cases.
_KINDS = ("life", "minimizer", "optimizer", "quantizer", "schedule", "training")
_STRATA = {"strata": "the declared input space, every stratum of every axis"}
_BESIDE = {
    "quantizer": {
        "all_codes": "the value of every code, which must be stored as that code",
        "edges": "extreme and special values among drawn ones, in short and partial groups",
        "every_code": "every code, read bit for bit",
        "frequency": "how often stochastic rounding goes up, by exact binomial tests",
        "independence": "whether the draws of stochastic rounding repeat",
        "random": "drawn tensors of every kind and scale",
        "sixteen_bits": "every number of the formats of sixteen bits",
        "thresholds": "the numbers at which the code changes, and their neighbours",
    },
    "schedule": {"closed_form": "the errors of a whole run, added up"},
}


@cache
def explained(kind: str, check: str) -> str:
    """The sentence, without its full stop; "" for a name that no table has."""
    if kind not in _KINDS:
        return ""
    if check.startswith(PREFIX):
        return _laws(kind).get(check.removeprefix(PREFIX), "")
    module = importlib.import_module(f"truestep.properties.kinds.{kind}.families")
    families = getattr(module, "FAMILIES", {})
    return str(families[check].about) if check in families else _beside(kind).get(check, "")


@cache
def _laws(kind: str) -> dict[str, str]:
    return dict(_described(kind))


def _described(kind: str) -> Iterator[tuple[str, str]]:
    # A rule that evaluates the function is held to the laws of those that take a gradient.
    whose = "optimizer" if kind == "minimizer" else kind
    for of, module, table in LAWS:
        if of == whose:
            found: dict[str, Callable[..., object]] = vars(importlib.import_module(module))[table]
            yield from ((name, _sentence(law)) for name, law in found.items())


@cache
def _beside(kind: str) -> dict[str, str]:
    """What is neither: statistics of many roundings, the strata, families without a table."""
    if kind != "optimizer":
        return _STRATA | _BESIDE.get(kind, {})
    from truestep.properties.kinds.optimizer.statistics import STATISTICS

    return _STRATA | {name: _sentence(test) for name, test in STATISTICS.items()}


def _sentence(told: object) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join((inspect.getdoc(told) or "").split("\n\n")[0].split()).rstrip(".")
