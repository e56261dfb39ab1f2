"""What a check recorded about its worst input, taken apart for display."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from truestep.reports import numbers

# Numbers that get decimal and hex side by side.
_MEASURED = ("got", "oracle", "error", "bound")

# Shown elsewhere: as numbers, in the line that says where, or inside the program.
_ELSEWHERE = (
    *_MEASURED, "case", "got_decimal", "group", "index", "inputs", "oracle_decimal", "slot",
    "snippet", "step", "tensor", "utilisation",
)  # fmt: skip


def text_of(message: str) -> str:
    """A message without its program, which ``program`` gives with the backend's name."""
    kept = []
    for line in message.splitlines():
        if line.strip() == "reproduce:":
            break
        kept.append(line)
    return "\n".join(kept).rstrip()


def headline(message: str) -> str:
    """The first line of a message."""
    return message.partition("\n")[0]


def program(spec: str, check: Mapping[str, Any]) -> str:
    """A complete program that runs the recorded case again, "" where none was recorded."""
    worst = check["worst"] or {}
    if isinstance(worst.get("snippet"), str):
        return str(worst["snippet"])
    if "case" not in worst:
        return ""
    record = json.dumps(worst["case"])
    return (
        "from truestep.properties.run.replay import case\n\n"
        f"case({spec!r}, {check['id']!r}, {record!r})\n"
    )


def measured(worst: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(name, decimal, hex) of what was got and due, the distance, the bound, and the inputs."""
    rows = [(name, *numbers.both(worst[name])) for name in _MEASURED if name in worst]
    inputs = worst.get("inputs")
    if isinstance(inputs, Mapping):
        rows += [(f"input {name}", *numbers.both(value)) for name, value in inputs.items()]
    return rows


def specification(worst: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, text) of where the worst element is and what else was recorded."""
    rows = []
    if "tensor" in worst:
        places = [f"{name} {worst[name]}" for name in ("step", "group", "slot") if name in worst]
        index = "".join(f"[{', '.join(map(str, i))}]" for i in [worst.get("index") or []] if i)
        rows.append(("element", ", ".join([f"{worst['tensor']}{index}", *places])))
    if hyper := _hyper(worst):
        rows.append(("hyperparameters", ", ".join(f"{name} = {v}" for name, v in hyper.items())))
    rows += [
        (str(name), value if isinstance(value, str) else json.dumps(value))
        for name, value in worst.items()
        if name not in _ELSEWHERE and value not in (None, "", {}, [])
    ]
    return rows


def _hyper(worst: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        found = worst["case"]["groups"][worst.get("group", 0)]["hyper"]
    except (KeyError, IndexError, TypeError):
        return {}
    return found if isinstance(found, Mapping) else {}
