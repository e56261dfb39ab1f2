"""Mutants that no check kills and none should: each with the reason, as ``survivors.toml`` has it.

A reason begins with its sort. equivalent: every kernel computes the same. rounding: what changes is
within what a faithful kernel may round. open: the definition does not say which, or says so only of
inputs that no kernel is given.
"""

import tomllib
from collections.abc import Mapping
from importlib.resources import files

SORTS = ("equivalent", "open", "rounding")


def survivors() -> Mapping[str, str]:
    """The reasons by the mutants' names; ValueError where one is of no sort."""
    text = (files("truestep.properties.museum") / "survivors.toml").read_text("utf-8")
    found: dict[str, str] = {}
    for home, reasons in tomllib.loads(text).items():
        for reason, names in reasons.items():
            if reason.partition(":")[0] not in SORTS:
                raise ValueError(f"survivors.toml: {home}: {reason!r} begins with none of {SORTS}")
            found |= {f"{home} {name}": reason for name in names}
    return found
