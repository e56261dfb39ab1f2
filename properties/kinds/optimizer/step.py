"""One optimizer step, twice: by the backend, and by the reference in error-carrying arithmetic."""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from truestep.fast.protocol import Capability, Group, Slot, Stepped
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.arithmetic.lift import advanced, bounded, fields_of, plain, stepped
from truestep.properties.arithmetic.profiles import ORACLE, Arithmetic, arithmetic_of
from truestep.properties.cases.tensors import TensorSpec, array, laid_out, values
from truestep.properties.judge.contracts import Judgement, judge
from truestep.properties.kinds.optimizer import quantized_state, sampling
from truestep.properties.kinds.optimizer.cases import (
    GroupCase,
    OptimizerCase,
    SlotCase,
    gradient_at,
    input_at,
)
from truestep.reference.optimizers import OPTIMIZERS, Rule


class BackendFault(AssertionError):
    """A backend broke the protocol: a wrong shape, dtype or counter, or a written input."""


class BackendRaised(Exception):
    """The backend raised an exception; the text holds its type, message and last lines."""


def backend_call(method: Callable[..., Any], *args: Any) -> Any:
    """Call the backend; its exceptions become BackendRaised, so that ours are not blamed on it."""
    try:
        return method(*args)
    except Exception as error:
        last = "".join(traceback.format_exception(error)[-3:]).rstrip()
        raise BackendRaised(
            f"the backend raised {type(error).__name__}: {error}\n{last}"
        ) from error


@dataclass(frozen=True, slots=True)
class Judged:
    """One judged tensor of one step: where it stands and how it fared."""

    step: int
    group: int
    slot: int
    tensor: str
    judgement: Judgement


def hyper_of(rule: Rule, fields: Mapping[str, Any]) -> Any:
    """The rule's Hyper with these fields."""
    return rule.Hyper(**fields)


def param_format(capability: Capability) -> str:
    """Name of the format in which parameters and gradients travel."""
    return capability.format


def initial(rule: Rule, capability: Capability, group: GroupCase, slot: SlotCase) -> Slot:
    """The slot before the first step of a case: parameter, first gradient, reachable state."""
    arithmetic = arithmetic_of(capability.arithmetic)
    travel = format_named(param_format(capability))
    hyper = hyper_of(rule, group.hyper)
    p = values(slot.param, travel)
    state = rule.init(hyper, p)
    for i in range(slot.history):
        past = dataclasses.replace(slot.grad, exponent=slot.grad.exponent + slot.past)
        g = values(gradient_at(past, -2 - i), travel)
        others = {name: values(x, travel) for name, x in _inputs(rule, past, -2 - i).items()}
        # A decomposition of nan does not exist: such a past is none.
        with suppress(np.linalg.LinAlgError):
            state, _ = advanced(rule, hyper, state, p, g, others)
    stored = {name: stored_field(x, name, arithmetic, slot) for name, x in fields_of(state).items()}
    gradient, inputs = drawn_at(rule, capability, slot.grad, 0)
    return Slot(array(slot.param, travel), gradient, stored, inputs)


def _inputs(rule: Rule, spec: TensorSpec, step: int) -> dict[str, TensorSpec]:
    shapes = getattr(rule, "INPUTS", {})
    return {name: input_at(spec, name, step, of(spec.shape)) for name, of in shapes.items()}


def drawn_at(
    rule: Rule, capability: Capability, spec: TensorSpec, step: int
) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    """The gradient of that step, and what the rule takes besides it."""
    travel = format_named(param_format(capability))
    others = {name: array(x, travel) for name, x in _inputs(rule, spec, step).items()}
    return array(gradient_at(spec, step), travel), others


def stored_field(value: Any, name: str, arithmetic: Arithmetic, slot: SlotCase) -> Any:
    """A field of the reference's state as a backend keeps it; integer arrays stay as they are."""
    if isinstance(value, int):
        return slot.t
    if np.asarray(value).dtype.kind in "ui":
        return np.array(value)
    where = arithmetic.stored(name)
    limit = where.largest
    x = where.round(np.clip(np.asarray(value), -limit, limit)).astype(where.dtype)
    return laid_out(x, slot.param.layout if x.ndim else "contiguous")


def call(backend: Any, capability: Capability, groups: Sequence[Group]) -> list[list[Stepped]]:
    """The backend's step, its structure, shapes, formats and respect for inputs verified."""
    before = [[_bytes(slot) for slot in group.slots] for group in groups]
    result = backend_call(backend.optimizer_step, capability, groups)
    for i, group in enumerate(groups):
        for j, slot in enumerate(group.slots):
            if changed := _changed(before[i][j], _bytes(slot)):
                raise BackendFault(f"the backend wrote its input {changed} (group {i}, slot {j})")
    if len(result) != len(groups):
        raise BackendFault(f"got {len(result)} groups back for {len(groups)}")
    for i, (group, made) in enumerate(zip(groups, result, strict=True)):
        if len(made) != len(group.slots):
            raise BackendFault(f"got {len(made)} slots back for {len(group.slots)} in group {i}")
        for j, (slot, new) in enumerate(zip(group.slots, made, strict=True)):
            _verify(slot, new, f"group {i}, slot {j}")
    return [list(made) for made in result]


def _bytes(slot: Slot) -> dict[str, bytes]:
    tensors = {"param": slot.param, "grad": slot.grad, **slot.state, **slot.inputs}
    return {name: np.asarray(x).tobytes() for name, x in tensors.items()}


def _changed(before: dict[str, bytes], after: dict[str, bytes]) -> str:
    return ", ".join(name for name in before if before[name] != after.get(name))


def _verify(slot: Slot, new: Stepped, place: str) -> None:
    pairs = [("param", slot.param, new.param)]
    for name, old in slot.state.items():
        if name not in new.state:
            raise BackendFault(f"state {name!r} is missing from the result ({place})")
        pairs.append((name, old, new.state[name]))
    for name, old, got in pairs:
        if isinstance(old, (int, np.integer)):
            if isinstance(got, bool) or not isinstance(got, (int, np.integer)):
                raise BackendFault(f"{name} must be an integer, got {got!r} ({place})")
            continue
        if not isinstance(got, np.ndarray):
            raise BackendFault(f"{name} must be an ndarray, got {type(got).__name__} ({place})")
        if got.shape != old.shape:
            raise BackendFault(f"{name} has shape {got.shape}, expected {old.shape} ({place})")
        if got.dtype != old.dtype:
            raise BackendFault(f"{name} has dtype {got.dtype}, expected {old.dtype} ({place})")


Reading = tuple[Rule, Callable[[Any], Any]]


def lockstep(
    backend: Any, capability: Capability, case: OptimizerCase, reading: Reading | None = None
) -> Iterator[tuple[Sequence[Group], list[Judged]]]:
    """Run a case; yield each step's input groups with its judgements.

    Every step is judged from the backend's own previous state, so that the contract stays one step
    tight over any number of steps. reading: judge as another rule or dialect, given by the rule and
    by what becomes of a Hyper.
    """
    rule = OPTIMIZERS[capability.rule]
    reading = reading or (rule, lambda hyper: hyper)
    arithmetic = arithmetic_of(capability.arithmetic)
    groups = [
        Group(
            hyper_of(rule, group.hyper),
            [initial(rule, capability, group, slot) for slot in group.slots],
        )
        for group in case.groups
    ]
    for step in range(case.steps):
        results = _called(rule, backend, capability, groups)
        judged = [
            found
            for i, group in enumerate(groups)
            for found in _judged(reading, group, results[i], arithmetic, (step, i))
        ]
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


def _called(
    rule: Rule, backend: Any, capability: Capability, groups: Sequence[Group]
) -> list[list[Stepped]]:
    """The backend's step; Undecided where both it and the reference refuse the input.

    A decomposition of a matrix with nan in it does not exist, and raises in either.
    """
    try:
        return call(backend, capability, groups)
    except BackendRaised as raised:
        if hasattr(rule, "observables") and any(
            _refuses(rule, group.hyper, slot) for group in groups for slot in group.slots
        ):
            raise Undecided("the reference refuses this input too") from raised
        raise


def _refuses(rule: Rule, hyper: Any, slot: Slot) -> bool:
    try:
        stepped(rule, hyper, slot, plain())
    except np.linalg.LinAlgError:
        return True
    return False


def _after(new: Stepped, gradient: NDArray[Any], inputs: dict[str, NDArray[Any]]) -> Slot:
    return Slot(new.param, gradient, new.state, inputs)


def _judged(
    reading: Reading,
    group: Group,
    results: Sequence[Stepped],
    arithmetic: Arithmetic,
    place: tuple[int, int],
) -> list[Judged]:
    rule, reread = reading
    hyper = reread(group.hyper)
    out: list[Judged] = []
    if rule is OPTIMIZERS["adamw_8bit"]:
        for j, (slot, new) in enumerate(zip(group.slots, results, strict=True)):
            _judge_count(int(new.state["t"]), int(slot.state["t"]) + 1, (*place, j))
            for name, judgement in quantized_state.judgements(hyper, slot, new, arithmetic):
                out.append(Judged(*place, j, name, judgement))
        return out
    if hasattr(rule, "observables"):
        for j, (slot, new) in enumerate(zip(group.slots, results, strict=True)):
            _judge_count(int(new.state["t"]), int(slot.state["t"]) + 1, (*place, j))
            for name, judgement in sampling.judgements(rule, hyper, slot, new, arithmetic):
                out.append(Judged(*place, j, name, judgement))
        return out
    for members in _evaluated_together(rule, group.slots):
        joined = _joined([group.slots[j] for j in members])
        expected = stepped(rule, hyper, joined, bounded(arithmetic))
        oracle = stepped(rule, hyper, joined, bounded(ORACLE))
        start = 0
        for j in members:
            new = results[j]
            part = slice(start, start + new.param.size) if len(members) > 1 else None
            start += new.param.size
            for name, bound in expected.items():
                got = new.param if name == "p" else new.state[name]
                truth = oracle[name]
                if isinstance(bound, Bounded) and isinstance(truth, Bounded):
                    if part is not None:
                        bound, truth = (x[part].reshape(got.shape) for x in (bound, truth))
                    out.append(Judged(*place, j, name, judge(got, bound, truth)))
                else:
                    _judge_count(int(got), bound, (*place, j))
    return out


def _judge_count(got: int, due: int, place: tuple[int, int, int]) -> None:
    if got != due:
        step, group, slot = place
        raise BackendFault(
            f"t is {got} after a step from {due - 1}, expected {due} "
            f"(step {step}, group {group}, slot {slot})"
        )


def _evaluated_together(rule: Rule, slots: Sequence[Slot]) -> list[list[int]]:
    """Slots that one evaluation serves: of an elementwise rule, those of one count."""
    if not rule.ELEMENTWISE:
        return [[j] for j in range(len(slots))]
    by_count: dict[int, list[int]] = {}
    for j, slot in enumerate(slots):
        by_count.setdefault(int(slot.state["t"]), []).append(j)
    return list(by_count.values())


def _joined(slots: Sequence[Slot]) -> Slot:
    if len(slots) == 1:
        return slots[0]

    def flat(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([x.reshape(-1) for x in arrays])

    state = {
        name: flat([slot.state[name] for slot in slots]) if isinstance(x, np.ndarray) else x
        for name, x in slots[0].state.items()
    }
    inputs = {name: flat([slot.inputs[name] for slot in slots]) for name in slots[0].inputs}
    return Slot(flat([s.param for s in slots]), flat([s.grad for s in slots]), state, inputs)
