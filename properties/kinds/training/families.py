"""The checks of a training-loop piece: families of cases, each call judged, and their messages."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from truestep.fast.protocol import Capability
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.cases.tensors import EXTREMES
from truestep.properties.judge.contracts import Judged
from truestep.properties.judge.records import Place, law_line, result_of
from truestep.properties.judge.results import CheckResult
from truestep.properties.kinds.training.cases import Ranges, TrainingCase, cases
from truestep.properties.kinds.training.laws import laws
from truestep.properties.kinds.training.step import lockstep
from truestep.properties.search.exploration import Tally, explore, run_all
from truestep.properties.search.identification import (
    all_within,
    departures,
    first_that_agrees,
    in_words,
)
from truestep.reference.training import TRAINING

PREFIX = "law:"
LEVELS = ("smoke", "standard", "deep")


@dataclass(frozen=True, slots=True)
class Family:
    """A named family of cases: what it varies, how, and how many examples each level tries.

    inputs: of which at least one a piece must have for the family to say anything of it; () is any.
    """

    about: str
    ranges: Ranges
    examples: Mapping[str, int]
    inputs: tuple[str, ...] = ()


_TENSORS = ("gradient", "gradients")
_LISTS = ("gradients",)
_STATE = ("moments", "g2", "totals", "weight", "then")
_SMALL = ((3,), (2, 3), (), (9,))
_MANY = (*((n,) for n in range(1, 20)), (0,), (), (3, 5))

# Numbers of examples: what fits the time of each level on two cores, not part of any contract.
FAMILIES = {
    "all_zero": Family(
        "zero gradients",
        Ranges(kinds=("zeros",), specials=("zero",)),
        {"smoke": 2, "standard": 10, "deep": 100},
        _TENSORS,
    ),
    "at_the_threshold": Family(
        "a norm or a size that every kernel gets exactly, the limit at it, above it and below it",
        Ranges(exact=True),
        {"smoke": 6, "standard": 60, "deep": 1000},
        # Of the clipping pieces only; the others have no limit for a gradient.
        ("clipped",),
    ),
    "full_range": Family(
        "random bit patterns, and huge and tiny scales",
        Ranges(kinds=("normal", "bits"), exponents=(-38, 36), shapes=((33,), (4, 8), (5,))),
        {"smoke": 5, "standard": 20, "deep": 300},
        _TENSORS,
    ),
    "large": Family(
        "tensors beyond the sizes where kernels go parallel",
        Ranges(
            shapes=((2**15 + 3,), (2**16 - 1,), (257, 129)),
            kinds=("normal", "spread"),
            tensors=(1, 2),
        ),
        {"smoke": 1, "standard": 3, "deep": 30},
        _TENSORS,
    ),
    "many_tensors": Family(
        "seventy tensors in one call, empty ones among them",
        Ranges(shapes=_MANY, kinds=("normal",), tensors=(68, 70)),
        {"smoke": 1, "standard": 2, "deep": 10},
        _LISTS,
    ),
    "sequence": Family(
        "several calls one after the other, nan and infinities in some of them",
        Ranges(shapes=_SMALL, calls=(2, 6), overflows=True),
        {"smoke": 6, "standard": 50, "deep": 1000},
        _STATE,
    ),
    "special_values": Family(
        "nan, infinities, the largest and the least numbers",
        Ranges(shapes=((9,), (17,), (4, 5)), specials=EXTREMES, overflows=True),
        {"smoke": 3, "standard": 30, "deep": 300},
        _TENSORS,
    ),
    "values": Family(
        "shapes, layouts, scales and hyperparameters drawn independently of one another",
        Ranges(),
        {"smoke": 10, "standard": 80, "deep": 2000},
    ),
}
_LAW_EXAMPLES = {"smoke": 2, "standard": 8, "deep": 200}
_CLIPPING = ("max_norm", "max_value", "clipping")


def _speaks_of(family: Family, capability: Capability) -> bool:
    piece = TRAINING[capability.rule]
    if family.inputs == ("clipped",):
        return any(name in piece.Hyper.__dataclass_fields__ for name in _CLIPPING)
    return not family.inputs or any(name in piece.INPUTS for name in family.inputs)


def names(capability: Capability) -> tuple[str, ...]:
    """The checks of a piece: families of cases, then the laws that hold for it."""
    families = tuple(name for name, family in FAMILIES.items() if _speaks_of(family, capability))
    leading = capability.level == LEVELS[0]
    return (*families, *((PREFIX + law for law in laws.holding(capability)) if leading else ()))


def strategy(capability: Capability, name: str) -> st.SearchStrategy[TrainingCase]:
    """The cases of a family, or those that laws start from."""
    ranges = laws.RANGES if name.startswith(PREFIX) else FAMILIES[name].ranges
    return cases(capability, ranges)


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
    level = LEVELS[max(0, LEVELS.index(level) - LEVELS.index(capability.level))]
    examples = _LAW_EXAMPLES if name.startswith(PREFIX) else FAMILIES[name].examples
    tally = explore(
        strategy(capability, name),
        lambda case, t: _run_case(backend, capability, name, case, t),
        examples=examples[level],
        seed=seed,
        started=lambda case: started(case.to_json()),
    )
    identified = told = ""
    if tally.failed and tally.worst is not None and name in FAMILIES:
        identified = _identify(backend, capability, tally.worst_case, started)
        told = identified or "no other known dialect agrees with these outputs"
    seconds = time.perf_counter() - begin
    return _result(capability, name, tally, seconds, identified=identified, told=told)


def replay_case(
    backend: Any, capability: Capability, name: str, record: Mapping[str, Any]
) -> CheckResult:
    """Run one recorded case again."""
    begin = time.perf_counter()
    tally = run_all(
        [TrainingCase.from_json(record)],
        lambda case, t: _run_case(backend, capability, name, case, t),
        started=lambda _: None,
    )
    return _result(capability, name, tally, time.perf_counter() - begin)


def _run_case(
    backend: Any, capability: Capability, name: str, case: TrainingCase, tally: Tally
) -> None:
    try:
        if name.startswith(PREFIX):
            law = name.removeprefix(PREFIX)
            tally.add(case, laws.judgements(backend, capability, law, case), None)
            return
        for inputs, found in lockstep(backend, capability, case):
            tally.add(case, found, inputs)
    except Undecided:
        return


def _identify(
    backend: Any, capability: Capability, worst: TrainingCase, started: Callable[[Any], None]
) -> str:
    """Which other dialect all outputs of the failing case and of a battery agree with."""
    piece = TRAINING[capability.rule]
    battery = [worst, *_battery(capability)]

    def readings(distance: int) -> Iterator[tuple[str, Mapping[str, str]]]:
        for changes in departures(piece, capability.dialect, distance):
            yield f"{capability.rule} with {in_words(piece, changes)}", changes

    def agrees(changes: Mapping[str, str]) -> bool:
        started(worst.to_json())
        return _agrees(backend, capability, battery, changes)

    return first_that_agrees(readings, agrees)


def _battery(capability: Capability) -> list[TrainingCase]:
    """Fixed cases that tell dialects apart."""
    found: list[TrainingCase] = []
    explore(
        cases(capability, Ranges(calls=(2, 4), tensors=(2, 3))),
        lambda case, _: found.append(case),
        examples=12,
        seed=1,
        started=lambda _: None,
    )
    return found


def _agrees(
    backend: Any,
    capability: Capability,
    tried: Sequence[TrainingCase],
    changes: Mapping[str, str],
) -> bool:
    piece = TRAINING[capability.rule]

    def reread(hyper: Any) -> Any:
        fields = {name: getattr(hyper, name) for name in piece.Hyper.__dataclass_fields__}
        return piece.Hyper(**{**fields, **changes})

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
    remarks = [f"declared: {in_words(TRAINING[capability.rule], capability.dialect)}"]
    if tally.worst is not None and name.startswith(PREFIX):
        remarks.append(law_line(laws.LAWS[name.removeprefix(PREFIX)].__doc__))
    elif tally.worst is not None and told:
        remarks.append(f"this kernel computes: {told}")
    return result_of(
        capability,
        name,
        tally,
        seconds,
        contract="law" if name.startswith(PREFIX) else "bounded",
        place=_place,
        remarks=remarks,
        identified=identified,
    )


def _place(tally: Tally) -> Place:
    found = tally.worst
    assert found is not None
    index = list(found.judgement.index or ())
    inputs = _inputs(tally.context, found) if tally.context else {}
    entered = ", ".join(f"{key}={value}" for key, value in inputs.items())
    return Place(
        f"{found.tensor}{index}",
        {"step": found.step, "slot": found.slot, "index": index, "inputs": inputs},
        (
            f"call {found.step}, tensor {found.slot} of the list",
            f"inputs at this element: {entered or 'none'}",
            f"hyperparameters: {json.dumps(dict(tally.worst_case.hyper))}",
        ),
    )


def _inputs(inputs: Mapping[str, Any], found: Judged) -> dict[str, Any]:
    """The numbers that entered the worst element: scalars, and tensors at its place."""
    out: dict[str, Any] = {}
    index = found.judgement.index or ()
    for name, x in inputs.items():
        if isinstance(x, Sequence) and not isinstance(x, str) and found.slot < len(x):
            x = x[found.slot]
        if isinstance(x, np.ndarray):
            inside = len(index) == x.ndim
            if inside and all(i < n for i, n in zip(index, x.shape, strict=True)):
                out[name] = float(x[index]).hex()
        elif isinstance(x, float):
            out[name] = x.hex()
        elif isinstance(x, (int, str)):
            out[name] = x
    return out
