"""The convergence theorems as checks of a backend's gradient descent."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import cast, final

from truestep.fast.protocol import Capability, OptimizerBackend, OptimizerCapability
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.cases.restored import restored
from truestep.properties.judge.calls import BackendFault
from truestep.properties.judge.contracts import Judged, not_judged
from truestep.properties.judge.records import Place
from truestep.properties.judge.results import Check, Record, joined
from truestep.properties.judge.tally import Tally
from truestep.properties.kinds.kind import Kind, Seeded, Steps
from truestep.properties.kinds.theorem.theorems.table import THEOREMS
from truestep.properties.kinds.theorem.theorems.theorem import (
    TheoremResult,
    backend_step,
    report_extra,
    run,
)
from truestep.properties.search.exploration import Listed

PREFIX = "theorem:"
# Formats whose roundings leave the experiments' statistics visible.
FORMATS = ("float32", "float64")


def applicable(capabilities: Iterable[Capability]) -> list[OptimizerCapability]:
    """The capabilities that theorems are run on: in each format, the first that is plain SGD.

    The theorems speak of the rule's effect over many steps; how its variants round, and what they
    keep as codes, is judged step by step already, at a hundredth of the cost.
    """
    found: dict[str, OptimizerCapability] = {}
    for capability in capabilities:
        is_sgd = isinstance(capability, OptimizerCapability) and capability.rule == "sgd"
        if not is_sgd or capability.format not in FORMATS:
            continue
        plain = cast(OptimizerCapability, capability)
        if not plain.storage:
            found.setdefault(plain.format, plain)
    return list(found.values())


@final
class TheoremKind(Kind[OptimizerCapability, Seeded, OptimizerBackend]):
    """One experiment for each theorem, with its negative control."""

    name = "theorem"

    def names(self, capability: OptimizerCapability) -> Sequence[str]:
        """The theorems of plain SGD."""
        return tuple(PREFIX + name for name in THEOREMS)

    def checks(self, capability: OptimizerCapability) -> Iterator[Check]:
        """A check for each theorem, which stands in the rule's place."""
        for check in super().checks(capability):
            name = check.name.removeprefix(PREFIX)
            own = joined("theorem", name, capability.format, capability.variant)
            yield replace(check, id=own, rule=name)

    def cases(self, check: Check, capability: OptimizerCapability) -> Listed[Seeded]:
        """One experiment."""
        return Listed(lambda seed: [Seeded(seed)])

    def case(self, check: Check, record: Record) -> Seeded:
        """The case that to_json wrote."""
        return restored(Seeded, record)

    def judged(
        self, backend: OptimizerBackend, check: Check, capability: OptimizerCapability, case: Seeded
    ) -> Steps:
        """The experiment; what it violates is the backend's fault."""
        step = backend_step(backend, capability)
        result = run(THEOREMS[check.rule], step, case.seed, format_named(capability.format).u)
        yield result, []
        if result.message:
            raise BackendFault(result.message)
        yield result, [Judged(0, 0, 0, "p", replace(not_judged(1), judged=1))]

    def contract(self, check: Check) -> str:
        """A test with a stated false-alarm probability, or a bound where nothing is random."""
        return "statistical" if THEOREMS[check.rule].false_alarm_probability else "bounded"

    def reads(self, check: Check) -> bool:
        """Never: an experiment has no other reading."""
        return False

    def place(self, check: Check, tally: Tally) -> Place:
        """Nowhere: an experiment has no worst element."""
        return Place(check.rule)

    def extra(
        self, backend: OptimizerBackend, check: Check, capability: OptimizerCapability, tally: Tally
    ) -> dict[str, object]:
        """The statement and a chart with its control."""
        if not isinstance(tally.latest, TheoremResult):
            return {}
        return report_extra(THEOREMS[check.rule], tally.latest)
