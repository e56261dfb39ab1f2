"""What is told of a step that fails: which tensors err and where, the line, and a program."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import cast
from weakref import WeakKeyDictionary

import numpy as np

from truestep.fast.protocol import (
    Backend,
    Group,
    OptimizerBackend,
    OptimizerCapability,
    Slot,
    Stepped,
)
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.arithmetic.lift import bounded, plain, state_of, stepped
from truestep.properties.arithmetic.profiles import ORACLE, Arithmetic, arithmetic_of
from truestep.properties.judge.calls import BackendFault, BackendRaised
from truestep.properties.judge.contracts import Judged
from truestep.properties.judge.results import SLACK, check_id
from truestep.properties.judge.tally import Tally
from truestep.properties.kinds.optimizer.cases import OptimizerCase
from truestep.properties.kinds.optimizer.departing import Slips, Step, departing
from truestep.properties.kinds.optimizer.step import called, lockstep
from truestep.properties.kinds.optimizer.storage import StoredRule, rule_of
from truestep.properties.search.recalled import Recalled, kept
from truestep.properties.told.account import Account
from truestep.properties.told.lines import outputs
from truestep.properties.told.pattern import Elements, words
from truestep.properties.told.program import MOST_NUMBERS, Failure, program
from truestep.reference.declared import Hyper, fields_of
from truestep.reference.rules import Optimizer
from truestep.reference.validation import Array

# Slots whose elements are looked at, and elements of one.
_MOST_SLOTS, _LARGEST = 40, 4096

_SLIPS: WeakKeyDictionary[OptimizerBackend, dict[str, Slips]] = WeakKeyDictionary()
# Steps of the fixed cases, of the capabilities that failed last: every failing check needs them.
_STEPS: WeakKeyDictionary[OptimizerBackend, OrderedDict[str, list[Step]]] = WeakKeyDictionary()
_MOST_KEPT = 64

# The failing case, then what tells readings apart.
Cases = Sequence[OptimizerCase]
Started = Callable[[OptimizerCase], None]


def account(
    backend: OptimizerBackend,
    capability: OptimizerCapability,
    tally: Tally,
    battery: Cases,
    started: Started,
    *,
    known: bool,
) -> Account:
    """What is told of a failure whose worst element is of a step; known: what it computes is."""
    rule, found = rule_of(capability), tally.worst
    groups = cast(Sequence[Group], tally.context)
    failing = cast(OptimizerCase, tally.worst_case)
    assert found is not None
    recalled = cast(OptimizerBackend, Recalled(cast(Backend, backend), capability))
    try:
        started(failing)
        results = called(rule, recalled, capability, groups)
    except (BackendFault, BackendRaised, Undecided):
        return Account()
    if isinstance(rule, StoredRule) or rule.FACTS.observables:
        return Account(_by_tensor(rule, recalled, capability, failing))
    arithmetic = arithmetic_of(capability.arithmetic)
    hyper, slot = groups[found.group].hyper, groups[found.group].slots[found.slot]
    first = _step(rule, hyper, slot, results[found.group][found.slot], arithmetic)
    fixed = kept(_STEPS, backend, OrderedDict)
    key = check_id(capability, "")
    if key not in fixed:
        fixed[key] = list(_steps(rule, recalled, capability, battery, started, arithmetic))
        while len(fixed) > _MOST_KEPT:
            fixed.popitem(last=False)
    more = fixed[key]
    # The slip that was found is the kernel's, not the check's.
    slips = None if known else kept(_SLIPS, backend, dict).setdefault(key, [])
    return Account(
        words(_elements([first, *more]), ("t",)),
        departing(rule, [first, *more], arithmetic, slips),
        _program(rule, hyper, slot, found, arithmetic),
    )


def _step(rule: Optimizer, hyper: Hyper, slot: Slot, new: Stepped, arithmetic: Arithmetic) -> Step:
    expected, oracle = (stepped(rule, hyper, slot, bounded(of)) for of in (arithmetic, ORACLE))
    return Step(hyper, slot, new, expected, oracle)


def _steps(
    rule: Optimizer,
    backend: OptimizerBackend,
    capability: OptimizerCapability,
    cases: Cases,
    started: Started,
    arithmetic: Arithmetic,
) -> Iterator[Step]:
    """The steps of cases, slot by slot; a case ends where the backend refuses it."""
    for case in cases:
        started(case)
        with suppress(BackendFault, BackendRaised, Undecided):
            for groups, _ in lockstep(backend, capability, case):
                for group, results in zip(
                    groups, called(rule, backend, capability, groups), strict=True
                ):
                    for slot, new in zip(group.slots, results, strict=True):
                        if 0 < slot.param.size <= _LARGEST:
                            yield _step(rule, group.hyper, slot, new, arithmetic)


def _by_tensor(
    rule: Optimizer, backend: OptimizerBackend, capability: OptimizerCapability, case: OptimizerCase
) -> str:
    """Which tensors err, of a rule that is judged tensor by tensor: a number for each of a step."""
    rows: list[tuple[int, dict[str, float]]] = []
    with suppress(BackendFault, BackendRaised, Undecided):
        for groups, judged in lockstep(backend, capability, case):
            found: dict[tuple[int, int], dict[str, float]] = {}
            for item in judged:
                ratio = item.judgement.utilisation
                if ratio is not None:
                    found.setdefault((item.group, item.slot), {})[item.tensor] = ratio
            for (group, slot), ratios in found.items():
                rows.append((int(groups[group].slots[slot].state["t"]) + 1, ratios))
    names = dict.fromkeys(name for _, ratios in rows for name in ratios)
    numbers = {"t": np.array([float(t) for t, _ in rows])}
    by_name = {name: np.array([r.get(name, np.nan) for _, r in rows]) for name in names}
    return words(Elements(numbers, by_name), ("t",))


def _elements(steps: Sequence[Step]) -> Elements:
    """The elements of steps in one row; a tensor of another shape counts as its worst element."""
    numbers, ratios = [], []
    for step in steps[:_MOST_SLOTS]:
        shape, t = step.slot.param.shape, float(int(step.slot.state["t"]) + 1)
        entered = {"g": step.slot.grad, "p": step.slot.param, **step.slot.state, **step.slot.inputs}
        own = {n: np.ravel(x) for n, x in entered.items() if np.shape(x) == shape and n != "t"}
        numbers.append({"t": np.full(step.slot.param.size, t)} | own)
        ratios.append({n: _spread(step, n) for n, x in step.expected.items() if n != "t"})
    return Elements(_rows(numbers), _rows(ratios))


def _spread(step: Step, name: str) -> Array:
    ratio, size = step.ratios(name), step.slot.param.size
    worst = np.max(ratio, initial=-1.0, where=~np.isnan(ratio))
    return np.ravel(ratio) if ratio.size == size else np.full(size, np.nan if worst < 0 else worst)


def _rows(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """What all parts have, one after another, as float64."""
    common = [name for name in parts[0] if all(name in part for part in parts)]
    return {n: np.concatenate([np.asarray(x[n], np.float64) for x in parts]) for n in common}


def _program(
    rule: Optimizer, hyper: Hyper, slot: Slot, found: Judged, arithmetic: Arithmetic
) -> str:
    """The worst element alone where the rule is elementwise, else the whole slot if it is small."""
    index = tuple(found.judgement.index or ())
    alone = rule.FACTS.elementwise
    shape = slot.param.shape
    lift = plain()

    def entered(x: Array) -> Array:
        x = lift.tensor(np.asarray(x))
        return x[index] if alone and x.shape == shape else x

    state = state_of(rule.State, slot.state, entered)
    given = {
        "h": hyper,
        "s": state,
        "p": entered(slot.param),
        "g": entered(slot.grad),
        **{name: entered(x) for name, x in slot.inputs.items()},
    }
    if (
        sum(np.size(x) for x in (*fields_of(state).values(), *list(given.values())[2:]))
        > MOST_NUMBERS
    ):
        return ""
    place = "".join(f"[{', '.join(map(str, index))}]" for _ in index[:1])
    failure = Failure(
        rule.__name__.rpartition(".")[2],
        f"{found.tensor}{place}",
        () if alone else index,
        found.judgement.got,
        found.judgement.bound,
        arithmetic.name,
        SLACK,
    )
    fields = list(fields_of(state))
    return program(rule.step, given, lambda end: outputs(end, fields)[found.tensor], failure)
