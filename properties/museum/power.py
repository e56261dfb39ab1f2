"""The power of the checks: which planted fault is caught by which check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from truestep.properties.judge.results import CheckResult
from truestep.properties.museum import FAULTS
from truestep.properties.museum.fault import MuseumBackend
from truestep.properties.museum.kernels import KERNELS
from truestep.properties.run.plan import Check, checks_of, run_check


@dataclass(frozen=True, slots=True)
class Caught:
    """A fault and the failing check that caught it, None where every check passed."""

    fault: str
    result: CheckResult | None


def catch(name: str, *, level: str = "standard", seed: int = 0) -> Caught:
    """Run the checks on a planted fault, the expected one first, until one fails."""
    fault = FAULTS[name]
    backend = fault.backend()
    for check in _ordered(backend, fault.check):
        result = run_check(backend, check, level=level, seed=seed)
        if result.verdict in ("fail", "crashed"):
            return Caught(name, result)
    return Caught(name, None)


def clear(rule: str, *, level: str = "standard", seed: int = 0) -> Iterator[CheckResult]:
    """The results of every check on the correct kernel of a rule: none may fail."""
    backend = MuseumBackend(rule)
    for check in checks_of(backend):
        yield run_check(backend, check, level=level, seed=seed)


def rules() -> tuple[str, ...]:
    """The rules that faults are planted in."""
    return tuple(KERNELS)


def _ordered(backend: Any, first: str) -> list[Check]:
    return sorted(checks_of(backend), key=lambda check: check.name != first)
