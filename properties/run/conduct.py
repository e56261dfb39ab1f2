"""How a backend treats the process that it runs in: one check of its own, beside its results."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from truestep.fast.protocol import Capability, Kind
from truestep.properties.judge.results import Check, CheckResult, check_id

KIND = "process"
# Where a result says what the calls of its check have left changed; of this check itself, what the
# processes have left behind at their end.
CALLS_LEFT = "calls_left"
_RULE, _NAME = "conduct", "left_as_found"
# Departures that a message lists; there may be one for every call.
_MOST_TOLD = 20


def check() -> Check:
    """That every call leaves the process, its memory and the system as it found them."""
    capability = Capability(cast(Kind, KIND), _RULE, format="", arithmetic="")
    return Check(check_id(capability, _NAME), KIND, _RULE, _NAME, capability)


def concluded(
    judged: Check, checks: int, left: Sequence[str], behind: Sequence[str]
) -> CheckResult:
    """The check's result, from what the calls of so many checks have left changed.

    behind: what the backend's processes have left at their end, in which no check has a share.
    """
    told = sorted({*left, *behind})
    if not checks:
        return judged.result("not_judged", contract="conduct")
    lines = [f"the backend's calls left changed: {len(told)}", *(f"  {x}" for x in told)]
    if len(told) > _MOST_TOLD:
        lines[_MOST_TOLD + 1 :] = [f"  and {len(told) - _MOST_TOLD} more"]
    return replace(
        judged.result(
            "fail" if told else "pass", contract="conduct", message="\n".join(lines) if told else ""
        ),
        examples=checks,
        judged_fraction=1.0,
        extra={CALLS_LEFT: sorted(set(behind))} if behind else {},
    )
