"""The checks of a rule that evaluates the function: families of cases judged step by step."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from truestep.fast.protocol import Capability
from truestep.properties.cases.hypers import held
from truestep.properties.cases.tensors import TensorSpec
from truestep.properties.judge.records import Place, law_line, result_of
from truestep.properties.judge.results import CheckResult
from truestep.properties.kinds.minimizer.cases import MinimizerCase, ProblemSpec, cases
from truestep.properties.kinds.minimizer.step import lockstep
from truestep.properties.kinds.optimizer.cases import OptimizerCase
from truestep.properties.kinds.optimizer.laws import checks as laws
from truestep.properties.kinds.optimizer.laws.laws import LAWS
from truestep.properties.laws.claims import PREFIX
from truestep.properties.search.exploration import Tally, explore, run_all
from truestep.properties.search.identification import (
    all_within,
    departures,
    first_that_agrees,
    in_words,
)
from truestep.reference.optimizers import FROM_FUNCTION

Cases = st.SearchStrategy[MinimizerCase]


@dataclass(frozen=True, slots=True)
class Family:
    """A named family of cases: what it varies, and how many examples each level tries."""

    about: str
    strategy: Callable[[Capability], Cases]
    examples: Mapping[str, int]


def _family(**varied: Any) -> Callable[[Capability], Cases]:
    def strategy(capability: Capability) -> Cases:
        rule = FROM_FUNCTION[capability.rule]
        return cases(rule, capability.dialect, capability.fixed, **varied)

    return strategy


_BADLY_SCALED = {"exponents": (-6, 6), "conditions": (3, 6), "scales": (-4, 3)}

# Numbers of examples: what fits the time of each level on two cores, not part of any contract.
FAMILIES = {
    "badly_scaled": Family(
        "functions, starts and curvatures of far apart sizes",
        _family(**_BADLY_SCALED, histories=(0, 3)),
        {"smoke": 4, "standard": 20, "deep": 500},
    ),
    "curvature_skip": Family(
        "falling directions, where a pair may have no positive curvature",
        _family(kinds=("saddle", "rosenbrock"), histories=(1, 3), scales=(0, 1)),
        {"smoke": 4, "standard": 20, "deep": 500},
    ),
    "early_steps": Family(
        "the first steps from a fresh state",
        _family(),
        {"smoke": 6, "standard": 40, "deep": 1000},
    ),
    "filled_memory": Family(
        "one to three pairs kept, after more steps than that",
        _family(memories=(1, 2, 3), histories=(4, 6), kinds=("rosenbrock", "logistic")),
        {"smoke": 4, "standard": 20, "deep": 500},
    ),
    "start_at_optimum": Family(
        "starts where the gradient is zero, or nearly so",
        _family(kinds=("quadratic",), starts=("zeros", "normal"), scales=(-6, -3)),
        {"smoke": 3, "standard": 10, "deep": 200},
    ),
    "zero_gradient": Family(
        "a constant function",
        _family(kinds=("flat",)),
        {"smoke": 2, "standard": 4, "deep": 50},
    ),
}


def names(capability: Capability) -> tuple[str, ...]:
    """The checks of a minimizer: families of cases, then the laws that hold for it."""
    return (*FAMILIES, *(laws.names(capability) if capability.level == "smoke" else ()))


def run(
    backend: Any,
    capability: Capability,
    name: str,
    *,
    level: str,
    seed: int,
    started: Callable[[Any], None],
) -> CheckResult:
    """Run one check on one capability."""
    begin = time.perf_counter()
    if name.startswith(PREFIX):
        tally = laws.explored(backend, capability, name, level=level, seed=seed, started=started)
        return _result(capability, name, tally, time.perf_counter() - begin)
    family = FAMILIES[name]
    tally = explore(
        family.strategy(capability),
        lambda case, t: _run_case(backend, capability, case, t),
        examples=family.examples[level],
        seed=seed,
        started=lambda case: started(case.to_json()),
    )
    identified = told = ""
    if tally.failed and tally.worst is not None:
        identified = _identified(backend, capability, tally.worst_case, started)
        told = identified or "no other known dialect agrees with these outputs"
    seconds = time.perf_counter() - begin
    return _result(capability, name, tally, seconds, identified=identified, told=told)


def replay_case(
    backend: Any, capability: Capability, name: str, record: Mapping[str, Any]
) -> CheckResult:
    """Run one recorded case again."""
    begin = time.perf_counter()
    if name.startswith(PREFIX):
        tally = laws.replayed(backend, capability, name, OptimizerCase.from_json(record))
    else:
        tally = run_all(
            [MinimizerCase.from_json(record)],
            lambda case, t: _run_case(backend, capability, case, t),
            started=lambda _: None,
        )
    return _result(capability, name, tally, time.perf_counter() - begin)


def _run_case(backend: Any, capability: Capability, case: MinimizerCase, tally: Tally) -> None:
    for inputs, found in lockstep(backend, capability, case):
        tally.add(case, found, inputs)


def _battery(capability: Capability) -> Iterator[MinimizerCase]:
    """Fixed cases that tell dialects apart: convex or not, fresh or with pairs."""
    hyper = {**capability.dialect, **held(capability.fixed)}
    for i, (kind, history) in enumerate(
        [("quadratic", 0), ("rosenbrock", 0), ("rosenbrock", 2), ("saddle", 1), ("logistic", 2)]
    ):
        yield MinimizerCase(
            hyper=hyper,
            problem=ProblemSpec(kind, (5,), seed=i, exponent=i % 2),
            start=TensorSpec((5,), "normal", seed=10 + i, exponent=i % 2),
            history=history,
            steps=3,
        )


def _identified(
    backend: Any,
    capability: Capability,
    failing: MinimizerCase,
    started: Callable[[Any], None],
) -> str:
    """The dialects that a kernel agrees with on a failing case and on the battery."""
    rule = FROM_FUNCTION[capability.rule]

    def readings(distance: int) -> Iterator[tuple[str, Mapping[str, str]]]:
        for changes in departures(rule, capability.dialect, distance):
            yield f"{capability.rule} with {in_words(rule, changes)}", changes

    def agrees(changes: Mapping[str, str]) -> bool:
        started(failing.to_json())
        tried = [failing, *_battery(capability)]
        return _agrees(backend, capability, tried, changes)

    return first_that_agrees(readings, agrees)


def _agrees(
    backend: Any,
    capability: Capability,
    tried: list[MinimizerCase],
    changes: Mapping[str, str],
) -> bool:
    rule = FROM_FUNCTION[capability.rule]

    def reread(hyper: Any) -> Any:
        fields = {name: getattr(hyper, name) for name in rule.Hyper.__dataclass_fields__}
        return rule.Hyper(**{**fields, **changes})

    return all_within(lambda case: lockstep(backend, capability, case, reread), tried)


def _result(
    capability: Capability,
    name: str,
    tally: Tally,
    seconds: float,
    *,
    identified: str = "",
    told: str = "",
) -> CheckResult:
    is_law = name.startswith(PREFIX)
    remarks = [f"declared: {in_words(FROM_FUNCTION[capability.rule], capability.dialect)}"]
    if is_law and tally.worst is not None:
        remarks.append(law_line(LAWS[name.removeprefix(PREFIX)].__doc__))
    elif told:
        remarks.append(f"this kernel computes: {told}")
    return result_of(
        capability,
        name,
        tally,
        seconds,
        contract="law" if is_law else "sampled",
        place=_place_of_law if is_law else _place,
        remarks=remarks,
        identified=identified,
    )


def _place_of_law(tally: Tally) -> Place:
    found, case = tally.worst, tally.worst_case
    assert found is not None
    index = list(found.judgement.index or ())
    group = case.groups[0]
    return Place(
        f"{found.tensor}{index}",
        {"step": found.step, "index": index, "inputs": {}},
        (
            f"a quadratic of shape {group.slots[0].param.shape}, after {group.slots[0].t} steps",
            f"hyperparameters: {json.dumps(dict(group.hyper))}",
        ),
    )


def _place(tally: Tally) -> Place:
    found, case = tally.worst, tally.worst_case
    assert found is not None
    index = list(found.judgement.index or ())
    inputs = {name: _hex(x) for name, x in (tally.context or {}).items()}
    return Place(
        f"{found.tensor}{index}",
        {"step": found.step, "index": index, "inputs": inputs},
        (
            f"step {found.step} of a {case.problem.kind} problem of shape {case.problem.shape}, "
            f"after {case.history} steps of the reference",
            f"hyperparameters: {json.dumps(dict(case.hyper))}",
        ),
    )


def _hex(x: Any) -> Any:
    """A counter as it is, an array as a flat list of hex numbers."""
    if isinstance(x, (int, np.integer)):
        return int(x)
    return [float(v).hex() for v in np.asarray(x).reshape(-1)]
