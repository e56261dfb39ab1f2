"""One step, judged: every tensor of every slot by its own numbers, from the kernel's own state.

Over 300 lines: what a case begins with, what comes back and what is judged need one another.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from truestep.fast.protocol import Group, OptimizerCapability, Slot, Stepped
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.arithmetic.formats import FORMATS
from truestep.properties.arithmetic.profiles import PROFILES, Arithmetic
from truestep.properties.cases.tensors import PERIOD, TensorSpec, array, values
from truestep.properties.judge.calls import BackendFault, BackendRaised, Malformed
from truestep.properties.judge.contracts import Judged
from truestep.properties.kinds.optimizer import joint, step
from truestep.properties.kinds.optimizer.cases import (
    GroupCase,
    OptimizerCase,
    SlotCase,
    gradient_at,
    input_at,
)
from truestep.properties.museum.plant import Kernel, StepOne
from truestep.properties.search.identification import Unlike
from truestep.reference.advance import advanced
from truestep.reference.declared import fields_of
from truestep.reference.optimizers import OPTIMIZERS

SGD = OPTIMIZERS["sgd"]
FLOAT32 = FORMATS["float32"]
HYPER = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}
Where = tuple[int, int, int, str]


def _slot(shape: tuple[int, ...], seed: int, t: int = 2, **facts: Any) -> SlotCase:
    param, grad = TensorSpec(shape, seed=seed), TensorSpec(shape, seed=seed + 100)
    return SlotCase(param, grad, t=t, history=min(t, 2), **facts)


# Slots of two counts in one group: those of one count are judged by one evaluation.
CASE = OptimizerCase(
    (
        GroupCase(HYPER, (_slot((3, 2), 1), _slot((4,), 2, 5), _slot((5,), 3), _slot((0,), 4))),
        GroupCase({"lr": 0.5}, (_slot((), 5, 0),)),
    ),
    steps=2,
)


def _judged(kernel: Kernel, case: OptimizerCase = CASE, reading: Any = None) -> list[Judged]:
    steps = step.lockstep(kernel, kernel.capability, case, reading)
    return [one for _, judged in steps for one in judged]


def _failing(found: Sequence[Judged]) -> dict[Where, tuple[int, ...] | None]:
    return {
        (one.step, one.group, one.slot, one.tensor): one.judgement.index
        for one in found
        if one.judgement.judged and not one.judgement.passed
    }


def _wrong(change: Callable[[Slot, Stepped], Stepped], at: tuple[int, int, int]) -> Kernel:
    """SGD, at one call of which one slot's result is changed."""
    calls = [0]

    def groups(one: StepOne, given: Sequence[Group]) -> list[list[Stepped]]:
        made = [[one(g.hyper, slot) for slot in g.slots] for g in given]
        if calls[0] == at[0]:
            made[at[1]][at[2]] = change(given[at[1]].slots[at[2]], made[at[1]][at[2]])
        calls[0] += 1
        return made

    return Kernel("sgd", groups=groups)


def test_every_tensor_of_a_right_kernel_passes() -> None:
    """All elements of each step and group, those of one count together."""
    found = _judged(Kernel("sgd"))
    assert _failing(found) == {}
    counted = Counter[tuple[int, int, str, int]]()
    for one in found:
        j = one.judgement
        assert j.judged == j.elements
        counted[one.step, one.group, one.tensor, j.elements] += 1
    due = {
        (k, *of)
        for k in (0, 1)
        for name in "pb"
        for of in ((0, name, 11), (0, name, 4), (1, name, 1))
    }
    assert counted == dict.fromkeys(due, 1)


def _off(tensor: str, index: tuple[int, ...]) -> Callable[[Slot, Stepped], Stepped]:
    def change(_: Slot, new: Stepped) -> Stepped:
        x = np.array(new.param if tensor == "p" else new.state[tensor])
        x[index] += np.float32(1e-3) * (1 + abs(x[index]))
        return (
            replace(new, param=x) if tensor == "p" else replace(new, state={**new.state, tensor: x})
        )

    return change


@pytest.mark.parametrize(
    ("at", "tensor", "index"),
    [
        ((0, 0, 0), "p", (2, 1)),
        ((0, 0, 2), "b", (0,)),
        ((1, 0, 2), "p", (4,)),
        ((1, 0, 1), "b", (3,)),
        ((0, 1, 0), "p", ()),
    ],
)
def test_one_wrong_element_is_named(
    at: tuple[int, int, int], tensor: str, index: tuple[int, ...]
) -> None:
    """At its step alone: the next is judged from the kernel's own state."""
    assert _failing(_judged(_wrong(_off(tensor, index), at))) == {(*at, tensor): index}


def test_a_wrong_count_is_the_kernel_s_fault() -> None:
    """By one, in one slot."""

    def counted(_: Slot, new: Stepped) -> Stepped:
        return replace(new, state={**new.state, "t": new.state["t"] + 1})

    told = "t is 7 after a step from 5, expected 6 (step 0, group 0, slot 1)"
    with pytest.raises(BackendFault, match=re.escape(told)):
        _judged(_wrong(counted, (0, 0, 1)))


def test_the_steps_of_a_case_are_handed_over() -> None:
    """What the kernel has given, with the next gradient; its hyperparameters stay."""
    kernel = Kernel("sgd")
    (first, _), (second, _) = step.lockstep(kernel, kernel.capability, CASE)
    made = Kernel("sgd").optimizer_step(kernel.capability, first)
    for i, group in enumerate(CASE.groups):
        assert second[i].hyper is first[i].hyper and first[i].hyper == SGD.Hyper(**group.hyper)
        for j, slot in enumerate(group.slots):
            was, now = first[i].slots[j], second[i].slots[j]
            assert (was.state["t"], now.state["t"]) == (slot.t, slot.t + 1)
            np.testing.assert_array_equal(was.param, values(slot.param, FLOAT32))
            np.testing.assert_array_equal(now.param, made[i][j].param)
            np.testing.assert_array_equal(now.state["b"], made[i][j].state["b"])
            for k, x in enumerate((was, now)):
                due = array(gradient_at(slot.grad, k), FLOAT32)
                np.testing.assert_array_equal(x.grad, due)
                assert x.grad.dtype == x.param.dtype == np.float32


@pytest.mark.parametrize("summation", ["float64", "pairwise"])
def test_a_kernel_as_precise_as_the_reference_is_given_its_error(summation: str) -> None:
    """Of every place of a tensor that repeats."""
    arithmetic = replace(PROFILES["ieee_float64"], summation=summation)
    tiled = TensorSpec((2 * PERIOD + 5,), "tiled", 7)
    case = OptimizerCase((GroupCase(HYPER, (SlotCase(tiled, tiled), _slot((3,), 1, 0))),), steps=1)
    capability = OptimizerCapability(rule="sgd", format="float64", arithmetic=arithmetic)
    for slots in (case.groups[0].slots, case.groups[0].slots[:1]):
        one = replace(case, groups=(replace(case.groups[0], slots=slots),))
        [(_, found)] = step.lockstep(_Float64(), capability, one)
        assert all(x.judgement.passed for x in found) and len(found) == 2
        assert all(0.2 < x.judgement.oracle_fraction < 0.6 for x in found if x.tensor == "p")


class _Float64:
    """SGD by the reference's own lines."""

    name = "float64"

    def optimizer_step(self, _: object, groups: Sequence[Group]) -> list[list[Stepped]]:
        return [[self._one(g.hyper, s) for s in g.slots] for g in groups]

    @staticmethod
    def _one(hyper: Any, slot: Slot) -> Stepped:
        new, p = SGD.step(hyper, SGD.State(**slot.state), slot.param, slot.grad)
        return Stepped(p, {"t": new.t, "b": new.b})


def test_slots_that_are_joined_are_found_again() -> None:
    """By the element of all of them in a row; those without elements are passed over."""
    slots = [Slot(np.zeros(s), np.zeros(s), {"t": 1}, {}) for s in ((2, 3), (0,), (4,), (), (1, 2))]
    found = [joint.located((i,), slots) for i in range(13)]
    assert found[:6] == [(0, (i // 3, i % 3)) for i in range(6)]
    assert found[6:10] == [(2, (i,)) for i in range(4)]
    assert found[10:] == [(3, ()), (4, (0, 0)), (4, (0, 1))]
    assert joint.located(None, slots) == (0, None)
    assert joint.located((1, 2), slots[:1]) == (0, (1, 2))
    row = np.arange(13.0)
    split = joint.parts(row, slots)
    assert [x.shape for x in split] == [(2, 3), (0,), (4,), (), (1, 2)]
    np.testing.assert_array_equal(joint.flat(split), row)
    assert joint.parts(row, slots[:1]) == [row] and joint.flat([row]) is row


def _filled(n: int, t: int) -> Slot:
    x = np.arange(float(n))
    return Slot(x, x + 100, {"t": t, "b": x + 200}, {"loss": x + 300})


def test_slots_are_joined_in_their_order() -> None:
    """Every tensor of them; of one count, where the rule is elementwise."""
    slots = [_filled(2, 1), _filled(3, 2), _filled(1, 1)]
    assert joint.together(SGD, slots) == [[0, 2], [1]]
    assert joint.together(OPTIMIZERS["lamb"], slots) == [[0], [1], [2]]
    whole = joint.joined([slots[0], slots[2]])
    for x, more in ((whole.param, 0), (whole.grad, 100), (whole.state["b"], 200),
                    (whole.inputs["loss"], 300)):  # fmt: skip
        np.testing.assert_array_equal(x, np.array([0.0, 1.0, 0.0]) + more)
    assert whole.state["t"] == 1


def _tile(size: int = 2 * PERIOD + 1, **changed: int) -> Slot:
    rng = np.random.default_rng(0)
    x = {name: np.resize(rng.standard_normal(PERIOD), size) for name in "pgbl"}
    for name, at in changed.items():
        x[name][at] += 1.0
    return Slot(x["p"], x["g"], {"t": 1, "b": x["b"]}, {"loss": x["l"]})


def _arrays(slot: Slot) -> tuple[Any, ...]:
    return slot.param, slot.grad, slot.state["b"], slot.inputs["loss"]


def test_what_repeats_is_evaluated_once() -> None:
    """In the place of every element that of its period; only if every tensor repeats to its end."""
    slot = _tile()
    first, places = joint.tile(SGD, slot)
    for whole, part in zip(_arrays(slot), _arrays(first), strict=True):
        assert part.shape == (PERIOD,)
        np.testing.assert_array_equal(part[places], whole)
    assert first.state["t"] == 1
    for name in "pgbl":
        for at in (0, PERIOD, 2 * PERIOD):
            assert joint.tile(SGD, _tile(**{name: at}))[1] is ...
    assert joint.tile(SGD, _tile(2 * PERIOD))[1] is ...
    assert joint.tile(OPTIMIZERS["lamb"], slot)[1] is ...
    other = replace(slot, inputs={"loss": np.zeros(3)})
    assert joint.tile(SGD, other)[1] is ...
    matrix = _tile(4 * PERIOD)
    square = Slot(matrix.param.reshape(4, -1), matrix.grad.reshape(4, -1), {"t": 1}, {})
    assert joint.tile(SGD, square)[1].shape == (4, PERIOD)  # type: ignore[union-attr]


def _called(change: Callable[[Slot, Stepped], Any]) -> list[list[Stepped]]:
    """What a call comes to of a kernel whose second slot gives something else."""
    groups = step.begun(SGD, OptimizerCapability(rule="sgd"), CASE)

    class Backend:
        def optimizer_step(self, capability: object, given: Sequence[Group]) -> Any:
            made: list[Any] = Kernel("sgd").optimizer_step(Kernel("sgd").capability, given)  # type: ignore[assignment]
            made[0][1] = change(given[0].slots[1], made[0][1])
            return made

    return step.call(Backend(), OptimizerCapability(rule="sgd"), groups)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda _, x: (x.param, x.state), "a result must be a Stepped, got tuple"),
        (lambda _, x: replace(x, state=[]), "state must be a mapping, got list"),
        (lambda _, x: replace(x, param=x.param[:1]), "param has shape (1,), expected (4,)"),
        (lambda _, x: replace(x, state={"t": 1}), "state 'b' is missing from the result"),
        (
            lambda _, x: replace(x, state={**x.state, "b": x.state["b"].astype(float)}),
            "b has dtype float64, expected float32",
        ),
        (lambda _, x: replace(x, state={**x.state, "t": 6.0}), "t must be an integer, got 6.0"),
        (lambda _, x: replace(x, state={**x.state, "t": True}), "t must be an integer, got True"),
        (lambda _, x: replace(x, state={**x.state, "u": 1}), "state has 'u', not one of t, b"),
    ],
)
def test_a_result_of_another_form_is_told(change: Any, told: str) -> None:
    """With its place."""
    with pytest.raises(Malformed, match=f"^{re.escape(told)} \\(group 0, slot 1\\)$"):
        _called(change)


def test_results_of_another_number_are_told() -> None:
    """Of groups, and of the slots of one; a count may be NumPy's."""

    class Backend:
        def __init__(self, made: Any) -> None:
            self.made = made

        def optimizer_step(self, *_: object) -> Any:
            return self.made

    groups = step.begun(SGD, OptimizerCapability(rule="sgd"), CASE)
    for made, told in (([], "got 0 groups back for 2"), ([[], []], "got 0 slots back for 4 in")):
        with pytest.raises(Malformed, match=told):
            step.call(Backend(made), OptimizerCapability(rule="sgd"), groups)
    found = _called(lambda _, x: replace(x, state={**x.state, "t": np.int64(6)}))
    assert (type(found), type(found[0]), found[0][1].state["t"]) == (list, list, 6)


def _begun(slot: SlotCase, lr: float = 0.1, **facts: Any) -> Slot:
    capability = OptimizerCapability(rule="sgd", **facts)
    case = OptimizerCase((GroupCase({**HYPER, "lr": lr}, (slot,)),))
    [group] = step.begun(SGD, capability, case)
    return group.slots[0]


def _past(slot: SlotCase, step_: int) -> Any:
    past = replace(slot.grad, exponent=slot.grad.exponent + slot.past)
    return values(gradient_at(past, step_), FLOAT32)


@pytest.mark.parametrize("travels", [False, True])
def test_a_state_is_the_reference_s_after_a_past(travels: bool) -> None:
    """Of as many gradients of its own scale, each another; the parameter goes with it, or stays."""
    slot = _slot((4,), 2, t=9, past=2, travels=travels)
    begun = _begun(slot)
    h, p = SGD.Hyper(**HYPER), values(slot.param, FLOAT32)
    s = SGD.init(h, p)
    for i in range(2):
        s, moved = SGD.step(h, s, p, _past(slot, -2 - i))
        p = FLOAT32.round(moved) if travels else p
    np.testing.assert_array_equal(begun.state["b"], FLOAT32.round(s.b))
    np.testing.assert_array_equal(begun.param, p)
    assert begun.state["t"] == 9 and begun.state["b"].dtype == np.float32
    assert (begun.param == values(slot.param, FLOAT32)).all() is np.bool_(not travels)


def test_a_way_that_leaves_the_format_is_none() -> None:
    """The parameter stays where it was; the state ends at the largest number."""
    slot = _slot((4,), 2, past=45, travels=True)
    begun = _begun(slot, lr=100.0)
    np.testing.assert_array_equal(begun.param, values(slot.param, FLOAT32))
    assert np.all(np.abs(begun.state["b"]) <= FLOAT32.largest)
    narrow = _begun(_slot((4,), 2, past=6), arithmetic="float16_storage", format="float16")
    assert np.max(np.abs(np.asarray(narrow.state["b"], float))) == 65504.0


def test_a_rule_begins_from_the_parameter_as_it_is() -> None:
    """An infinite parameter is what COCOB starts from; after steps, states are finite numbers."""
    cocob = Kernel("cocob")
    infinite = replace(_slot((3,), 1, 0).param, specials=((1, "inf"),))
    fresh = replace(_slot((3,), 1, 0), param=infinite, history=0)
    for slot, due in ((fresh, np.inf), (replace(fresh, t=2, history=1), FLOAT32.largest)):
        begun = step.initial(OPTIMIZERS["cocob"], cocob.capability, GroupCase({}, (slot,)), slot)
        assert begun.state["p0"][1] == due


def test_a_field_is_kept_in_its_own_format() -> None:
    """Codes as they are, counts as the case has them, numbers up to the largest."""
    half = FORMATS["float16"]
    kept = step.kept_field(np.array([1.1, 1e9, -1e9, -np.inf]), half, 3)
    assert kept.dtype == np.float16  # type: ignore[union-attr]
    assert np.asarray(kept).tolist() == [float(np.float16(1.1)), 65504.0, -65504.0, -65504.0]
    codes = np.array([1, 2], np.uint8)
    same = step.kept_field(codes, half, 3)
    assert same is not codes and np.asarray(same).dtype == np.uint8
    assert step.kept_field(5, half, 3) == 3
    two: Arithmetic = replace(PROFILES["ieee_float32"], storage={"b": "bfloat16"})
    assert step.format_of(SGD, "b", two).name == "bfloat16"
    assert step.format_of(SGD, "p", two).name == "float32"


@pytest.mark.parametrize("size", [9, 17, 65])
def test_what_is_not_finite_stands_elsewhere_in_the_next_step(size: int) -> None:
    """So that what it leaves in the state meets finite gradients."""
    spec = TensorSpec((size,), specials=((5, "nan"), (6, "inf"), (7, "negative_inf"), (1, "zero")))
    for step_ in (0, 1, 2):
        now, later = (values(gradient_at(spec, k), FLOAT32) for k in (step_, step_ + 1))
        assert np.count_nonzero(~np.isfinite(now)) >= 2
        assert np.all(np.isfinite(now) | np.isfinite(later))
        assert now[1] == later[1] == 0


@pytest.mark.parametrize("layout", ["contiguous", "strided"])
def test_tensors_lie_as_the_case_says(layout: str) -> None:
    """The parameter, and of the state what has axes."""
    begun = _begun(replace(_slot((4,), 2), param=TensorSpec((4,), seed=2, layout=layout)))
    for x in (begun.param, begun.state["b"]):
        assert np.asarray(x).flags.c_contiguous is (layout == "contiguous")


def test_what_a_rule_takes_besides_is_drawn_at_every_step() -> None:
    """By its own name and shape, also in the past that made the state."""
    rule = OPTIMIZERS["sophia"]
    [(name, of)] = rule.FACTS.inputs.items()
    slot = replace(_slot((4,), 2), grad=TensorSpec((4,), seed=9))
    for k in (0, 1):
        gradient, inputs = step.drawn_at(rule, OptimizerCapability(rule="sophia"), slot.grad, k)
        due = array(input_at(slot.grad, name, k, of((4,))), FLOAT32)
        np.testing.assert_array_equal(inputs[name], due)
        np.testing.assert_array_equal(gradient, array(gradient_at(slot.grad, k), FLOAT32))
    kernel = Kernel("sophia")
    case = OptimizerCase((GroupCase({}, (slot,)),), steps=2)
    steps = [list(groups) for groups, _ in step.lockstep(kernel, kernel.capability, case)]
    found = [groups[0].slots[0].inputs[name] for groups in steps]
    for k in (0, 1):
        np.testing.assert_array_equal(
            found[k], array(input_at(slot.grad, name, k, of((4,))), FLOAT32)
        )


def test_a_past_has_all_that_a_rule_takes() -> None:
    """Each input of its own step."""
    rule = OPTIMIZERS["sophia"]
    [(name, of)] = rule.FACTS.inputs.items()
    slot = _slot((4,), 2)
    capability = OptimizerCapability(rule="sophia")
    [group] = step.begun(rule, capability, OptimizerCase((GroupCase({}, (slot,)),)))
    h, p = rule.Hyper(), values(slot.param, FLOAT32)
    s = rule.init(h, p)
    for i in range(2):
        besides = {name: values(input_at(slot.grad, name, -2 - i, of((4,))), FLOAT32)}
        s, _ = advanced(rule, h, s, p, _past(slot, -2 - i), besides)
    for field, x in fields_of(s).items():
        if field != "t":
            np.testing.assert_array_equal(group.slots[0].state[field], FLOAT32.round(x))


class _Raising:
    def optimizer_step(self, *_: object) -> Any:
        raise np.linalg.LinAlgError("nan")


@pytest.mark.parametrize(
    ("rule", "special", "raised"),
    [
        ("galore", ((0, "nan"),), Undecided),
        ("galore", (), BackendRaised),
        ("sgd", ((0, "nan"),), BackendRaised),
    ],
)
def test_an_input_may_be_refused_that_the_reference_refuses(
    rule: str, special: Any, raised: type[Exception]
) -> None:
    """One of all slots suffices; a rule without decompositions refuses nothing."""
    fine = SlotCase(TensorSpec((3, 2)), TensorSpec((3, 2), seed=1))
    other = replace(fine, grad=replace(fine.grad, specials=special))
    case = OptimizerCase((GroupCase({}, (fine, other)),))
    capability = OptimizerCapability(rule=rule)
    groups = step.begun(OPTIMIZERS[rule], capability, case)
    with pytest.raises(raised):
        step.called(OPTIMIZERS[rule], _Raising(), capability, groups)  # type: ignore[arg-type]


def test_another_reading_is_asked_of_the_same_numbers() -> None:
    """What a case begins with is made once; a reading that is far off is told at once."""
    step._BEGUN.clear()
    kernel, right = Kernel("sgd"), {"momentum_form": "lr_outside"}

    def read(changes: dict[str, str]) -> Any:
        return lambda hyper: (SGD, replace(hyper, **changes))

    assert _failing(_judged(kernel, reading=read(right))) == {}
    kept = [begun for *_, begun in step._BEGUN.values()]
    assert len(kept) == 1
    with pytest.raises(Unlike):
        _judged(kernel, reading=read({"momentum_form": "lr_inside"}))
    assert [begun for *_, begun in step._BEGUN.values()] == kept
    cases = [replace(CASE, steps=1) for _ in range(step._MOST_BEGUN + 8)]
    for case in cases:
        _judged(kernel, case, read(right))
    assert len(step._BEGUN) == step._MOST_BEGUN
    assert next(case for case, *_ in step._BEGUN.values()) is cases[8]


class _Apart:
    """A backend in another process, as the judge sees it: what it is given, it cannot write."""

    def __init__(self, kernel: Kernel) -> None:
        def step_of(*given: Any) -> Any:
            return kernel.optimizer_step(*given)

        step_of.guarded = True  # type: ignore[attr-defined]
        self.optimizer_step = step_of


@pytest.mark.parametrize(("backend", "kept"), [(lambda x: x, 0), (_Apart, 1)])
def test_what_nobody_else_can_write_is_made_once(
    backend: Callable[[Kernel], Any], kept: int
) -> None:
    """For all implementations of a case; a backend in this process gets its own each time."""
    step._BEGUN.clear()
    kernel = Kernel("sgd")
    for _ in range(2):
        [*_] = step.lockstep(backend(kernel), kernel.capability, CASE)
    assert len(step._BEGUN) == kept
