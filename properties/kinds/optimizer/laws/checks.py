"""A law as a check: its claims on drawn trials, judged by the contracts of both sides."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np
from hypothesis import strategies as st

from truestep.fast.protocol import (
    Level,
    MinimizerBackend,
    MinimizerCapability,
    OptimizerBackend,
    OptimizerCapability,
    Slot,
)
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.cases.hypers import hypers as plain_hypers
from truestep.properties.judge import truth
from truestep.properties.judge.contracts import Judged
from truestep.properties.kinds.minimizer.step import AsOptimizer
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, Slots, cases, slots
from truestep.properties.kinds.optimizer.fitting import divisible
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial
from truestep.properties.kinds.optimizer.laws.definitions import (
    RULES,
    function_of,
    initial,
    inputs_of,
)
from truestep.properties.kinds.optimizer.laws.laws import LAWS
from truestep.properties.kinds.optimizer.laws.needs import need
from truestep.properties.kinds.optimizer.laws.rows import Fails
from truestep.properties.kinds.optimizer.laws.table import entries_of
from truestep.properties.kinds.optimizer.storage import held_storage, hypers, rule_of
from truestep.properties.laws import entries as table
from truestep.properties.laws.claims import PREFIX, judged
from truestep.properties.laws.entries import Holds
from truestep.reference.declared import fields_of
from truestep.reference.optimizers import FROM_FUNCTION
from truestep.reference.validation import Array

Backend = OptimizerBackend | MinimizerBackend
Capability = OptimizerCapability | MinimizerCapability

# Shapes that laws can cut, permute and rotate: tails of vectors and whole ones.
_SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "any": ((4,), (17,), (3, 5), (64,), (129,)),
    "few": ((4,), (3,), (2, 3), (8,)),
    "matrices": ((3, 5), (5, 3), (4, 4), (8, 12), (2, 9)),
    "vectors": ((4,), (17,), (64,), (129,)),
}
# Numbers of examples of a law by level.
EXAMPLES: Mapping[Level, int] = {"smoke": 1, "standard": 3, "deep": 200}


def names(capability: Capability) -> list[str]:
    """The checks' names of the laws that hold for a capability."""
    return [PREFIX + law for law in holding(capability)]


def holding(capability: Capability) -> list[str]:
    """The laws that hold for a rule in a capability's dialect and that it can be asked about."""
    found = table.holding(entries_of(capability), rule_of(capability).Hyper(), capability)
    return [law for law, entry in found if askable(capability, law, entry)]


def askable(capability: Capability, law: str, entry: Holds) -> bool:
    """Whether a law can be tried on what a capability takes and can vary."""
    asked = need(law)
    if asked.several and (isinstance(capability, MinimizerCapability) or capability.single):
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
    ranges = Slots(
        shapes=shapes(capability, law), kinds=("normal", "spread"), param_kinds=("normal",)
    )
    fields = (
        hypers(capability)
        if isinstance(capability, OptimizerCapability)
        else plain_hypers(RULES[capability.rule], capability.dialect, capability.fixed)
    )
    drawn = cases(fields, slots(ranges), max_groups=1, max_slots=1, steps=(1, 1))
    if not isinstance(capability, OptimizerCapability):
        return drawn
    return drawn.map(lambda case: divisible(case, capability))


def judgements(
    backend: Backend, capability: Capability, law: str, case: OptimizerCase
) -> list[Judged]:
    """The law's claims on a case's tensor; raises Undecided where they are open."""
    if isinstance(capability, MinimizerCapability):
        shim = AsOptimizer(cast(MinimizerBackend, backend), capability, function_of)
        backend, capability = shim, shim.capability
    trial = trial_of(capability, law, case)
    # The definition's own error is evaluated where the claims' verdict may hang on it.
    whole = truth.measured(arithmetic_of(capability.arithmetic), trial.g)
    bench = Bench(cast(OptimizerBackend, backend), capability, whole)
    found = claimed(bench, law, trial)
    if whole or all(truth.settled(each.judgement) for each in found):
        return found
    return claimed(replace(bench, whole=True), law, trial)


def trial_of(capability: OptimizerCapability, law: str, case: OptimizerCase) -> Trial:
    """The tensor before the step, at the hyperparameters at which the law holds."""
    (group,) = case.groups
    (slot,) = group.slots
    entry = entries_of(capability).get(law)
    at = entry.at if isinstance(entry, Holds) else {}
    group = GroupCase({**group.hyper, **at}, group.slots)
    hyper = fields_of(rule_of(capability).Hyper(**group.hyper))
    return Trial(capability, hyper, initial(capability, group, slot), seed=slot.param.seed)


def claimed(bench: Bench, law: str, trial: Trial) -> list[Judged]:
    """The law's claims on a trial, judged."""
    return list(judged(LAWS[law](bench, trial)))


def counterexample(bench: Bench, law: str, entry: Fails) -> list[Judged]:
    """The judgements of a law at the stored example at which it fails."""
    rule, example = bench.rule, entry.example
    hyper = fields_of(rule.Hyper(**held_storage(bench.capability)))
    hyper |= ({"lr": 0.1} if "lr" in hyper else {}) | dict(example.hyper)
    p, g = (np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in (example.p, example.g))
    state = {
        name: _filled(x, example.state.get(name, x))
        for name, x in fields_of(rule.init(rule.Hyper(**hyper), p)).items()
    }
    inputs = {
        name: np.asarray(example.inputs.get(name, np.zeros(shape)), dtype=np.float64)
        for name, shape in inputs_of(bench.capability.rule, p.shape).items()
    }
    slot = Slot(p, g, state, inputs)
    return claimed(bench, law, Trial(bench.capability, hyper, slot, seed=0))


def _filled(fresh: Array, x: Array) -> Array:
    """x as a field of a state: a counter as it is, else in the fresh field's shape and format."""
    if isinstance(fresh, int):
        return x
    like = np.asarray(fresh)
    return np.broadcast_to(x, like.shape).astype(like.dtype)
