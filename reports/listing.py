"""What ``truestep list`` shows: rules, arithmetics, backends, checks, laws, theorems, faults."""

import dataclasses
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping

from truestep.fast.discovery import LEVELS, available
from truestep.reference.optimizers import FROM_FUNCTION, OPTIMIZERS
from truestep.reference.rules import Departure
from truestep.reference.tables import RULES
from truestep.reference.training import TRAINING

Entry = dict[str, object]

# What the step of an optimizer's kind takes.
_TAKES = {
    "optimizer": "gradient",
    "minimizer": "function",
    "training": "what the training loop hands it",
}

# The tables of laws by the kind of rule that they speak of.
LAWS = (
    ("life", "truestep.properties.kinds.life.laws", "LAWS"),
    ("optimizer", "truestep.properties.kinds.optimizer.laws.laws", "LAWS"),
    ("quantizer", "truestep.properties.kinds.quantizer.laws", "LAWS"),
    ("schedule", "truestep.properties.kinds.schedule.laws", "LAWS"),
    ("training", "truestep.properties.kinds.training.laws.laws", "LAWS"),
)


def _rules(kind: str) -> list[Entry]:
    """All that an adapter's author needs of a rule: its definition, numbers, state and choices."""
    return [
        {
            "name": name,
            "description": first_line(rule),
            "definition": inspect.getdoc(rule),
            "dialects": {field: dict(choices) for field, choices in rule.DIALECTS.items()},
            "departures": [
                f"{field} {value}"
                for field, choices in rule.DIALECTS.items()
                for value, meaning in choices.items()
                if isinstance(meaning, Departure)
            ],
            "hyper": {f: x for f, x in _defaults(rule.Hyper).items() if f not in rule.DIALECTS},
            # Quantizers, schedules and some training-loop pieces carry nothing between steps.
            "state": list(_defaults(vars(rule).get("State"))),
        }
        for name, rule in sorted(RULES[kind].items())
    ]


def _defaults(fields: type | None) -> dict[str, object]:
    """The fields of a rule's Hyper or State and their defaults, None where there is none."""
    return {
        f.name: None if f.default is dataclasses.MISSING else f.default
        for f in (dataclasses.fields(fields) if fields else ())
    }


def _optimizers() -> list[Entry]:
    """Every rule and training-loop piece, with its kind of check and what it takes.

    inputs: what else it is handed, by name; LMS and the perceptron take their example's input in
    the gradient's place.
    """
    inputs: dict[str, Iterable[str]] = {
        **{name: rule.FACTS.inputs for name, rule in {**OPTIMIZERS, **FROM_FUNCTION}.items()},
        **{name: rule.INPUTS for name, rule in TRAINING.items()},
    }
    found = [
        entry | {"kind": kind, "takes": takes, "inputs": sorted(inputs[str(entry["name"])])}
        for kind, takes in _TAKES.items()
        for entry in _rules(kind)
    ]
    return sorted(found, key=lambda entry: str(entry["name"]))


def _arithmetics() -> list[Entry]:
    """The profiles that a capability may declare, each with what it says beyond the defaults."""
    from truestep.properties.arithmetic.profiles import PROFILES

    found: list[Entry] = []
    plain = dataclasses.asdict(PROFILES["ieee_float32"])
    for name, profile in sorted(PROFILES.items()):
        fields = {f: value for f, value in dataclasses.asdict(profile).items() if f != "name"}
        words = "; ".join(f"{f} {value}" for f, value in fields.items() if value != plain[f])
        description = words or "float32, each operation rounded to nearest"
        found.append({"name": name, "description": description, "fields": fields})
    return found


def _backends() -> list[Entry]:
    return [
        {"name": name, "description": f"not run here: {reason}" if reason else "can be run here"}
        for name, reason in available().items()
    ]


def _schedules() -> list[Entry]:
    """Every schedule with its noted forms and the conditions of Robbins and Monro they satisfy."""
    from truestep.properties.kinds.schedule.robbins_monro import REMARKS, noted

    return [
        entry
        | {
            "robbins_monro": [
                verdict.to_json() | {"remark": REMARKS.get(verdict.formula, "")}
                for verdict in noted(str(entry["name"]))
            ]
        }
        for entry in _rules("schedule")
    ]


def _laws() -> list[Entry]:
    found = {
        (kind, str(entry["name"])): {**entry, "kind": kind}
        for kind, module, table in LAWS
        for entry in _described(module, table)
    }
    return [found[key] for key in sorted(found)]


def _described(module: str, table: str) -> list[Entry]:
    found: Mapping[str, object] = vars(importlib.import_module(module))[table]
    return [{"name": name, "description": first_line(found[name])} for name in sorted(found)]


def _checks() -> list[Entry]:
    """Every check by its kind and name, with the least level at which one is run.

    The id of a check is kind/rule/format/variant/name, so that "optimizer/*/strata" is a glob over
    ids, as --only and lists of checks take it. A theorem stands in the rule's place.
    """
    from truestep.properties.kinds import described
    from truestep.properties.kinds.quantizer import sweep
    from truestep.properties.kinds.theorem.theorems.table import THEOREMS

    levels = {"quantizer/*/sweep": sweep.LEVEL}
    families = [(kind, name) for kind, of in described.WORDS.items() for name in of]
    laws = [(str(law["kind"]), f"law:{law['name']}") for law in _laws()]
    found = [(f"{kind}/*/{name}", described.about(kind, name)) for kind, name in families + laws]
    found += [(f"theorem/{name}/*", theorem.statement) for name, theorem in THEOREMS.items()]
    return [
        {"name": name, "description": words, "level": levels.get(name, LEVELS[0])}
        for name, words in sorted(found)
    ]


def _theorems() -> list[Entry]:
    """Every theorem: what it says, of which rule, in which formats, and what must fail."""
    from truestep.properties.kinds.theorem.theorems.table import LEVEL, THEOREMS

    return [
        {
            "name": name,
            "description": theorem.statement,
            "family": theorem.topic,
            "kind": theorem.subject.kind,
            "rule": theorem.subject.rule,
            "formats": list(theorem.subject.formats),
            "storage": list(theorem.subject.storage),
            "source": theorem.source,
            "constants": dict(theorem.constants),
            "controls": list(theorem.controls),
            "false_alarm": LEVEL if theorem.random else 0.0,
        }
        for name, theorem in sorted(THEOREMS.items())
    ]


TOPICS: dict[str, Callable[[], list[Entry]]] = {
    "optimizers": _optimizers,
    "schedules": _schedules,
    "quantizers": lambda: _rules("quantizer"),
    "training": lambda: _rules("training"),
    "arithmetics": _arithmetics,
    "backends": _backends,
    "checks": _checks,
    "laws": _laws,
    "theorems": _theorems,
    "museum": lambda: _described("truestep.properties.museum", "FAULTS"),
}


def first_line(item: object) -> str:
    """The first line of a description: the item, its ``description``, or its docstring."""
    text = item if isinstance(item, str) else getattr(item, "description", None)
    return (text or inspect.getdoc(item) or "").partition("\n")[0].strip()


def dialect_in_words(kind: str, name: str, dialect: Mapping[str, str]) -> list[str]:
    """What each choice of a dialect means; one that the reference does not describe shows as is."""
    rule = RULES.get(kind, {}).get(name)  # theorems have none
    known: Mapping[str, Mapping[str, str]] = rule.DIALECTS if rule else {}
    return [
        known.get(field, {}).get(value) or f"{field}: {value}"
        for field, value in sorted(dialect.items())
    ]
