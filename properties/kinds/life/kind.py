"""Objects with a life: laws about what is constructed, stepped, saved, loaded and copied."""

from collections.abc import Sequence
from functools import partial
from typing import cast, final

from truestep.fast.protocol import LifeBackend, LifeCapability
from truestep.properties.cases.restored import restored
from truestep.properties.judge.records import Place
from truestep.properties.judge.results import Check, Record
from truestep.properties.judge.tally import Tally
from truestep.properties.kinds.kind import Kind, Steps, examples
from truestep.properties.kinds.life import cases, laws, step
from truestep.properties.kinds.life.cases import LifeCase
from truestep.properties.kinds.life.claims import Claim
from truestep.properties.laws.claims import PREFIX
from truestep.properties.search.exploration import Drawn

EXAMPLES = examples(3, 5, 60)


@final
class LifeKind(Kind[LifeCapability, LifeCase, LifeBackend]):
    """Laws alone: what is due of one life is what another comes to."""

    name = "life"

    def names(self, capability: LifeCapability) -> Sequence[str]:
        """The laws that speak of an object."""
        return tuple(PREFIX + law for law in laws.holding(capability))

    def cases(self, check: Check, capability: LifeCapability) -> Drawn[LifeCase]:
        """Drawn lives."""
        events = laws.events(check.name.removeprefix(PREFIX), capability)
        first = partial(cases.first, capability, events)
        return Drawn(cases.strategy(capability, events), EXAMPLES, first=lambda _: first())

    def case(self, check: Check, record: Record) -> LifeCase:
        """The case that to_json wrote."""
        return restored(LifeCase, record)

    def judged(
        self, backend: LifeBackend, check: Check, capability: LifeCapability, case: LifeCase
    ) -> Steps:
        """The lives of a law, claim by claim."""
        law = laws.LAWS[check.name.removeprefix(PREFIX)]
        yield from step.judged(backend, capability, law, case)

    def law(self, check: Check) -> str | None:
        """What a law says."""
        return laws.LAWS[check.name.removeprefix(PREFIX)].__doc__

    def place(self, check: Check, tally: Tally) -> Place:
        """The number that differs, and the two lives."""
        assert tally.worst is not None
        index = list(tally.worst.judgement.index or ())
        told = step.lines(cast(Claim, tally.context))
        return Place(f"{tally.worst.tensor}{index}", {"index": index}, told)
