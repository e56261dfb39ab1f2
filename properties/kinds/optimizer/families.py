"""The checks of an optimizer: families of cases, each judged in lockstep, and their messages."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from hypothesis import strategies as st

from truestep.fast.protocol import Capability, Group
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.cases.hypers import held, hypers
from truestep.properties.cases.tensors import EXTREMES, TensorSpec, explicit
from truestep.properties.judge.records import Place, law_line, result_of
from truestep.properties.judge.results import CheckResult, check_id
from truestep.properties.kinds.optimizer.cases import (
    GroupCase,
    OptimizerCase,
    SlotCase,
    cases,
    slots,
)
from truestep.properties.kinds.optimizer.fitting import fitted
from truestep.properties.kinds.optimizer.independent import independent_cases
from truestep.properties.kinds.optimizer.laws import checks as laws
from truestep.properties.kinds.optimizer.laws.laws import LAWS
from truestep.properties.kinds.optimizer.step import Judged, lockstep
from truestep.properties.search.exploration import Tally, explore, run_all
from truestep.properties.search.identification import identify, in_words
from truestep.reference.optimizers import OPTIMIZERS

LEVELS = ("smoke", "standard", "deep")
Cases = st.SearchStrategy[OptimizerCase]


@dataclass(frozen=True, slots=True)
class Family:
    """A named family of cases: what it varies, and how many examples each level tries."""

    about: str
    strategy: Callable[[Capability], Cases]
    examples: Mapping[str, int]


def _with(capability: Capability, slot: st.SearchStrategy[SlotCase], **sizes: Any) -> Cases:
    rule = OPTIMIZERS[capability.rule]
    return cases(rule, capability.dialect, capability.fixed, slot=slot, **sizes)


def _lockstep(capability: Capability) -> Cases:
    return _with(capability, slots())


def _combinations(capability: Capability) -> Cases:
    rule = OPTIMIZERS[capability.rule]
    return independent_cases(rule, capability.dialect, capability.fixed)


def _update_alone(capability: Capability) -> Cases:
    slot = slots(shapes=((9,), (17,), (64,)), grads=(-14, 1), param_kinds=("zeros",))
    return _with(capability, slot, max_groups=1, max_slots=2)


# Counts at which counters in 8, 11 (float16), 16 and 24 bits (float32) stop being exact.
_EDGES = (254, 255, 256, 257, 511, 2047, 2048, 2049, 32767, 65535, 65536, 2**24 - 4)
_BEYOND = (2**24 - 1, 2**24, 2**24 + 1, 2**25 + 1, 2**31 - 2)


def _counter(capability: Capability) -> Cases:
    slot = slots(counts=_EDGES, shapes=((3,), (17,)))
    return _with(capability, slot, max_groups=1, max_slots=2)


def _counter_beyond_float32(capability: Capability) -> Cases:
    slot = slots(counts=_BEYOND, shapes=((3,), (17,)))
    return _with(capability, slot, max_groups=1, max_slots=1)


def _special_values(capability: Capability) -> Cases:
    slot = slots(shapes=((9,), (17,), (65,)), specials=EXTREMES, counts=(0, 1, 9))
    return _with(capability, slot.map(_with_every_extreme), max_groups=1, max_slots=2)


def _with_every_extreme(slot: SlotCase) -> SlotCase:
    """The slot with each extreme somewhere in its gradient; every other one has a fresh state."""
    first = slot.grad.seed
    every = tuple((first + k, name) for k, name in enumerate(EXTREMES))
    grad = replace(slot.grad, specials=(*slot.grad.specials, *every))
    return replace(slot, grad=grad, history=slot.history if first % 2 else 0)


def _full_range(capability: Capability) -> Cases:
    if OPTIMIZERS[capability.rule].FACTS.elementwise:
        slot = slots(shapes=((33,), (64,)), kinds=("bits",), param_kinds=("bits",))
    else:
        # Sums of squares leave the range unless all numbers stay within the root of it.
        most = int(np.log10(format_named(capability.format).largest) / 2) - 3
        widest = (-max(most, 0), max(most, 0))
        slot = slots(
            shapes=((33,), (64,), (5, 8)),
            kinds=("spread",),
            param_kinds=("spread",),
            grads=widest,
            params=widest,
        )
    return _with(capability, slot, max_groups=1, max_slots=1)


def _element_by_element(capability: Capability) -> Cases:
    format = format_named(capability.format)
    slot = st.integers(1, 4).flatmap(
        lambda n: st.builds(
            SlotCase,
            param=explicit((n,), format),
            grad=explicit((n,), format),
            t=st.sampled_from((0, 1, 9)),
            history=st.just(1),
        ).map(lambda s: replace(s, history=min(s.history, s.t)))
    )
    return _with(capability, slot, max_groups=1, max_slots=1)


def _large(capability: Capability) -> Cases:
    slot = slots(shapes=((2**15 + 3,), (2**16 - 1,), (257, 129)), kinds=("normal", "spread"))
    return _with(capability, slot, max_groups=1, max_slots=1, steps=(1, 2))


def _all_zero(capability: Capability) -> Cases:
    slot = slots(kinds=("zeros",), shapes=((3,), (64,), (3, 5)), specials=("zero",))
    return _with(capability, slot, max_groups=1, max_slots=2)


def _many_tensors(capability: Capability) -> Cases:
    rule = OPTIMIZERS[capability.rule]
    # Empty tensors between and last: where lists of launches have lost tensors.
    lines = [(n,) for n in range(1, 67)]
    shapes = (*lines[:32], (0,), (), (3, 5), *lines[32:], (0,))
    seventy = (slots(shapes=(shape,), counts=(9,), kinds=("normal",)) for shape in shapes)
    group = st.builds(
        GroupCase,
        hyper=hypers(rule, capability.dialect, capability.fixed),
        slots=st.tuples(*seventy),
    )
    return st.builds(OptimizerCase, groups=st.tuples(group), steps=st.just(1))


# Numbers of examples: what fits the time of each level on two cores, not part of any contract.
FAMILIES = {
    "all_zero": Family(
        "zero gradients and empty state", _all_zero, {"smoke": 2, "standard": 6, "deep": 100}
    ),
    "combinations": Family(
        "counts, shapes, layouts and hyperparameters drawn independently of one another",
        _combinations,
        {"smoke": 6, "standard": 40, "deep": 2000},
    ),
    "counter": Family(
        "step counters up to 2^24 - 1", _counter, {"smoke": 3, "standard": 14, "deep": 300}
    ),
    "counter_beyond_float32": Family(
        "step counters beyond 2^24",
        _counter_beyond_float32,
        {"smoke": 2, "standard": 5, "deep": 100},
    ),
    "element_by_element": Family(
        "small tensors over the whole range, element by element",
        _element_by_element,
        {"smoke": 3, "standard": 15, "deep": 1000},
    ),
    "full_range": Family(
        "random bit patterns, or the widest range in which squares can be summed",
        _full_range,
        {"smoke": 2, "standard": 8, "deep": 300},
    ),
    "large": Family(
        "tensors beyond the sizes where kernels go parallel",
        _large,
        {"smoke": 1, "standard": 2, "deep": 30},
    ),
    "lockstep": Family(
        "groups, layouts, reachable states, several steps",
        _lockstep,
        {"smoke": 6, "standard": 40, "deep": 2000},
    ),
    "many_tensors": Family(
        "seventy tensors in one call", _many_tensors, {"smoke": 1, "standard": 2, "deep": 10}
    ),
    "special_values": Family(
        "nan, infinities, the largest and the least numbers",
        _special_values,
        {"smoke": 3, "standard": 15, "deep": 300},
    ),
    "update_alone": Family(
        "zero parameters, which show the update undimmed, and gradients of the size of eps",
        _update_alone,
        {"smoke": 4, "standard": 30, "deep": 1000},
    ),
}


def names(capability: Capability) -> tuple[str, ...]:
    """The checks of an optimizer: families of cases, then the laws that hold for it.

    Laws are run on a rule's leading implementations, those that the least thorough level includes.
    """
    return (*FAMILIES, *(laws.names(capability) if capability.level == LEVELS[0] else ()))


def thoroughness(capability: Capability, level: str) -> str:
    """The level at which a capability is run when the run's level is this one.

    An implementation that only joins at a higher level starts there with that level's few examples.
    """
    return LEVELS[max(0, LEVELS.index(level) - LEVELS.index(capability.level))]


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
    level = thoroughness(capability, level)
    if name.startswith(laws.PREFIX):
        tally = laws.explored(backend, capability, name, level=level, seed=seed, started=started)
        return _result(capability, name, tally, time.perf_counter() - begin)
    family = FAMILIES[name]
    tally = explore(
        family.strategy(capability).map(lambda case: fitted(case, capability)),
        lambda case, t: _run_case(backend, capability, case, t),
        examples=family.examples[level],
        seed=seed,
        started=lambda case: started(case.to_json()),
    )
    identified = told = ""
    if tally.failed and tally.worst is not None:
        identified = _identified(backend, capability, tally.worst_case, started)
        told = identified or "no other known dialect or rule agrees with these outputs"
    seconds = time.perf_counter() - begin
    return _result(capability, name, tally, seconds, identified=identified, told=told)


# What the failing capabilities of a backend compute instead: it is the kernel's, not the check's.
_IDENTIFIED: WeakKeyDictionary[Any, dict[str, str]] = WeakKeyDictionary()


def _identified(
    backend: Any, capability: Capability, failing: OptimizerCase, started: Callable[[Any], None]
) -> str:
    """The dialect or rule that a kernel agrees with on a failing case and on the battery."""
    remembered = hasattr(type(backend), "__weakref__")
    known = _IDENTIFIED.setdefault(backend, {}) if remembered else {}
    key = check_id(capability, "")
    if key not in known:
        known[key] = identify(
            backend,
            capability,
            [failing, *_battery(capability)],
            started=lambda case: started(case.to_json()),
        )
    return known[key]


def replay_case(
    backend: Any, capability: Capability, name: str, record: Mapping[str, Any]
) -> CheckResult:
    """Run one recorded case again."""
    begin = time.perf_counter()
    case = OptimizerCase.from_json(record)
    if name.startswith(laws.PREFIX):
        tally = laws.replayed(backend, capability, name, case)
    else:
        tally = run_all(
            [case], lambda c, t: _run_case(backend, capability, c, t), started=lambda _: None
        )
    return _result(capability, name, tally, time.perf_counter() - begin)


def _run_case(backend: Any, capability: Capability, case: OptimizerCase, tally: Tally) -> None:
    try:
        for groups, found in lockstep(backend, capability, case):
            tally.add(case, found, groups)
    except Undecided:
        return


def _battery(capability: Capability) -> list[OptimizerCase]:
    """Fixed cases that tell dialects apart: every term alive, p zero and nonzero, all scales."""
    rule = OPTIMIZERS[capability.rule]
    strong: dict[str, Any] = {"lr": 0.1, "weight_decay": 1.0, "eps": 1e-3, "momentum": 0.9}
    names = set(rule.Hyper.__dataclass_fields__) - set(rule.DIALECTS)
    hyper = {k: v for k, v in strong.items() if k in names} | dict(capability.dialect)
    hyper |= held(capability.fixed)
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


def _result(
    capability: Capability,
    name: str,
    tally: Tally,
    seconds: float,
    *,
    identified: str = "",
    told: str = "",
) -> CheckResult:
    """told: what the message says of the dialect or rule that a failing kernel computes instead."""
    rule = OPTIMIZERS[capability.rule]
    remarks = [f"declared: {in_words(rule, capability.dialect)}"]
    if tally.worst is not None and name.startswith(laws.PREFIX):
        remarks.append(law_line(LAWS[name.removeprefix(laws.PREFIX)].__doc__))
    elif tally.worst is not None and told:
        remarks.append(f"this kernel computes: {told}")
    return result_of(
        capability,
        name,
        tally,
        seconds,
        contract=_contract(capability, name),
        place=_place,
        remarks=remarks,
        identified=identified,
    )


def _contract(capability: Capability, name: str) -> str:
    if name.startswith(laws.PREFIX):
        return "law"
    return "sampled" if OPTIMIZERS[capability.rule].FACTS.observables else "bounded"


def _place(tally: Tally) -> Place:
    found = tally.worst
    assert found is not None
    group = tally.worst_case.groups[found.group]
    slot = group.slots[found.slot]
    index = list(found.judgement.index or ())
    inputs = _inputs(tally.context, found) if tally.context else {}
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


def _inputs(groups: Sequence[Group], found: Judged) -> dict[str, Any]:
    """The numbers that entered the worst element, where the tensors are shaped like it."""
    group = groups[found.group]
    slot = group.slots[found.slot]
    index = found.judgement.index or ()
    out: dict[str, Any] = {}
    tensors: dict[str, Any] = {"p": slot.param, **slot.state}
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
