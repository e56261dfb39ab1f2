"""The checks that a backend's capabilities call for, and how one of them is run or run again."""

from __future__ import annotations

import fnmatch
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from truestep.fast.protocol import Capability
from truestep.properties.judge.results import CheckResult, Verdict, check_id
from truestep.properties.kinds.minimizer import families as minimizer_checks
from truestep.properties.kinds.optimizer import families as optimizer_checks
from truestep.properties.kinds.quantizer import families as quantizer_checks
from truestep.properties.kinds.schedule import families as schedule_checks
from truestep.properties.kinds.theorem import families as theorem_checks
from truestep.properties.kinds.training import families as training_checks

LEVELS = ("smoke", "standard", "deep")


@dataclass(frozen=True, slots=True)
class Kind:
    """How capabilities of one kind are checked: the names of checks, a runner and a re-runner."""

    names: Callable[[Capability], Sequence[str]]
    run: Callable[..., CheckResult]
    replay: Callable[..., CheckResult]


KINDS = {
    "minimizer": Kind(minimizer_checks.names, minimizer_checks.run, minimizer_checks.replay_case),
    "optimizer": Kind(optimizer_checks.names, optimizer_checks.run, optimizer_checks.replay_case),
    "quantizer": Kind(quantizer_checks.names, quantizer_checks.run, quantizer_checks.replay_case),
    "schedule": Kind(schedule_checks.names, schedule_checks.run, schedule_checks.replay_case),
    # Not a kind of capability: theorems are run on optimizers.
    "theorem": Kind(theorem_checks.names, theorem_checks.run, theorem_checks.replay_case),
    "training": Kind(training_checks.names, training_checks.run, training_checks.replay_case),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One check of one capability; id is unique within a run."""

    id: str
    capability: Capability
    name: str

    @property
    def kind(self) -> str:
        """What it is a check of, a key of KINDS: the capability's kind, or "theorem"."""
        return "theorem" if self._theorem else self.capability.kind

    @property
    def rule(self) -> str:
        """The capability's rule, or the theorem."""
        if self._theorem:
            return self.name.removeprefix(theorem_checks.PREFIX)
        return self.capability.rule

    @property
    def _theorem(self) -> bool:
        return self.name.startswith(theorem_checks.PREFIX)


def checks_of(backend: Any) -> list[Check]:
    """Every check of a backend, in the order of its capabilities, and then the theorems."""
    capabilities = backend.capabilities()
    return [
        Check(check_id(capability, name), capability, name)
        for capability in capabilities
        if capability.kind in KINDS
        for name in KINDS[capability.kind].names(capability)
    ] + [
        Check(theorem_checks.check_id(capability, name), capability, name)
        for capability in theorem_checks.applicable(capabilities)
        for name in KINDS["theorem"].names(capability)
    ]


def matching(checks: Sequence[Check], only: str | None) -> list[Check]:
    """The checks whose id matches a glob; a plain word matches anywhere in it."""
    if only is None:
        return list(checks)
    pattern = only if any(c in only for c in "*?[") else f"*{only}*"
    return [check for check in checks if fnmatch.fnmatchcase(check.id, pattern)]


def run_check(
    backend: Any,
    check: Check,
    *,
    level: str,
    seed: int,
    started: Callable[[Any], None] = lambda _: None,
) -> CheckResult:
    """Run one check; started(case) is called with each case's record before it runs."""
    if LEVELS.index(check.capability.level) > LEVELS.index(level):
        return unjudged(check, "not_run", f"runs at level {check.capability.level!r} and above")
    kind = KINDS[check.kind]
    # Every check has a stream of its own, the same whichever other checks run.
    own = zlib.crc32(check.id.encode()) ^ seed
    return kind.run(backend, check.capability, check.name, level=level, seed=own, started=started)


def replay_check(backend: Any, check: Check, case: Mapping[str, Any]) -> CheckResult:
    """Run a recorded case of a check again."""
    kind = KINDS[check.kind]
    return kind.replay(backend, check.capability, check.name, case)


def unjudged(
    check: Check, verdict: Verdict, message: str, worst: Mapping[str, Any] | None = None
) -> CheckResult:
    """The record of a check that ended without judgements."""
    capability = check.capability
    return CheckResult(
        id=check.id,
        kind=check.kind,
        rule=check.rule,
        check=check.name,
        dialect=dict(capability.dialect),
        format=capability.format,
        variant=capability.variant,
        contract="",
        verdict=verdict,
        worst=worst,
        message=message,
    )
