"""Pieces of the training loop: named inputs, named outputs, judged call by call."""

import json
from collections.abc import Mapping, Sequence
from typing import cast, final

import numpy as np

from truestep.fast.protocol import TrainingBackend, TrainingCapability
from truestep.properties.judge.contracts import Judged
from truestep.properties.judge.records import Place, within
from truestep.properties.judge.results import Check, Record
from truestep.properties.judge.tally import Tally
from truestep.properties.kinds.kind import LEVELS, Kind, Steps
from truestep.properties.kinds.training import strata
from truestep.properties.kinds.training.cases import Ranges, TrainingCase, cases
from truestep.properties.kinds.training.families import FAMILIES
from truestep.properties.kinds.training.laws import laws
from truestep.properties.kinds.training.step import lockstep
from truestep.properties.laws.claims import PREFIX
from truestep.properties.search.exploration import Drawn, Listed, explore
from truestep.properties.search.identification import Reading


@final
class TrainingKind(Kind[TrainingCapability, TrainingCase, TrainingBackend]):
    """Families of cases whose calls are judged one after the other, and laws of one call."""

    name = "training"

    def names(self, capability: TrainingCapability) -> Sequence[str]:
        """Families of cases, then the laws that hold for it."""
        families = [name for name, family in FAMILIES.items() if family.speaks_of(capability)]
        leading = capability.level == LEVELS[0]
        return (
            *families,
            strata.NAME,
            *((PREFIX + law for law in laws.holding(capability)) if leading else ()),
        )

    def cases(
        self, check: Check, capability: TrainingCapability
    ) -> Drawn[TrainingCase] | Listed[TrainingCase]:
        """Drawn inputs of one or several calls."""
        if check.name == strata.NAME:
            return Listed(lambda seed: strata.made(capability, seed))
        if check.name.startswith(PREFIX):
            law = check.name.removeprefix(PREFIX)
            return Drawn(laws.strategy(capability, law), laws.EXAMPLES)
        family = FAMILIES[check.name]
        return Drawn(cases(capability, family.ranges), family.examples)

    def case(self, check: Check, record: Record) -> TrainingCase:
        """The case that to_json wrote."""
        return TrainingCase.from_json(record)

    def judged(
        self,
        backend: TrainingBackend,
        check: Check,
        capability: TrainingCapability,
        case: TrainingCase,
    ) -> Steps:
        """Every call from the backend's own last state, or a law's claims."""
        if check.name.startswith(PREFIX):
            law = check.name.removeprefix(PREFIX)
            yield None, laws.judgements(backend, capability, law, case)
        else:
            yield from lockstep(backend, capability, case)

    def law(self, check: Check) -> str | None:
        """What a law says."""
        return laws.LAWS[check.name.removeprefix(PREFIX)].__doc__

    def battery(self, capability: TrainingCapability) -> Sequence[TrainingCase]:
        """A dozen cases of several calls, always the same."""
        found: list[TrainingCase] = []
        explore(
            cases(capability, Ranges(calls=(2, 4), tensors=(2, 3))),
            lambda case, _: found.append(case),
            examples=12,
            seed=1,
            started=lambda _: None,
        )
        return found

    def read(
        self,
        backend: TrainingBackend,
        capability: TrainingCapability,
        case: TrainingCase,
        reading: Reading,
    ) -> Steps:
        """Run a case, and judge it as another dialect."""
        return lockstep(backend, capability, case, reading.hyper)

    def place(self, check: Check, tally: Tally) -> Place:
        """The call, the tensor of the list and the element, and the numbers that entered it."""
        found, case = tally.worst, cast(TrainingCase, tally.worst_case)
        assert found is not None
        index = list(found.judgement.index or ())
        context = cast(Mapping[str, object], tally.context or {})
        inputs = _inputs(context, found)
        entered = ", ".join(f"{key}={value}" for key, value in inputs.items())
        return Place(
            f"{found.tensor}{index}",
            {"step": found.step, "slot": found.slot, "index": index, "inputs": inputs},
            (
                f"call {found.step}, tensor {found.slot} of the list",
                f"inputs at this element: {entered or 'none'}",
                f"hyperparameters: {json.dumps(dict(case.hyper))}",
            ),
        )


def _inputs(inputs: Mapping[str, object], found: Judged) -> dict[str, int | str]:
    """The numbers that entered the worst element: scalars, and tensors at its place."""
    out: dict[str, int | str] = {}
    index = found.judgement.index or ()
    for name, x in inputs.items():
        if isinstance(x, Sequence) and not isinstance(x, str) and found.slot < len(x):
            x = x[found.slot]
        if isinstance(x, np.ndarray):
            if within(index, x.shape):
                out[name] = float(x[index]).hex()
        elif isinstance(x, float):
            out[name] = x.hex()
        elif isinstance(x, (int, str)):
            out[name] = x
    return out
