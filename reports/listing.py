"""What ``truestep list`` shows: rules, arithmetics, backends, laws, theorems and planted faults."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

Entry = dict[str, Any]


def _table(module: str, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = getattr(importlib.import_module(module), name)
    return found


def _rules(kind: str) -> list[Entry]:
    return _described_rules(f"truestep.reference.{kind}", kind.upper())


def _described_rules(module: str, table: str) -> list[Entry]:
    """All that an adapter's author needs of a rule: its definition, numbers, state and choices."""
    return [
        {
            "name": name,
            "description": first_line(rule),
            "definition": inspect.getdoc(rule) or "",
            "dialects": {field: dict(choices) for field, choices in _dialects(rule).items()},
            "hyper": {
                f: x for f, x in _defaults(rule, "Hyper").items() if f not in _dialects(rule)
            },
            "state": list(_defaults(rule, "State")),
        }
        for name, rule in sorted(_table(module, table).items())
    ]


def _defaults(rule: Any, name: str) -> dict[str, Any]:
    """The fields of a rule's Hyper or State and their defaults, None where there is none."""
    fields = dataclasses.fields(getattr(rule, name)) if hasattr(rule, name) else ()
    return {f.name: None if f.default is dataclasses.MISSING else f.default for f in fields}


def _arithmetics() -> list[Entry]:
    """The profiles that a capability may declare, each with what it says beyond the defaults."""
    from truestep.properties.arithmetic.profiles import PROFILES

    found = []
    for name, profile in sorted(PROFILES.items()):
        fields = [f.name for f in dataclasses.fields(profile) if f.name != "name"]
        described = {field: getattr(profile, field) for field in fields}
        plain = {field: getattr(PROFILES["ieee_float32"], field) for field in fields}
        words = [
            f"{field} {described[field]}" for field in fields if described[field] != plain[field]
        ]
        found.append(
            {
                "name": name,
                "description": "; ".join(words) or "float32, each operation rounded to nearest",
                "fields": described,
            }
        )
    return found


# The tables of what `truestep list optimizers` names, and what each of their steps takes.
_OPTIMIZERS = (
    ("optimizer", "gradient", "truestep.reference.optimizers", "OPTIMIZERS"),
    ("minimizer", "function", "truestep.reference.optimizers", "FROM_FUNCTION"),
    ("training", "what the training loop hands it", "truestep.reference.training", "TRAINING"),
)


def _optimizers() -> list[Entry]:
    """Every rule and training-loop piece, with its kind of check and what it takes.

    inputs: what else it is handed, by name; LMS and the perceptron take their example's input in
    the gradient's place.
    """
    found = [
        entry
        | {
            "kind": kind,
            "takes": takes,
            "inputs": sorted(_table(module, table)[str(entry["name"])].FACTS.inputs),
        }
        for kind, takes, module, table in _OPTIMIZERS
        for entry in _described_rules(module, table)
    ]
    return sorted(found, key=lambda entry: str(entry["name"]))


def _backends() -> list[Entry]:
    from truestep.fast.discovery import available

    return [
        {"name": name, "description": f"not run here: {reason}" if reason else "can be run here"}
        for name, reason in available().items()
    ]


def _described(module: str, name: str) -> list[Entry]:
    return [
        {"name": key, "description": item if isinstance(item, str) else first_line(item)}
        for key, item in sorted(_table(module, name).items())
    ]


def _schedules() -> list[Entry]:
    """Every schedule with its noted forms and the conditions of Robbins and Monro they satisfy."""
    from truestep.properties.kinds.schedule.robbins_monro import REMARKS, noted

    return [
        entry
        | {
            "robbins_monro": [
                verdict.to_json() | {"remark": REMARKS.get(verdict.formula, "")}
                for verdict in noted(entry["name"])
            ]
        }
        for entry in _rules("schedules")
    ]


# The tables of laws by the kind of rule that they speak of.
_LAWS = (
    ("optimizer", "truestep.properties.kinds.optimizer.laws.laws", "LAWS"),
    ("quantizer", "truestep.properties.kinds.quantizer.laws", "BLOCK_LAWS"),
    ("quantizer", "truestep.properties.kinds.quantizer.laws", "CAST_LAWS"),
    ("schedule", "truestep.properties.kinds.schedule.laws", "LAWS"),
    ("training", "truestep.properties.kinds.training.laws.laws", "LAWS"),
)


def _laws() -> list[Entry]:
    found = {
        (kind, entry["name"]): {**entry, "kind": kind}
        for kind, module, table in _LAWS
        for entry in _described(module, table)
    }
    return [found[key] for key in sorted(found)]


TOPICS: dict[str, Callable[[], list[Entry]]] = {
    "optimizers": _optimizers,
    "schedules": _schedules,
    "quantizers": lambda: _rules("quantizers"),
    "training": lambda: _rules("training"),
    "arithmetics": _arithmetics,
    "backends": _backends,
    "laws": _laws,
    "theorems": lambda: _described("truestep.properties.kinds.theorem.theorems.table", "THEOREMS"),
    "museum": lambda: _described("truestep.properties.museum", "FAULTS"),
}


def entries(topic: str) -> list[Entry]:
    """The entries of a topic, each with at least a name and a one-line description."""
    return TOPICS[topic]()


def first_line(item: Any) -> str:
    """The first line of an object's docstring, or of its ``description``."""
    text = getattr(item, "description", None) or inspect.getdoc(item) or ""
    return str(text).partition("\n")[0].strip()


def _dialects(rule: Any) -> Mapping[str, Mapping[str, str]]:
    found: Mapping[str, Mapping[str, str]] = getattr(rule, "DIALECTS", {})
    return found


def rule(kind: str, name: str) -> Any:
    """The reference's module of a rule; LookupError, ImportError or AttributeError without one."""
    from truestep.fast.discovery import rule_table

    return rule_table(kind)[name]


def dialect_in_words(kind: str, name: str, dialect: Mapping[str, str]) -> list[str]:
    """What each choice of a dialect means; one that the reference does not describe shows as is."""
    try:
        known = _dialects(rule(kind, name))
    except (ImportError, AttributeError, LookupError):
        known = {}
    return [
        known.get(field, {}).get(value) or f"{field}: {value}"
        for field, value in sorted(dialect.items())
    ]
