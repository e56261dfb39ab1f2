"""Optimizers: rules that step from a gradient, judged in lockstep."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast, final

import numpy as np

from truestep.fast.protocol import Capability, Group, OptimizerBackend, OptimizerCapability
from truestep.properties.cases.hypers import held
from truestep.properties.cases.restored import restored
from truestep.properties.cases.tensors import TensorSpec
from truestep.properties.judge.contracts import Judged
from truestep.properties.judge.records import Place
from truestep.properties.judge.results import Check, Record
from truestep.properties.judge.tally import Tally
from truestep.properties.kinds.kind import LEVELS, Kind, Steps
from truestep.properties.kinds.optimizer import strata
from truestep.properties.kinds.optimizer.account import account
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
from truestep.properties.kinds.optimizer.contract import choose_contract
from truestep.properties.kinds.optimizer.families import FAMILIES
from truestep.properties.kinds.optimizer.fitting import fitted
from truestep.properties.kinds.optimizer.laws import checks as laws
from truestep.properties.kinds.optimizer.laws.found import claimable, find_laws
from truestep.properties.kinds.optimizer.laws.laws import LAWS
from truestep.properties.kinds.optimizer.statistics import STATISTICS
from truestep.properties.kinds.optimizer.step import lockstep
from truestep.properties.kinds.optimizer.storage import (
    held_storage,
    is_split,
    rule_of,
    storage_readings,
    with_storage,
)
from truestep.properties.laws.claims import PREFIX
from truestep.properties.search.exploration import Drawn, Listed
from truestep.properties.search.identification import Reading, dialects_of, nearby_dialects
from truestep.properties.told.account import Account
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.rules import Optimizer, Rule


@final
class OptimizerKind(Kind[OptimizerCapability, OptimizerCase, OptimizerBackend]):
    """Families of cases judged in lockstep, and laws of one step."""

    name = "optimizer"
    word = "dialect or rule"

    def names(self, capability: OptimizerCapability) -> Sequence[str]:
        """Families of cases, statistics of rounding, then the laws that hold for it.

        Laws are run on a rule's leading implementations, those that the least thorough level
        includes, but not where tensors are kept in two parts.
        """
        choose_contract(capability.rule)
        find_laws(capability)
        leading = capability.level == LEVELS[0]
        statistics = [name for name, test in STATISTICS.items() if test.applies(capability)]
        held = laws.names(capability) if leading and not is_split(capability) else ()
        return (*FAMILIES, strata.NAME, *statistics, *held)

    def cases(
        self, check: Check, capability: OptimizerCapability
    ) -> Drawn[OptimizerCase] | Listed[OptimizerCase]:
        """Drawn cases, fitted to what the capability takes."""
        if check.name in STATISTICS:
            return Listed(lambda seed: [STATISTICS[check.name].case(capability, seed)])
        if check.name == strata.NAME:
            return Listed(lambda seed: strata.cases(capability, seed))
        if check.name.startswith(PREFIX):
            law = check.name.removeprefix(PREFIX)
            return Drawn(laws.strategy(capability, law), laws.EXAMPLES)
        family = FAMILIES[check.name]

        def fit(case: OptimizerCase) -> OptimizerCase:
            return fitted(case, capability)

        return Drawn(
            family.strategy(capability).map(fit),
            family.examples,
            family.simplified,
            lambda seed: [fit(case) for case in family.first(capability, seed)],
            lambda seed: [fit(case) for case in family.own(capability, seed)],
        )

    def drawn_for(self, check: Check) -> Capability:
        """Of most families, the same for every format."""
        alike = super().drawn_for(check)
        if check.name not in FAMILIES or FAMILIES[check.name].by_format:
            return alike
        return replace(alike, format="float32", arithmetic="ieee_float32")

    def case(self, check: Check, record: Record) -> OptimizerCase:
        """The case that to_json wrote."""
        return restored(OptimizerCase, record)

    def judged(
        self,
        backend: OptimizerBackend,
        check: Check,
        capability: OptimizerCapability,
        case: OptimizerCase,
    ) -> Steps:
        """Every step from the backend's own last state, or a law's claims."""
        if check.name.startswith(PREFIX):
            law = check.name.removeprefix(PREFIX)
            if claimable(capability, law, case):
                yield None, laws.judgements(backend, capability, law, case)
        elif check.name in STATISTICS:
            yield from STATISTICS[check.name].judged(backend, capability, case)
        else:
            yield from lockstep(backend, capability, case)

    def contract(self, check: Check) -> str:
        """By replicates where the definition leaves something open, else by bounds."""
        if check.name in STATISTICS:
            return "statistical"
        return "sampled" if OPTIMIZERS[check.rule].FACTS.observables else "bounded"

    def reads(self, check: Check) -> bool:
        """Not a statistic of rounding, which has no other reading."""
        return super().reads(check) and check.name not in STATISTICS

    def law(self, check: Check) -> str | None:
        """What a law says."""
        return LAWS[check.name.removeprefix(PREFIX)].__doc__

    def battery(self, capability: OptimizerCapability) -> Sequence[OptimizerCase]:
        """Every term alive, p zero and nonzero, all scales."""
        rule = rule_of(capability)
        strong = {"lr": 0.1, "weight_decay": 1.0, "eps": 1e-3, "momentum": 0.9}
        names = set(rule.Hyper.__dataclass_fields__) - set(rule.DIALECTS)
        hyper: dict[str, object] = {k: v for k, v in strong.items() if k in names}
        hyper |= dict(capability.dialect) | held(capability.fixed) | held_storage(capability)
        out = []
        for i, (exponent, t) in enumerate([(0, 0), (-3, 0), (-3, 2), (-2, 9), (0, 3), (-4, 99)]):
            slot = SlotCase(
                param=TensorSpec((17,), "normal" if i % 2 else "zeros", seed=i),
                grad=TensorSpec((17,), "normal", seed=100 + i, exponent=exponent),
                t=t,
                history=min(t, 3),
                past=i % 3 - 1,
            )
            case = OptimizerCase(groups=(GroupCase(hyper, (slot,)),), steps=3)
            out.append(fitted(case, capability))
        return out

    def rule(self, capability: OptimizerCapability) -> Rule:
        """The rule, with its state as it is kept."""
        return rule_of(capability)

    def readings(self, capability: OptimizerCapability, distance: int) -> Iterator[Reading]:
        """Other dialects, and other rules that are called and judged alike."""
        yield from super().readings(capability, distance)
        if distance > 1:
            return
        yield from storage_readings(capability)
        for name, plain in OPTIMIZERS.items():
            if name != capability.rule and _alike(OPTIMIZERS[capability.rule], plain):
                other = with_storage(plain, capability.storage)
                near = nearby_dialects(other, capability.dialect, _FARTHEST)
                yield from dialects_of(name, other, near)

    def read(
        self,
        backend: OptimizerBackend,
        capability: OptimizerCapability,
        case: OptimizerCase,
        reading: Reading,
    ) -> Steps:
        """Run a case, and judge it as another rule or dialect."""
        rule = cast(Optimizer, reading.rule)
        return lockstep(backend, capability, case, lambda hyper: (rule, reading.hyper(hyper)))

    def account(
        self,
        backend: OptimizerBackend,
        check: Check,
        capability: OptimizerCapability,
        tally: Tally,
        started: Callable[[OptimizerCase], None],
        *,
        known: bool,
    ) -> Account:
        """Which tensors err and where, the line of the rule, and a program of its own."""
        return account(backend, capability, tally, self.battery(capability), started, known=known)

    def place(self, check: Check, tally: Tally) -> Place:
        """The step, the tensor and the element, and the numbers that entered it."""
        found, case = tally.worst, cast(OptimizerCase, tally.worst_case)
        assert found is not None
        if check.name in STATISTICS:
            return STATISTICS[check.name].place(found)
        group = case.groups[found.group]
        slot = group.slots[found.slot]
        index = list(found.judgement.index or ())
        inputs = _inputs(cast(Sequence[Group], tally.context), found) if tally.context else {}
        entered = ", ".join(f"{name}={value}" for name, value in inputs.items())
        return Place(
            f"{found.tensor}{index}",
            {
                "step": found.step,
                "group": found.group,
                "slot": found.slot,
                "index": index,
                "inputs": inputs,
            },
            (
                f"step {found.step}, group {found.group}, slot {found.slot}, "
                f"shape {slot.param.shape}, layout {slot.param.layout}",
                f"inputs at this element: {entered or 'none'}",
                f"hyperparameters: {json.dumps(dict(group.hyper))}",
            ),
        )


# Choices of another rule that a kernel of it may have made besides.
_FARTHEST = 2


def _alike(a: Optimizer, b: Optimizer) -> bool:
    """Whether both have the same state, take the same besides the gradient, and are judged alike.

    By observables or not: Muon's state is SGD's, but it has a thousand dialects.
    """
    fields = [list(rule.State.__dataclass_fields__) for rule in (a, b)]
    judged = [rule.FACTS.observables is None for rule in (a, b)]
    return (
        fields[0] == fields[1]
        and set(a.FACTS.inputs) == set(b.FACTS.inputs)
        and judged[0] == judged[1]
    )


def _inputs(groups: Sequence[Group], found: Judged) -> Mapping[str, str | int]:
    """The numbers that entered the worst element, where the tensors are shaped like it."""
    group = groups[found.group]
    slot = group.slots[found.slot]
    index = found.judgement.index or ()
    out: dict[str, str | int] = {}
    tensors = {"p": slot.param, **slot.state}
    if found.tensor not in tensors or np.shape(tensors[found.tensor]) != slot.param.shape:
        index = ()  # what is judged is of another shape, or not a tensor but made of several
    entered = {"p": slot.param, "g": slot.grad, **slot.state, **slot.inputs}
    for name, x in entered.items():
        if isinstance(x, np.ndarray):
            if x.shape == slot.param.shape and len(index) == x.ndim:
                out[name] = float(x[index]).hex()
        else:
            out[name] = int(x)
    return out
