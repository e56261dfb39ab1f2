"""What one check reports; the record that travels from a worker to the certificate."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

from truestep.fast.protocol import Capability
from truestep.reference.rules import Departure

# What goes into a certificate: numbers, texts, lists and mappings of them.
Record = Mapping[str, object]
# What stands in a message before the lines that run its case again.
REPRODUCE = "  reproduce:"

Verdict = Literal["pass", "fail", "not_judged", "crashed", "not_run", "error"]

# Largest passing utilisation. An algebraically equivalent order of evaluation may cost one more
# rounding per operation than the written one (a product with a reciprocal instead of a quotient),
# which doubles the bound; it is the only number between a bound and a verdict. Replicates err as in
# any order already, but of 32 of them the covariance is known to so much alone, so that the factor
# stands on them too.
SLACK = 2.0
# Upper edges of the utilisation histogram; one more bin holds everything above the last edge.
HISTOGRAM_EDGES = (0.0, 1e-3, 1e-2, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's outcome.

    id: "kind/rule/format/variant/check" with empty parts left out, unique within a run. check: what
    was checked ("lockstep", "counter", "law:sign_symmetric"). contract: how it was judged
    ("bounded", "sampled", "admissible codes", "law", "statistical"). examples: cases tried.
    judged_fraction: judged over all elements. utilisation: max |got - oracle| / bound, None if
    nothing was judged. oracle_fraction: largest share of the bound taken by the reference's own
    rounding, of the steps where that was evaluated. histogram: element counts of utilisation per
    bin of HISTOGRAM_EDGES. worst: the worst input as a reproducible specification with got, oracle
    and bound. message: for a failure, all that is needed to reproduce it. departures: the choices
    of dialect that nothing promises.
    """

    id: str
    kind: str
    rule: str
    check: str
    dialect: Mapping[str, str]
    format: str
    variant: str
    contract: str
    verdict: Verdict
    examples: int = 0
    judged_fraction: float = 0.0
    utilisation: float | None = None
    oracle_fraction: float = 0.0
    histogram: tuple[int, ...] = ()
    worst: Record | None = None
    message: str = ""
    seconds: float = 0.0
    identified: str = ""
    extra: Record = field(default_factory=dict)
    departures: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """A dictionary that json.dumps accepts; infinities become the string "inf"."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def departures(capability: Capability) -> dict[str, str]:
    """The choices of a capability's dialect that neither paper nor documentation promises."""
    from truestep.reference.tables import RULES  # every rule: a run's process loads none to begin

    rule = RULES.get(capability.kind, {}).get(capability.rule)
    told = rule.DIALECTS if rule else {}
    return {
        field: value
        for field, value in capability.dialect.items()
        if field in capability.departures
        or (
            isinstance(told.get(field, {}).get(value), Departure)
            and field not in capability.documented
        )
    }


def check_id(capability: Capability, name: str) -> str:
    """The id of a check: kind/rule/format/variant/check without the empty parts."""
    return joined(capability.kind, capability.rule, capability.format, capability.variant, name)


def joined(*parts: str) -> str:
    """The parts of an id without the empty ones."""
    return "/".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Check:
    """One check of one capability; id is unique within a run.

    kind: what it is a check of, a key of the table of kinds: the capability's kind, or "theorem".
    rule: the capability's rule, or the theorem. name: the family of cases, law or statistic.
    """

    id: str
    kind: str
    rule: str
    name: str
    capability: Capability

    def result(
        self,
        verdict: Verdict,
        *,
        contract: str = "",
        message: str = "",
        worst: Record | None = None,
    ) -> CheckResult:
        """The record of the check as far as it does not depend on what was counted."""
        return CheckResult(
            id=self.id,
            kind=self.kind,
            rule=self.rule,
            check=self.name,
            dialect=dict(self.capability.dialect),
            format=self.capability.format,
            variant=self.capability.variant,
            contract=contract,
            verdict=verdict,
            message=message,
            worst=worst,
            # A theorem's checks stand in no rule's place: those of the rule tell.
            departures=departures(self.capability) if self.kind == self.capability.kind else {},
        )


def parted(message: str) -> tuple[str, str]:
    """A message without the lines that run its case again, and these lines."""
    text, _, program = message.partition(f"\n{REPRODUCE}\n")
    return text, program
