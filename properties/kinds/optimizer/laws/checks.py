"""A law as a check: its claims on drawn trials, judged by the contracts of both sides."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

from truestep.fast.protocol import Capability, Slot
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.judge.contracts import agreement
from truestep.properties.kinds.minimizer.step import AsOptimizer
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, cases, slots
from truestep.properties.kinds.optimizer.laws.claims import Bench, Trial
from truestep.properties.kinds.optimizer.laws.definitions import (
    RULES,
    function_of,
    initial,
    inputs_of,
)
from truestep.properties.kinds.optimizer.laws.laws import LAWS
from truestep.properties.kinds.optimizer.laws.needs import need
from truestep.properties.kinds.optimizer.laws.table import Fails, Holds, entries
from truestep.properties.kinds.optimizer.step import Judged
from truestep.properties.search.exploration import Tally, explore, run_all
from truestep.reference.optimizers import FROM_FUNCTION

PREFIX = "law:"
# Shapes that laws can cut, permute and rotate: tails of vectors and whole ones.
_SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "any": ((4,), (17,), (3, 5), (64,), (129,)),
    "few": ((4,), (3,), (2, 3), (8,)),
    "matrices": ((3, 5), (5, 3), (4, 4), (8, 12), (2, 9)),
    "vectors": ((4,), (17,), (64,), (129,)),
}
_EXAMPLES = {"smoke": 1, "standard": 3, "deep": 200}


def names(capability: Capability) -> list[str]:
    """The checks' names of the laws that hold for a capability."""
    return [PREFIX + law for law in holding(capability)]


def holding(capability: Capability) -> list[str]:
    """The laws that hold for a rule in a capability's dialect and that it can be asked about."""
    rule = RULES[capability.rule]
    chosen = {name: getattr(rule.Hyper(), name) for name in rule.DIALECTS}
    chosen |= dict(capability.dialect)
    return [
        law
        for law, entry in entries(capability.rule).items()
        if isinstance(entry, Holds)
        and all(chosen[name] in values for name, values in entry.when.items())
        and _askable(capability, law, entry)
    ]


def _askable(capability: Capability, law: str, entry: Holds) -> bool:
    asked = need(law)
    if asked.several and (capability.single or capability.kind == "minimizer"):
        return False
    if asked.shapes == "vectors" and capability.shapes == "matrices":
        return False
    fixed = capability.fixed
    return asked.allowed(fixed) and all(fixed.get(k, x) == x for k, x in entry.at.items())


def shapes(capability: Capability, law: str) -> tuple[tuple[int, ...], ...]:
    """The shapes of the tensors on which a law is tried."""
    wanted: str = need(law).shapes
    if capability.rule in FROM_FUNCTION:  # each element costs evaluations of the function
        return _SHAPES["few"] if wanted == "any" else ((4,), (8,))
    on_matrices = RULES[capability.rule].FACTS.matrices
    if wanted == "any" and (on_matrices or capability.shapes == "matrices"):
        wanted = "matrices"
    return _SHAPES[wanted]


def strategy(capability: Capability, law: str) -> st.SearchStrategy[OptimizerCase]:
    """Cases of one tensor and one step."""
    return cases(
        RULES[capability.rule],
        capability.dialect,
        capability.fixed,
        slot=slots(
            shapes=shapes(capability, law), kinds=("normal", "spread"), param_kinds=("normal",)
        ),
        max_groups=1,
        max_slots=1,
        steps=(1, 1),
    )


def explored(
    backend: Any,
    capability: Capability,
    name: str,
    *,
    level: str,
    seed: int,
    started: Callable[[Any], None],
) -> Tally:
    """Search for a trial at which the law's claims are wrong."""
    return explore(
        strategy(capability, name.removeprefix(PREFIX)),
        lambda case, tally: _run(backend, capability, name, case, tally),
        examples=_EXAMPLES[level],
        seed=seed,
        started=lambda case: started(case.to_json()),
    )


def replayed(backend: Any, capability: Capability, name: str, case: OptimizerCase) -> Tally:
    """One recorded trial again."""
    return run_all(
        [case], lambda c, t: _run(backend, capability, name, c, t), started=lambda _: None
    )


def _run(
    backend: Any, capability: Capability, name: str, case: OptimizerCase, tally: Tally
) -> None:
    trial = trial_of(capability, name, case)
    if capability.kind == "minimizer":
        backend = AsOptimizer(backend, function_of)
    try:
        tally.add(case, judgements(Bench(backend, capability), name, trial), None)
    except Undecided:
        return


def trial_of(capability: Capability, name: str, case: OptimizerCase) -> Trial:
    """The tensor before the step, at the hyperparameters at which the law holds."""
    group, slot = case.groups[0], case.groups[0].slots[0]
    entry = entries(capability.rule).get(name.removeprefix(PREFIX))
    at = entry.at if isinstance(entry, Holds) else {}
    group = GroupCase({**group.hyper, **at}, group.slots)
    before = initial(capability, group, slot)
    hyper = RULES[capability.rule].Hyper(**group.hyper)
    fields = {f.name: getattr(hyper, f.name) for f in dataclasses.fields(hyper)}
    return Trial(capability.rule, fields, before, seed=slot.param.seed)


def judgements(bench: Bench, name: str, trial: Trial) -> list[Judged]:
    """The law's claims on a trial, judged."""
    law = LAWS[name.removeprefix(PREFIX)]
    with np.errstate(all="ignore"):
        return [
            Judged(0, 0, 0, claim.tensor, agreement(claim.left, claim.right, claim.bound))
            for claim in law(bench, trial)
        ]


def counterexample(bench: Bench, name: str, entry: Fails) -> list[Judged]:
    """The judgements of a law at the stored trial at which it fails."""
    rule = bench.rule
    hyper = {f: getattr(rule.Hyper(), f) for f in rule.Hyper.__dataclass_fields__} | dict(
        entry.hyper
    )
    p = np.asarray(entry.p, dtype=np.float64)
    fresh = rule.init(rule.Hyper(**hyper), p)
    state: dict[str, Any] = {
        f: entry.state.get(f, getattr(fresh, f)) for f in rule.State.__dataclass_fields__
    }
    arrays = {
        k: x if k == "t" else np.asarray(x, dtype=np.asarray(getattr(fresh, k)).dtype)
        for k, x in state.items()
    }
    shapes: Mapping[str, tuple[int, ...]] = inputs_of(bench.capability.rule, p.shape)
    inputs = {k: np.asarray(entry.inputs.get(k, np.zeros(s)), float) for k, s in shapes.items()}
    slot = Slot(p, np.asarray(entry.g, dtype=np.float64), arrays, inputs)
    return judgements(bench, name, Trial(bench.capability.rule, hyper, slot, seed=0))
