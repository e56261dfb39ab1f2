"""The convergence theorems as checks of whatever implements the rules that they speak of."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

from truestep.fast.protocol import Backend, Capability
from truestep.properties.cases.restored import restored
from truestep.properties.judge.calls import BackendFault
from truestep.properties.judge.contracts import Judged, not_judged
from truestep.properties.judge.records import Place
from truestep.properties.judge.results import Check, Record, joined
from truestep.properties.judge.tally import Tally
from truestep.properties.kinds.kind import LEVELS, Kind, Steps
from truestep.properties.kinds.theorem.theorems.kernels import Implementation
from truestep.properties.kinds.theorem.theorems.table import (
    FALSE_ALARM_PROBABILITY,
    LEVEL,
    THEOREMS,
)
from truestep.properties.kinds.theorem.theorems.theorem import (
    Theorem,
    TheoremResult,
    Trial,
    report_extra,
    run,
)
from truestep.properties.search.exploration import Listed

PREFIX = "theorem:"


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment's seed and size."""

    seed: int
    full: bool = False

    def to_json(self) -> dict[str, object]:
        """A dictionary that json accepts and restored reads back exactly."""
        return {"seed": self.seed, "full": self.full}


def implementations(theorem: Theorem, capabilities: Iterable[Capability]) -> list[Capability]:
    """Those that a theorem is run on: for each format and storage, the first of the least level.

    A theorem speaks of a rule's effect over many steps; how its variants round is judged step by
    step already, at a hundredth of the cost.
    """
    found: dict[tuple[str, frozenset[str]], Capability] = {}
    suited = [c for c in capabilities if c.theorems and theorem.subject.suits(c)]
    for capability in sorted(suited, key=lambda c: LEVELS.index(c.level)):
        found.setdefault((capability.format, theorem.subject.keeps(capability)), capability)
    return list(found.values())


@final
class TheoremKind(Kind[Capability, Experiment, Backend]):
    """One experiment for each theorem and implementation, with its negative controls."""

    name = "theorem"

    def names(self, capability: Capability) -> Sequence[str]:
        """The theorems that speak of an implementation."""
        return tuple(PREFIX + name for name, t in THEOREMS.items() if t.subject.suits(capability))

    def checks_of(self, capabilities: Sequence[Capability]) -> Iterator[Check]:
        """The checks of a backend, theorem by theorem; each stands in the rule's place."""
        for name, theorem in THEOREMS.items():
            for capability in implementations(theorem, capabilities):
                own = joined("theorem", name, capability.format, capability.variant)
                yield Check(own, self.name, name, PREFIX + name, capability)

    def cases(self, check: Check, capability: Capability) -> Listed[Experiment]:
        """One experiment, at full size at the deepest level."""
        return Listed(lambda seed: [Experiment(seed)], lambda seed: [Experiment(seed, full=True)])

    def case(self, check: Check, record: Record) -> Experiment:
        """The case that to_json wrote."""
        return restored(Experiment, record)

    def judged(
        self, backend: Backend, check: Check, capability: Capability, case: Experiment
    ) -> Steps:
        """The experiment; what it violates is the backend's fault."""
        trial = Trial(case.seed, LEVEL, case.full)
        # The experiment's own power is shown by every control, on the references, in its tests.
        controls = None if case.full else 1
        result = run(THEOREMS[check.rule], Implementation(backend, capability), trial, controls)
        yield result, []
        if result.message:
            raise BackendFault(result.message)
        yield result, [Judged(0, 0, 0, "p", replace(not_judged(1), judged=1))]

    def contract(self, check: Check) -> str:
        """A test with a stated false-alarm probability, or a bound where nothing is random."""
        return "statistical" if THEOREMS[check.rule].random else "bounded"

    def reads(self, check: Check) -> bool:
        """Never: an experiment has no other reading."""
        return False

    def place(self, check: Check, tally: Tally) -> Place:
        """Nowhere: an experiment has no worst element."""
        return Place(check.rule)

    def extra(
        self, backend: Backend, check: Check, capability: Capability, tally: Tally
    ) -> dict[str, object]:
        """The statement and a chart with its control."""
        if not isinstance(tally.latest, TheoremResult):
            return {}
        found = report_extra(THEOREMS[check.rule], tally.latest)
        return {**found, "false_alarm_of_a_run": FALSE_ALARM_PROBABILITY}
