"""The power of the checks: which planted fault is caught by which check."""

from dataclasses import dataclass

from truestep.fast.protocol import Backend, Level
from truestep.properties.judge.results import CheckResult
from truestep.properties.museum import FAULTS
from truestep.properties.museum.plant import Kernel
from truestep.properties.run.plan import checks_of, run_check


@dataclass(frozen=True, slots=True)
class Caught:
    """A fault and the failing check that caught it, None where every check passed."""

    fault: str
    result: CheckResult | None


def catch(name: str, *, level: Level = "standard", seed: int = 0) -> Caught:
    """Run the checks on a planted fault, the expected one first, until one fails."""
    fault = FAULTS[name]
    return Caught(name, first_failure(fault.backend(), fault.check, level=level, seed=seed))


def first_failure(
    backend: Backend,
    first: str = "strata",
    *,
    level: Level = "standard",
    seed: int = 0,
    told: bool = True,
) -> CheckResult | None:
    """The result of the first check that fails, the one of that name tried before the others."""
    for check in sorted(checks_of(backend), key=lambda check: check.name != first):
        result = run_check(backend, check, level=level, seed=seed, told=told)
        if result.verdict in ("fail", "crashed"):
            return result
    return None


def kernels(rule: str) -> list[Kernel]:
    """The correct kernels of a rule in which faults are planted, one for each declaration."""
    found = [fault.without() for fault in FAULTS.values() if fault.rule == rule]
    return list({str(kernel.capability): kernel for kernel in found}.values())
