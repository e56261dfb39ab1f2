"""Minimizers: rules that evaluate the function, judged step by step by replicates."""

import json
from collections.abc import Mapping, Sequence
from typing import cast, final

import numpy as np

from truestep.fast.protocol import Array, MinimizerBackend, MinimizerCapability
from truestep.properties.cases.hypers import held
from truestep.properties.cases.restored import restored
from truestep.properties.cases.tensors import TensorSpec
from truestep.properties.judge.records import Place
from truestep.properties.judge.results import Check, Record
from truestep.properties.judge.tally import Tally
from truestep.properties.kinds.kind import LEVELS, Kind, Steps
from truestep.properties.kinds.minimizer import strata
from truestep.properties.kinds.minimizer.cases import MinimizerCase, ProblemSpec
from truestep.properties.kinds.minimizer.families import FAMILIES
from truestep.properties.kinds.minimizer.step import lockstep
from truestep.properties.kinds.optimizer.cases import OptimizerCase
from truestep.properties.kinds.optimizer.laws import checks as laws
from truestep.properties.kinds.optimizer.laws.laws import LAWS
from truestep.properties.laws.claims import PREFIX
from truestep.properties.search.exploration import Drawn, Listed
from truestep.properties.search.identification import Reading

# A law is tried on a case of an optimizer, with a function made of its gradient.
AnyCase = MinimizerCase | OptimizerCase


@final
class MinimizerKind(Kind[MinimizerCapability, AnyCase, MinimizerBackend]):
    """Families of problems, and the laws of optimizers on functions made of their cases."""

    name = "minimizer"

    def names(self, capability: MinimizerCapability) -> Sequence[str]:
        """Families of cases, then the laws that hold for it."""
        leading = capability.level == LEVELS[0]
        return (*FAMILIES, strata.NAME, *(laws.names(capability) if leading else ()))

    def cases(
        self, check: Check, capability: MinimizerCapability
    ) -> Drawn[AnyCase] | Listed[AnyCase]:
        """Drawn problems, or trials of a law."""
        if check.name == strata.NAME:
            return Listed(lambda seed: strata.made(capability, seed))
        if check.name.startswith(PREFIX):
            law = check.name.removeprefix(PREFIX)
            return Drawn(laws.strategy(capability, law), laws.EXAMPLES)
        family = FAMILIES[check.name]
        return Drawn(family.strategy(capability), family.examples)

    def case(self, check: Check, record: Record) -> AnyCase:
        """The case that to_json wrote."""
        law = check.name.startswith(PREFIX)
        return restored(OptimizerCase, record) if law else restored(MinimizerCase, record)

    def judged(
        self,
        backend: MinimizerBackend,
        check: Check,
        capability: MinimizerCapability,
        case: AnyCase,
    ) -> Steps:
        """Every step from the backend's own last state, or a law's claims."""
        if isinstance(case, OptimizerCase):
            yield None, laws.judgements(backend, capability, check.name.removeprefix(PREFIX), case)
        else:
            yield from lockstep(backend, capability, case)

    def contract(self, check: Check) -> str:
        """By replicates: a line search amplifies every rounding."""
        return "sampled"

    def law(self, check: Check) -> str | None:
        """What a law says."""
        return LAWS[check.name.removeprefix(PREFIX)].__doc__

    def battery(self, capability: MinimizerCapability) -> Sequence[AnyCase]:
        """Convex or not, fresh or with pairs."""
        hyper = {**capability.dialect, **held(capability.fixed)}
        kinds = ("quadratic", "rosenbrock", "rosenbrock", "saddle", "logistic")
        return [
            MinimizerCase(
                hyper=hyper,
                problem=ProblemSpec(kind, (5,), seed=i, exponent=i % 2),
                start=TensorSpec((5,), "normal", seed=10 + i, exponent=i % 2),
                history=history,
                steps=3,
            )
            for i, (kind, history) in enumerate(zip(kinds, (0, 0, 2, 1, 2), strict=True))
        ]

    def read(
        self,
        backend: MinimizerBackend,
        capability: MinimizerCapability,
        case: AnyCase,
        reading: Reading,
    ) -> Steps:
        """Run a case, and judge it as another dialect."""
        return lockstep(backend, capability, cast(MinimizerCase, case), reading.hyper)

    def place(self, check: Check, tally: Tally) -> Place:
        """The step and the element, and what entered the step."""
        found, case = tally.worst, tally.worst_case
        assert found is not None
        index = list(found.judgement.index or ())
        words = f"{found.tensor}{index}"
        if isinstance(case, OptimizerCase):
            group = case.groups[0]
            slot = group.slots[0]
            record = {"step": found.step, "index": index, "inputs": {}}
            told = f"a quadratic of shape {slot.param.shape}, after {slot.t} steps"
            hyper = f"hyperparameters: {json.dumps(dict(group.hyper))}"
            return Place(words, record, (told, hyper))
        case = cast(MinimizerCase, case)
        entered = cast(Mapping[str, Array | int], tally.context or {})
        inputs = {name: _hex(x) for name, x in entered.items()}
        return Place(
            words,
            {"step": found.step, "index": index, "inputs": inputs},
            (
                f"step {found.step} of a {case.problem.kind} problem of shape "
                f"{case.problem.shape}, after {case.history} steps of the reference",
                f"hyperparameters: {json.dumps(dict(case.hyper))}",
            ),
        )


def _hex(x: Array | int) -> int | list[str]:
    """A counter as it is, an array as a flat list of hex numbers."""
    if isinstance(x, (int, np.integer)):
        return int(x)
    return [float(v).hex() for v in np.asarray(x).reshape(-1)]
