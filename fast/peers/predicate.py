"""When a finding explains a failure: a closed vocabulary of conditions, written as data.

A finding's ``when`` is a table of conditions that all hold, or a list of tables of which one does:

    axes            a test of the number of axes of a tensor of the case
    count           a test of the number of steps made before the one judged
    crashed         what the backend raised, by name
    elements        a test of the number of elements of a tensor of the case
    got, oracle     tests of what was computed and of what is due
    hyper           tests of hyperparameters, by name
    identified      a regular expression found in what identification named
    inputs          tests of the inputs recorded for the element, by name
    layout          the layout of a tensor of the case
    message         a regular expression found in the check's message
    relative_error  a test of |got - oracle| / |oracle|
    tensor          the tensor that is off, by name

A test is "nan", "inf" of either sign, "finite", a comparison such as ">=16777216" or "!=0", or the
value itself; of a list, one passes. The case is the recorded counterexample: of the tensor that is
off and its group, where they are known, else any of the case's.
"""

import math
import re
from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt, ne
from typing import Any

Json = Mapping[str, Any]
Conditions = Mapping[str, object]

_COMPARISONS = {"!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_COMPARISON = re.compile(r"(!=|<=|>=|<|>)\s*(.+)")
_CLASSES: dict[str, Callable[[float], bool]] = {
    "finite": math.isfinite,
    "inf": math.isinf,
    "nan": math.isnan,
}


def passes(test: object, value: object) -> bool:
    """Whether a recorded value passes a test of the vocabulary."""
    if isinstance(test, list):
        return any(passes(one, value) for one in test)
    number = _number(value)
    if isinstance(test, str) and number is not None:
        if test in _CLASSES:
            return _CLASSES[test](number)
        if found := _COMPARISON.fullmatch(test):
            return bool(_COMPARISONS[found[1]](number, float(found[2])))
    return value == test or (isinstance(test, int | float) and number == test)


def _number(value: object) -> float | None:
    """A recorded number, which a certificate holds as a number or in hex, or None."""
    if isinstance(value, int | float):
        return float(value)
    try:
        return float.fromhex(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _worst(check: Json) -> Json:
    return check.get("worst") or {}


def _groups(check: Json) -> list[Json]:
    worst = _worst(check)
    case = worst.get("case") or {}
    groups: list[Json] = case.get("groups", [case])
    return groups if worst.get("group") is None else [groups[worst["group"]]]


def _slots(check: Json) -> list[Json]:
    slot = _worst(check).get("slot")
    listed = [group.get("slots", []) for group in _groups(check)]
    return [x for slots in listed for k, x in enumerate(slots) if slot in (None, k)]


def _tensors(check: Json) -> list[Json]:
    return [x for slot in _slots(check) for x in slot.values() if isinstance(x, Mapping)]


def _counts(check: Json) -> list[object]:
    if found := re.search(r"after a step from (\d+)", check["message"]):
        return [int(found[1])]
    step = _worst(check).get("step") or 0
    return [slot.get("t", 0) + step for slot in _slots(check)]


def _relative_error(check: Json) -> float | None:
    got, oracle = _number(_worst(check).get("got")), _number(_worst(check).get("oracle"))
    if got is None or oracle is None:
        return None
    return abs(got - oracle) / abs(oracle) if oracle else math.inf


def _raised(check: Json) -> str:
    found = re.search(r"the backend raised (\w+)", check["message"])
    return found[1] if found and check["verdict"] == "crashed" else ""


def _all_pass(tests: Mapping[str, object], values: Json) -> bool:
    return all(name in values and passes(test, values[name]) for name, test in tests.items())


# What a condition wants, and a check of a certificate: whether it holds.
CONDITIONS: dict[str, Callable[[Any, Json], bool]] = {
    "axes": lambda test, c: any(passes(test, len(x["shape"])) for x in _tensors(c)),
    "count": lambda test, c: any(passes(test, t) for t in _counts(c)),
    "crashed": lambda names, c: passes(names, _raised(c)),
    "elements": lambda test, c: any(passes(test, math.prod(x["shape"])) for x in _tensors(c)),
    "got": lambda test, c: passes(test, _worst(c).get("got")),
    "hyper": lambda tests, c: any(_all_pass(tests, g.get("hyper", {})) for g in _groups(c)),
    "identified": lambda pattern, c: re.search(pattern, c["identified"]) is not None,
    "inputs": lambda tests, c: _all_pass(tests, _worst(c).get("inputs") or {}),
    "layout": lambda names, c: any(
        passes(names, x.get("layout", "contiguous")) for x in _tensors(c)
    ),
    "message": lambda pattern, c: re.search(pattern, c["message"]) is not None,
    "oracle": lambda test, c: passes(test, _worst(c).get("oracle")),
    "relative_error": lambda test, c: passes(test, _relative_error(c)),
    "tensor": lambda names, c: passes(names, _worst(c).get("tensor")),
}


def holds(when: tuple[Conditions, ...], check: Json) -> bool:
    """Whether one of the tables explains a failing check of a certificate."""
    return any(all(CONDITIONS[k](v, check) for k, v in table.items()) for table in when)


def validated(when: object) -> tuple[Conditions, ...]:
    """The tables of a ``when``. Raises ValueError for one that is empty or no condition of ours."""
    tables = when if isinstance(when, list) else [when]
    for table in tables or [{}]:
        if not isinstance(table, Mapping) or not table:
            raise ValueError(f"when has no condition: {table!r}")
        if unknown := sorted(table.keys() - CONDITIONS.keys()):
            raise ValueError(f"when has {unknown}, known are {sorted(CONDITIONS)}")
        for key, wanted in table.items():
            if (key in ("hyper", "inputs")) is not isinstance(wanted, Mapping):
                raise ValueError(f"when.{key} is {wanted!r}")
            if key in ("identified", "message"):
                re.compile(str(wanted))
            for test in wanted.values() if isinstance(wanted, Mapping) else [wanted]:
                passes(test, 0.0)
    return tuple(tables)
