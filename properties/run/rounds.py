"""A submission judged, timed, and judged again on fresh inputs: a program of its own.

What is judged is what was asked for: a process that offers anything else is refused.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from truestep.fast.discovery import BrokenBackend
from truestep.properties.judge.results import CheckResult
from truestep.properties.run.hosted import Hosted
from truestep.properties.run.pool import STRIKES
from truestep.properties.run.worker import OURS, begun, loaded, send

if TYPE_CHECKING:
    from truestep.fast.protocol import Capability, Group, Level, OptimizerCapability, Stepped
    from truestep.properties.judge.results import Check
    from truestep.properties.kinds.optimizer.cases import OptimizerCase
    from truestep.properties.run.remote import Remote

FAILING = ("fail", "crashed")
# What a timed step is made on, and how often; the first call may compile.
_SHAPE, _MATRIX = (2**18,), (128, 128)
_STEPS = 6
# What is told of a check that failed in a later round alone.
_WHILE, _AFTER = (
    "right before it was timed, wrong while it was: ",
    "right before it was timed, wrong afterwards on fresh inputs: ",
)


def serve(
    parent: int, descriptor: int, spec: str, text: str, only: str | None, level: Level,
    seeds: Sequence[int], patience: float,
) -> None:  # fmt: skip
    """Load the submission and judge it, in a process whose memory it cannot read."""
    pipe = begun(parent, descriptor)
    backend = loaded(pipe, spec, [], patience, Hosted(spec))
    if backend is None:
        return
    try:
        send(pipe, ("end", _Bench(backend, pipe, spec, text, only, level).rounds(seeds)))
    except (BrokenBackend, ValueError) as error:
        send(pipe, ("failed", error))
    finally:
        backend.close()


class _Bench:
    """The judge's side of one submission."""

    def __init__(
        self, backend: Remote, pipe: Connection, spec: str, text: str, only: str | None,
        level: Level,
    ) -> None:  # fmt: skip
        from truestep.properties.run import conduct, plan

        self.backend, self.pipe, self.spec, self.level = backend, pipe, spec, level
        self.capability = _required(spec, backend, text)
        self.every = plan.checks_of(backend)
        due = [check for check in self.every if plan.runs(check, level)]
        self.checks = plan.chosen(backend.name, due, only)
        self.conduct = conduct.check()

    def rounds(self, seeds: Sequence[int]) -> list[CheckResult]:
        """Every check's result; the later rounds are run where the earlier found nothing."""
        from truestep.properties.run import conduct

        pid = self.backend.pid
        send(self.pipe, ("count", 2 * len(self.checks) + 1))
        results = self._judged(seeds[0])
        if not _broken(results):
            timed = self._timed(seeds[1])
            results = _with(results, [timed], _WHILE)
            if not _broken(results):
                results = _with(results, self._judged(seeds[1]), _AFTER)
        left, _ = self.backend.seen()
        if self.backend.pid != pid and not any(r.verdict == "crashed" for r in results.values()):
            left.append("its process, which ended and was started again")
        return [*results.values(), conduct.concluded(self.conduct, len(self.checks), left, [])]

    def _judged(self, seed: int) -> dict[str, CheckResult]:
        from truestep.properties.judge.records import named

        results: dict[str, CheckResult] = {}
        crashes = 0
        for check in self.checks:
            result = self._result(check, seed, crashes)
            crashes += result.verdict == "crashed"
            results[check.id] = named(result, self.spec)
            send(self.pipe, ("result", results[check.id]))
        return results

    def _result(self, check: Check, seed: int, crashes: int) -> CheckResult:
        from truestep.properties.run.plan import run_check

        if crashes >= STRIKES:
            return check.result("not_run", message=f"not run after {STRIKES} crashes")
        try:
            return run_check(self.backend, check, level=self.level, seed=seed)
        except Exception as error:
            text = "".join(traceback.format_exception(error))
            return check.result("error", message=f"{OURS}\n{text}")

    def _timed(self, seed: int) -> CheckResult:
        """Steps on a large tensor, each with a fresh gradient, timed and judged."""
        from truestep.properties.judge.records import named
        from truestep.properties.run.plan import replay_check

        check = next(c for c in self.every if c.name == "lockstep" and c.kind == "optimizer")
        case, clock = _large(self.capability, seed), _Timed(self.backend)
        result = replay_check(clock, check, case.to_json())  # type: ignore[arg-type]
        if clock.copies:
            elements = int(_size(case))
            result = replace(
                result,
                extra={"timed_copies": round(min(clock.copies), 3), "timed_elements": elements},
            )
            send(self.pipe, ("timed", min(clock.copies), elements))
        send(self.pipe, ("result", result))
        return named(result, self.spec)


@dataclass(slots=True)
class _Timed:
    """A backend with a clock. copies: of every step, its time by that of a copy of its bytes.

    The time is of the whole call: the tensors go to the backend's process and come back.
    """

    backend: Remote
    copies: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The backend's."""
        return self.backend.name

    def capabilities(self) -> Sequence[Capability]:
        """The backend's."""
        return self.backend.capabilities()

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        """The backend's, timed."""
        from truestep.fast.host.walk import arrays_in

        begin = time.perf_counter()
        found: Sequence[Sequence[Stepped]] = self.backend.optimizer_step(capability, groups)
        seconds = time.perf_counter() - begin
        arrays = [x for _, x in (*arrays_in(groups), *arrays_in(found))]
        begin = time.perf_counter()
        for x in arrays:
            x.copy()
        self.copies.append(seconds / max(time.perf_counter() - begin, 1e-9))
        return found


def _required(spec: str, backend: Remote, text: str) -> OptimizerCapability:
    """What was asked for; raises BrokenBackend where the process offers anything else."""
    from truestep.fast.wrapped.submissions.asked import parsed
    from truestep.reference.optimizers import OPTIMIZERS

    asked = parsed(text)
    [declared] = backend.capabilities()
    held = declared.fixed.keys() - asked.hyper.keys()
    wanted = asked.capability(OPTIMIZERS[asked.rule].Hyper.RANGES.keys() - held)
    for each in fields(wanted):
        offered, due = (getattr(x, each.name, None) for x in (declared, wanted))
        if offered != due:
            told = f"its process offers {each.name} {offered!r}, asked for is {due!r}"
            raise BrokenBackend(f"{spec}: {told}")
    return wanted


def _large(capability: OptimizerCapability, seed: int) -> OptimizerCase:
    from truestep.properties.cases.hypers import held
    from truestep.properties.cases.tensors import TensorSpec
    from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
    from truestep.properties.kinds.optimizer.fitting import fitted

    shape = _MATRIX if capability.shapes == "matrices" else _SHAPE
    param, grad = (TensorSpec(shape, seed=(seed + i) % 2**32) for i in (11, 12))
    slot = SlotCase(param, grad, t=9, history=2)
    hyper = {**capability.dialect, **held(capability.fixed)}
    return fitted(OptimizerCase((GroupCase(hyper, (slot,)),), _STEPS), capability)


def _size(case: OptimizerCase) -> int:
    out = 1
    for n in case.groups[0].slots[0].param.shape:
        out *= n
    return out


def _broken(results: dict[str, CheckResult]) -> bool:
    return any(result.verdict in FAILING for result in results.values())


def _with(
    results: dict[str, CheckResult], later: dict[str, CheckResult] | list[CheckResult], told: str
) -> dict[str, CheckResult]:
    """The results with those of a later round: its failures, and what it counted besides."""
    out = dict(results)
    for new in later.values() if isinstance(later, dict) else later:
        old = out.get(new.id)
        if new.verdict in FAILING:
            out[new.id] = replace(new, message=told + new.message)
        elif old is not None:
            both = [x for x in (old.utilisation, new.utilisation) if x is not None]
            out[new.id] = replace(
                old,
                examples=old.examples + new.examples,
                seconds=old.seconds + new.seconds,
                utilisation=max(both, default=None),
                extra={**old.extra, **new.extra},
            )
    return out


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        serve(*json.loads(sys.argv[1]))
