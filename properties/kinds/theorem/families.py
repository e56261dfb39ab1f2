"""The convergence theorems as checks of a backend's gradient descent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from truestep.fast.protocol import Capability
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.judge.records import snippet
from truestep.properties.judge.results import CheckResult
from truestep.properties.kinds.theorem.theorems.table import THEOREMS
from truestep.properties.kinds.theorem.theorems.theorem import backend_step, report_extra
from truestep.properties.kinds.theorem.theorems.theorem import run as run_theorem

PREFIX = "theorem:"
# Formats whose roundings leave the experiments' statistics visible.
FORMATS = ("float32", "float64")


def applicable(capabilities: Sequence[Capability]) -> list[Capability]:
    """The capabilities that theorems are run on: in each format, the first that is plain SGD.

    The theorems speak of the rule's effect over many steps; how its variants round is judged step
    by step already, at a hundredth of the cost.
    """
    found: dict[str, Capability] = {}
    for capability in capabilities:
        is_sgd = (capability.kind, capability.rule) == ("optimizer", "sgd")
        if is_sgd and capability.format in FORMATS:
            found.setdefault(capability.format, capability)
    return list(found.values())


def names(capability: Capability) -> tuple[str, ...]:
    """The theorems of plain SGD."""
    return tuple(PREFIX + name for name in THEOREMS)


def check_id(capability: Capability, name: str) -> str:
    """theorem/NAME/format/variant without the empty parts."""
    parts = ("theorem", name.removeprefix(PREFIX), capability.format, capability.variant)
    return "/".join(part for part in parts if part)


def run(
    backend: Any,
    capability: Capability,
    name: str,
    *,
    level: str,
    seed: int,
    started: Callable[[Any], None],
) -> CheckResult:
    """Run one theorem's experiment and its negative control."""
    case = {"seed": seed}
    started(case)
    return replay_case(backend, capability, name, case)


def replay_case(
    backend: Any, capability: Capability, name: str, record: Mapping[str, Any]
) -> CheckResult:
    """Run the experiment with a recorded seed."""
    begin = time.perf_counter()
    theorem = THEOREMS[name.removeprefix(PREFIX)]
    seed = int(record["seed"])
    step = backend_step(backend, capability)
    result = run_theorem(theorem, step, seed, format_named(capability.format).u)
    extra = report_extra(theorem, result)
    return CheckResult(
        id=check_id(capability, name),
        kind="theorem",
        rule=theorem.name,
        check=name,
        dialect=dict(capability.dialect),
        format=capability.format,
        variant=capability.variant,
        contract="statistical" if theorem.false_alarm_probability else "bounded",
        verdict=result.verdict,
        examples=1,
        judged_fraction=1.0,
        worst={"case": {"seed": seed}, "test": result.evidence.worst},
        message=_message(capability, name, result.message, seed),
        seconds=time.perf_counter() - begin,
        extra=extra,
    )


def _message(capability: Capability, name: str, message: str, seed: int) -> str:
    if not message:
        return ""
    where = ", ".join(x for x in (capability.rule, capability.format, capability.variant) if x)
    return "\n".join(
        [
            f"{name.removeprefix(PREFIX)} ({where}): {message}",
            *snippet(check_id(capability, name), {"seed": seed}),
        ]
    )
