"""One optimizer step, twice: by the backend, and by the reference in error-carrying arithmetic."""

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache

import numpy as np

from truestep.fast.protocol import (
    Array,
    Group,
    OptimizerBackend,
    OptimizerCapability,
    Slot,
    Stepped,
)
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.arithmetic.formats import Format, format_named
from truestep.properties.arithmetic.lift import Outputs, bounded, plain, stepped
from truestep.properties.arithmetic.profiles import ORACLE, Arithmetic, arithmetic_of
from truestep.properties.cases.tensors import TensorSpec, array, laid_out, values
from truestep.properties.judge import truth
from truestep.properties.judge.calls import (
    BackendFault,
    BackendRaised,
    Malformed,
    backend_call,
    is_guarded,
    require_array,
    require_list,
    type_of,
)
from truestep.properties.judge.contracts import Judged, Judgement, judge
from truestep.properties.judge.remembered import remembered
from truestep.properties.kinds.optimizer import sampling, stored
from truestep.properties.kinds.optimizer.cases import (
    GroupCase,
    OptimizerCase,
    SlotCase,
    gradient_at,
    input_at,
)
from truestep.properties.kinds.optimizer.joint import flat, joined, located, tile, together
from truestep.properties.kinds.optimizer.likeness import require_likeness
from truestep.properties.kinds.optimizer.storage import StoredRule, parted, rule_of
from truestep.reference.advance import advanced
from truestep.reference.declared import Hyper, fields_of
from truestep.reference.rules import Optimizer

Steps = Iterator[tuple[Sequence[Group], list[Judged]]]


def initial(
    rule: Optimizer, capability: OptimizerCapability, group: GroupCase, slot: SlotCase
) -> Slot:
    """The slot before the first step of a case: parameter, first gradient, reachable state."""
    arithmetic = arithmetic_of(capability.arithmetic)
    travel = format_named(capability.format)
    p, state = _reached(rule, rule.Hyper(**group.hyper), slot, travel, arithmetic)
    layout = slot.param.layout
    kept = {
        name: x if isinstance(x, int) else laid_out(x, layout if x.ndim else "contiguous")
        for name, x in state.items()
    }
    gradient, inputs = drawn_at(rule, capability, slot.grad, 0)
    return Slot(laid_out(p, layout), gradient, kept, inputs)


def begun(rule: Optimizer, capability: OptimizerCapability, case: OptimizerCase) -> list[Group]:
    """The groups of a case before its first step."""
    return [
        Group(
            rule.Hyper(**group.hyper),
            [initial(rule, capability, group, slot) for slot in group.slots],
        )
        for group in case.groups
    ]


# What a few cases begin with, by the case and the rule, which are kept so that no others have their
# places.
_Begun = tuple[OptimizerCase, Optimizer, list[Group]]
_BEGUN: OrderedDict[tuple[int, int, str, str], _Begun] = OrderedDict()
_MOST_BEGUN = 64


def _begun_again(
    rule: Optimizer, capability: OptimizerCapability, case: OptimizerCase
) -> list[Group]:
    """The same, of a case that one implementation after another is given, or that is read so."""
    key = id(case), id(rule), arithmetic_of(capability.arithmetic).name, capability.format
    if key not in _BEGUN:
        _BEGUN[key] = case, rule, begun(rule, capability, case)
        while len(_BEGUN) > _MOST_BEGUN:
            _BEGUN.popitem(last=False)
    return _BEGUN[key][2]


@lru_cache(maxsize=1024)
def _reached(
    rule: Optimizer, hyper: Hyper, slot: SlotCase, travel: Format, arithmetic: Arithmetic
) -> tuple[Array, dict[str, Array | int]]:
    """The parameter, and a state that the reference reaches there, as a backend keeps them."""
    p = values(slot.param, travel)
    state = rule.init(hyper, p)
    for i in range(slot.history):
        past = dataclasses.replace(slot.grad, exponent=slot.grad.exponent + slot.past)
        g = values(gradient_at(past, -2 - i), travel)
        others = {name: values(x, travel) for name, x in _inputs(rule, past, -2 - i).items()}
        # A decomposition of nan does not exist: such a past is none.
        with suppress(np.linalg.LinAlgError):
            state, moved = advanced(rule, hyper, state, p, g, others)
            moved = travel.round(np.asarray(moved))
            # A way that leaves the format's numbers is none.
            # Both parts of a parameter in two belong to the same number.
            whole = isinstance(rule, StoredRule) and "p" in rule.kept
            goes = slot.travels and np.all(np.abs(moved) <= travel.largest)
            p = moved if whole or goes else p
    kept = {
        name: kept_field(x, format_of(rule, name, arithmetic), slot.t, began=not slot.history)
        for name, x in fields_of(state).items()
    }
    return p.astype(travel.dtype), kept


def _inputs(rule: Optimizer, spec: TensorSpec, step: int) -> dict[str, TensorSpec]:
    return {
        name: input_at(spec, name, step, of(spec.shape)) for name, of in rule.FACTS.inputs.items()
    }


def drawn_at(
    rule: Optimizer, capability: OptimizerCapability, spec: TensorSpec, step: int
) -> tuple[Array, dict[str, Array]]:
    """The gradient of that step, and what the rule takes besides it."""
    travel = format_named(capability.format)
    others = {name: array(x, travel) for name, x in _inputs(rule, spec, step).items()}
    return array(gradient_at(spec, step), travel), others


def format_of(rule: Optimizer, name: str, arithmetic: Arithmetic) -> Format:
    """In which format a field of the state is kept that is no code."""
    high = isinstance(rule, StoredRule) and name in rule.highs
    return format_named("bfloat16") if high else arithmetic.stored(name)


def kept_field(value: Array, where: Format, t: int, *, began: bool = False) -> Array | int:
    """A field of the reference's state as a backend keeps it; codes and scales stay as they are.

    began: whether it is as before the first step, where an infinite parameter is kept as it is.
    """
    if isinstance(value, int):
        return t
    if np.asarray(value).dtype != np.float64:
        return np.array(value)
    limit = np.inf if began else where.largest
    return where.round(np.clip(np.asarray(value), -limit, limit)).astype(where.dtype)


def call(
    backend: OptimizerBackend, capability: OptimizerCapability, groups: Sequence[Group]
) -> list[list[Stepped]]:
    """The backend's step, its structure, shapes, formats and respect for inputs verified."""
    result = backend_call(backend.optimizer_step, capability, _handed(capability, groups))
    require_list("groups", result, len(groups))
    for i, (group, made) in enumerate(zip(groups, result, strict=True)):
        require_list("slots", made, len(group.slots), f" in group {i}")
        for j, (slot, new) in enumerate(zip(group.slots, made, strict=True)):
            _verify(slot, new, f" (group {i}, slot {j})")
    return [list(made) for made in result]


def _handed(capability: OptimizerCapability, groups: Sequence[Group]) -> Sequence[Group]:
    if not capability.storage:
        return groups
    rule = rule_of(capability)
    parts = [parted(rule, group.hyper) for group in groups]
    return [
        Group(hyper, group.slots, storage)
        for group, (hyper, storage) in zip(groups, parts, strict=True)
    ]


def _verify(slot: Slot, new: object, place: str) -> None:
    if not isinstance(new, Stepped):
        raise Malformed(f"a result must be a Stepped, got {type_of(new)}{place}")
    if not isinstance(new.state, Mapping):
        raise Malformed(f"state must be a mapping, got {type_of(new.state)}{place}")
    require_array("param", new.param, slot.param.shape, slot.param.dtype, place)
    for name, old in slot.state.items():
        if name not in new.state:
            raise Malformed(f"state {name!r} is missing from the result{place}")
        got = new.state[name]
        if not isinstance(old, (int, np.integer)):
            require_array(name, got, old.shape, old.dtype, place)
        elif isinstance(got, bool) or not isinstance(got, (int, np.integer)):
            raise Malformed(f"{name} must be an integer, got {got!r}{place}")
    if strange := new.state.keys() - slot.state.keys():
        known = ", ".join(slot.state)
        raise Malformed(f"state has {min(map(str, strange))!r}, not one of {known}{place}")


def lockstep(
    backend: OptimizerBackend,
    capability: OptimizerCapability,
    case: OptimizerCase,
    reading: Callable[[Hyper], tuple[Optimizer, Hyper]] | None = None,
) -> Steps:
    """Run a case; yield each step's input groups with its judgements.

    Every step is judged from the backend's own previous state, so that the contract stays one step
    tight over any number of steps. reading: the rule and the Hyper to judge by, if they are others.
    """
    rule = rule_of(capability)
    judge_as = reading or (lambda hyper: (rule, hyper))
    arithmetic = arithmetic_of(capability.arithmetic)
    # A backend in this process may write what it is given.
    again = reading is not None or is_guarded(backend.optimizer_step)
    groups = (_begun_again if again else begun)(rule, capability, case)
    for step in range(case.steps):
        results = called(rule, backend, capability, groups)
        judged = []
        for i, group in enumerate(groups):
            as_read = judge_as(group.hyper)
            if reading is not None:
                require_likeness(*as_read, group.slots, results[i], arithmetic)
            judged += _judged(*as_read, group.slots, results[i], arithmetic, (step, i))
        yield groups, judged
        groups = [
            Group(
                group.hyper,
                [
                    _after(new, *drawn_at(rule, capability, spec.grad, step + 1))
                    for new, spec in zip(results[i], case.groups[i].slots, strict=True)
                ],
            )
            for i, group in enumerate(groups)
        ]


def called(
    rule: Optimizer,
    backend: OptimizerBackend,
    capability: OptimizerCapability,
    groups: Sequence[Group],
) -> list[list[Stepped]]:
    """The backend's step; Undecided where both it and the reference refuse the input.

    A decomposition of a matrix with nan in it does not exist, and raises in either.
    """
    try:
        return call(backend, capability, groups)
    except BackendRaised as raised:
        if rule.FACTS.observables and any(
            _refuses(rule, group.hyper, slot) for group in groups for slot in group.slots
        ):
            raise Undecided("the reference refuses this input too") from raised
        raise


def _refuses(rule: Optimizer, hyper: Hyper, slot: Slot) -> bool:
    try:
        stepped(rule, hyper, slot, plain())
    except np.linalg.LinAlgError:
        return True
    return False


def _after(new: Stepped, gradient: Array, inputs: dict[str, Array]) -> Slot:
    return Slot(new.param, gradient, new.state, inputs)


def _judged(
    rule: Optimizer,
    hyper: Hyper,
    slots: Sequence[Slot],
    results: Sequence[Stepped],
    arithmetic: Arithmetic,
    place: tuple[int, int],
) -> list[Judged]:
    for j, (slot, new) in enumerate(zip(slots, results, strict=True)):
        _judge_count(int(new.state["t"]), int(slot.state["t"]) + 1, (*place, j))
    judged = []
    for members in together(rule.plain if isinstance(rule, StoredRule) else rule, slots):
        given, news = [slots[j] for j in members], [results[j] for j in members]
        if isinstance(rule, StoredRule):
            found = stored.judgements(rule, hyper, given, news, arithmetic)
        elif rule.FACTS.observables:
            [slot], [new] = given, news
            alone = sampling.judgements(rule, hyper, slot, new, arithmetic)
            found = ((0, *judgement) for judgement in alone)
        else:
            found = _bounded(rule, hyper, given, news, arithmetic)
        judged += [Judged(*place, members[i], name, judgement) for i, name, judgement in found]
    return judged


def _bounded(
    rule: Optimizer,
    hyper: Hyper,
    slots: Sequence[Slot],
    results: Sequence[Stepped],
    arithmetic: Arithmetic,
) -> Iterator[tuple[int, str, Judgement]]:
    """The judgements of slots that one evaluation serves."""
    whole, places = tile(rule, joined(slots))
    key = rule.Hyper.__module__, hyper

    def evaluated(kind: Arithmetic) -> Outputs:
        return remembered(
            ("bounded", *key, kind.name), whole, lambda: stepped(rule, hyper, whole, bounded(kind))
        )

    def judgements(oracle: Outputs) -> Iterator[tuple[tuple[int, str], Judgement]]:
        for name, due in expected.items():
            if isinstance(due, Bounded):
                got = flat([np.asarray(x.param if name == "p" else x.state[name]) for x in results])
                judgement = judge(got, due[places], oracle[name][places] if oracle else None)
                slot, index = located(judgement.index, slots)
                yield (slot, name), dataclasses.replace(judgement, index=index)

    expected = evaluated(arithmetic)
    nothing: Outputs = {}
    found = truth.decided(
        judgements,
        nothing,
        lambda: evaluated(ORACLE),
        measured=truth.measured(arithmetic, whole.grad),
    )
    return ((slot, name, judgement) for (slot, name), judgement in found)


def _judge_count(got: int, due: int, place: tuple[int, int, int]) -> None:
    if got != due:
        step, group, slot = place
        raise BackendFault(
            f"t is {got} after a step from {due - 1}, expected {due} "
            f"(step {step}, group {group}, slot {slot})"
        )
