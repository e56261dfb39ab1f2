"""A law as a check: its claims on drawn trials, judged by the contracts of both sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

from truestep.fast.protocol import Capability, Slot
from truestep.properties.arithmetic.lift import state_of
from truestep.properties.cases.optimizer import OptimizerCase, cases, slots
from truestep.properties.contracts import agreement
from truestep.properties.exploration import Tally, explore, run_all
from truestep.properties.laws.claims import Bench, Trial
from truestep.properties.laws.laws import LAWS
from truestep.properties.laws.table import Fails, holding
from truestep.properties.stepping import Judged, initial
from truestep.reference.optimizers import OPTIMIZERS

PREFIX = "law:"
# Shapes that laws can cut, permute and rotate: tails of vectors and whole ones.
_SHAPES = ((4,), (17,), (3, 5), (64,), (129,))
_EXAMPLES = {"smoke": 1, "standard": 4, "deep": 200}


def names(capability: Capability) -> list[str]:
    """The checks' names of the laws that hold for a capability."""
    rule = OPTIMIZERS[capability.rule]
    defaults = {name: getattr(rule.Hyper(), name) for name in rule.DIALECTS}
    return [PREFIX + law for law in holding(capability.rule, capability.dialect, defaults)]


def strategy(capability: Capability) -> st.SearchStrategy[OptimizerCase]:
    """Cases of one tensor and one step."""
    slot = slots(shapes=_SHAPES, kinds=("normal", "spread"), param_kinds=("normal",))
    rule = OPTIMIZERS[capability.rule]
    return cases(
        rule,
        capability.dialect,
        capability.fixed,
        slot=slot,
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
        strategy(capability),
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
    rule = OPTIMIZERS[capability.rule]
    group = case.groups[0]
    slot = initial(rule, capability, group, group.slots[0])
    trial = Trial(group.hyper, slot, seed=group.slots[0].param.seed)
    tally.add(case, judgements(Bench(backend, capability), name, trial), None)


def judgements(bench: Bench, name: str, trial: Trial) -> list[Judged]:
    """The law's claims on a trial, judged."""
    law = LAWS[name.removeprefix(PREFIX)]
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
    p = np.asarray(entry.p)
    fresh = rule.init(rule.Hyper(**hyper), p)
    state: Mapping[str, Any] = {
        f: entry.state.get(f, getattr(fresh, f)) for f in rule.State.__dataclass_fields__
    }
    arrays = {k: np.asarray(x, dtype=float) if k != "t" else x for k, x in state.items()}
    state_of(rule.State, arrays, np.asarray)
    return judgements(bench, name, Trial(hyper, Slot(p, np.asarray(entry.g), arrays), seed=0))
