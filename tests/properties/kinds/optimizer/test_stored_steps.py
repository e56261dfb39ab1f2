"""State that is kept as codes, judged: each code, each scale and each number by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from truestep.fast.protocol import Capability, Group, Stepped, Storage
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.cases.tensors import TensorSpec
from truestep.properties.judge import truth
from truestep.properties.judge.calls import Malformed
from truestep.properties.judge.contracts import Judged
from truestep.properties.kinds.optimizer import step, stored
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
from truestep.properties.kinds.optimizer.storage import rule_of
from truestep.properties.museum.plant import Kernel
from truestep.reference.storages import STORAGES

# Codes on a map, on a curve, of integers and of small floats; scales that are numbers and codes.
KEPT = {
    "dynamic_8bit": {"signed": True, "block_size": 64},
    "int8": {"block_size": 64},
    "mxfp8_e4m3": {},
}
FLOAT32 = PROFILES["ieee_float32"]
Results = list[list[Stepped]]
Change = Callable[[Results], None]


def _nothing(made: Results) -> None:
    """As it is."""


class _Kernel(Kernel):
    """A rule with momentum in blocks; what a call gives is changed after."""

    def __init__(self, how: str, change: Change = _nothing, rule: str = "sgd") -> None:
        super().__init__(rule, storage={"b": Storage(how, KEPT[how])})
        self.change = change

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        """The step."""
        made = [list(row) for row in super().optimizer_step(capability, groups)]
        self.change(made)
        return made


def _case(how: str, specials: tuple[tuple[int, str], ...] = ()) -> OptimizerCase:
    hyper = {"lr": 0.1, "momentum": 0.9, "storage": {"b": KEPT[how]}}
    slots = tuple(
        SlotCase(
            TensorSpec((n,), seed=n), TensorSpec((n,), seed=n + 1, specials=specials),
            t=3, history=2,
        )
        for n in (200, 64, 10)
    )  # fmt: skip
    return OptimizerCase((GroupCase(hyper, slots),), steps=1)


def _judged(how: str, change: Change = _nothing, **case: Any) -> list[Judged]:
    kernel = _Kernel(how, change)
    [(_, found)] = step.lockstep(kernel, kernel.capability, _case(how, **case))
    return found


def _failing(found: Sequence[Judged]) -> set[tuple[int, str, tuple[int, ...] | None]]:
    return {
        (one.slot, one.tensor, one.judgement.index)
        for one in found
        if one.judgement.judged and not one.judgement.passed
    }


def _scale(how: str) -> str:
    return "b_absmax" if how == "dynamic_8bit" else "b_scale"


def _changed(name: str, slot: int, at: Any, to: Callable[[Any], Any]) -> Change:
    def change(made: Results) -> None:
        new = made[0][slot]
        x = np.array(new.param if name == "p" else new.state[name])
        x[at] = to(x[at])
        made[0][slot] = (
            replace(new, param=x) if name == "p" else replace(new, state={**new.state, name: x})
        )

    return change


@pytest.mark.parametrize("how", KEPT)
def test_right_codes_scales_and_numbers_pass(how: str) -> None:
    """Of every slot, every element."""
    found = _judged(how)
    assert _failing(found) == set()
    for name in ("p", "b_code"):
        counted = [one.judgement.judged for one in found if one.tensor == name]
        assert sum(counted) == 274
    assert sum(one.judgement.judged for one in found if one.tensor == _scale(how)) > 5


@pytest.mark.parametrize("how", KEPT)
@pytest.mark.parametrize(("slot", "at"), [(0, 199), (1, 0), (2, 9)])
def test_a_wrong_code_is_found_in_its_slot(how: str, slot: int, at: int) -> None:
    """Two values away from what is due; no other tensor is blamed."""
    [(found, name, index)] = _failing(
        _judged(how, _changed("b_code", slot, at, lambda x: x ^ np.array(6, x.dtype)))
    )
    assert (found, name, index) == (slot, "b_code", (at,))


@pytest.mark.parametrize("how", KEPT)
@pytest.mark.parametrize(("slot", "at"), [(0, 2), (2, 0)])
def test_a_wrong_scale_is_found(how: str, slot: int, at: int) -> None:
    """By a hundredth, or by a power of two."""

    def off(x: Any) -> Any:
        return x + 1 if x.dtype.kind == "u" else x * np.float32(1.01)

    found = {
        (s, name, i) for s, name, i in _failing(_judged(how, _changed(_scale(how), slot, at, off)))
    }
    assert (slot, _scale(how), (at,)) in found
    assert {(s, name) for s, name, _ in found} <= {(slot, _scale(how)), (slot, "b_code")}


@pytest.mark.parametrize("how", KEPT)
def test_a_wrong_parameter_is_found(how: str) -> None:
    """By a hundred-thousandth."""
    off = _changed("p", 1, 5, lambda x: x * np.float32(1 + 1e-5))
    assert _failing(_judged(how, off)) == {(1, "p", (5,))}


@pytest.mark.parametrize("how", KEPT)
def test_the_oracle_s_own_error_changes_no_verdict(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is measured, what is right passes and what is wrong is found."""
    monkeypatch.setattr(truth, "measured", lambda *_: True)
    off = _changed("p", 1, 5, lambda x: x * np.float32(1 + 1e-5))
    assert _failing(_judged(how)) == set()
    assert _failing(_judged(how, off)) == {(1, "p", (5,))}


@pytest.mark.parametrize("how", KEPT)
def test_what_a_nan_does_not_reach_is_judged(how: str) -> None:
    """Its own element, the others of its block by their scale, other blocks as ever."""
    specials = ((100, "nan"),)  # in the second block, and so in the two steps before
    found = _judged(how, specials=specials)
    assert _failing(found) == set()
    p = [one.judgement for one in found if one.tensor == "p"]
    assert sum(j.judged for j in p) == 274
    for at in (0, 199):
        wrong = _changed("b_code", 0, at, lambda x: x ^ np.array(6, x.dtype))
        assert _failing(_judged(how, wrong, specials=specials)) == {(0, "b_code", (at,))}


def test_codes_are_of_their_own_type() -> None:
    """And as many as the tensor has elements."""

    def widened(made: Results) -> None:
        new = made[0][0]
        state = {**new.state, "b_code": np.asarray(new.state["b_code"]).astype(np.int64)}
        made[0][0] = replace(new, state=state)

    with pytest.raises(Malformed, match="b_code has dtype int64, expected uint8"):
        _judged("dynamic_8bit", widened)


def _kept(how: str) -> tuple[Any, Any]:
    rule: Any = rule_of(_Kernel(how).capability)
    return rule, rule.Hyper(storage={"b": KEPT[how]})


def _numbers(v: Any, e: Any) -> Bounded:
    x = np.zeros(128)
    error = x.copy()
    x[: len(v)], error[: len(e)] = v, e
    return Bounded(x, error, FLOAT32, FLOAT32.format)


def _erring(x: Bounded, e: float) -> Bounded:
    """The same numbers, the first with another error and the others with none."""
    return Bounded(x.v, np.where(np.arange(x.size) == 0, e, 0.0), x.arithmetic, x.format)


INF, NAN = np.inf, np.nan


@pytest.mark.parametrize(
    ("v", "e", "value", "error"),
    [
        ([-4.0, 2.0], [0.5, 0.0], 4.0, 0.5),
        ([-4.0, 3.0], [0.25, 2.0], 4.0, 1.0),
        ([4.0, 3.0], [2.0, 0.5], 4.0, 2.0),
        ([4.0, 3.75], [2.0, 0.0], 4.0, 2.0),
        ([1.0, 3.0], [0.0, 4.0], 3.0, 4.0),
        ([1.0, 3.0], [INF, 0.0], 3.0, INF),
        ([1.0, INF], [0.0, 0.0], INF, 0.0),
        ([1.0, NAN], [0.5, 0.0], NAN, 0.0),
        ([1.0, NAN], [0.5, INF], NAN, INF),
        ([1.0, INF], [0.0, 1.0], INF, INF),
    ],
)
def test_the_largest_of_a_block_lies_between_the_largest_of_its_ends(
    v: Any, e: Any, value: float, error: float
) -> None:
    """An infinity or nan that is due for certain is due of its block; the next is untouched."""
    rule, hyper = _kept("dynamic_8bit")
    found = stored.block_absmax(rule, hyper, "b", _numbers(v, e))
    np.testing.assert_array_equal(found.v, [value, 0.0])
    np.testing.assert_array_equal(found.e, [error, 0.0])


def test_a_scale_lies_between_those_of_the_ends() -> None:
    """Of absmax / 127, by a rounding of the quotient; nothing is known beside what is not."""
    rule, hyper = _kept("int8")
    x = _numbers([-4.0, 2.0], [0.5, 0.0])
    for own, reach in ((0.0, 0.5), (0.25, 0.75)):
        exact = _erring(x, own)
        low, high, known = stored.scales(rule, hyper, "b", x, exact)
        assert known.tolist() == [True, True]
        for got, due in ((low[0], (4 - reach) / 127), (high[0], (4 + reach) / 127)):
            assert abs(got - due) <= 2 * np.spacing(np.float32(due))
        assert low[1] == high[1]
    lost = stored.scales(rule, hyper, "b", _numbers([4.0, 2.0], [INF, 0.0]), _erring(x, 0.0))
    assert lost[2].tolist() == [False, True]


# What keeps a scale of its own for a block of zeros, and for one whose scale underflows.
OWN_OF_ZERO = [
    (name, {choice: word})
    for name, quantizer in STORAGES.items()
    if hasattr(quantizer, "extremes")
    for choice, words in quantizer.DIALECTS.items()
    if choice.startswith("zero")
    for word in words
]


@pytest.mark.parametrize(("how", "dialect"), OWN_OF_ZERO)
def test_a_block_that_may_be_zero_may_have_the_scale_of_anything_up_to_its_largest(
    how: str, dialect: Any
) -> None:
    """That of a block of zeros, of numbers whose scale is the least, and of all in between."""
    quantizer = STORAGES[how]
    storage = quantizer.Hyper(**dialect)
    rule = SimpleNamespace(quantizer=lambda name: quantizer)
    hyper: Any = SimpleNamespace(storage={"b": storage})
    shape = (1, 128)
    most = 2e-30 / quantizer.extreme(storage)
    due = Bounded(np.full(shape, most / 2), np.full(shape, most / 2), FLOAT32, FLOAT32.format)
    low, high, known = stored.scales(rule, hyper, "b", due, _erring(due, 0.0))  # type: ignore[arg-type]
    assert known.all()
    for size in (0.0, *np.geomspace(2.0**-149, most, 60)):
        least, largest = quantizer.scales(storage, np.full(low.shape, size), division_ulps=0.5)
        assert np.all(low <= least)
        assert np.all(largest <= high)


def _of_muon(exponent: int = 0, change: Change = _nothing) -> list[Judged]:
    """Muon, which replicates judge, with its momentum in blocks."""
    kernel = _Kernel("int8", change, rule="muon")
    slot = SlotCase(TensorSpec((8, 8)), TensorSpec((8, 8), seed=1, exponent=exponent), 3, 2)
    group = GroupCase({"storage": {"b": KEPT["int8"]}}, (slot,))
    [(_, found)] = step.lockstep(kernel, kernel.capability, OptimizerCase((group,), steps=1))
    return found


def test_replicates_judge_codes_scales_and_what_no_code_enters() -> None:
    """Every code and every element of the parameter; one that is wrong alone is found."""
    judged = {one.tensor: one.judgement.judged for one in _of_muon()}
    assert judged == {"b_code": 64, "b_scale": 1, "p": 64}
    assert _failing(_of_muon()) == set()
    wrong = _changed("b_code", 0, (2, 3), lambda x: x ^ np.array(6, x.dtype))
    assert _failing(_of_muon(change=wrong)) == {(0, "b_code", (2, 3))}
    wrong = _changed("p", 0, (2, 3), lambda x: x + np.float32(0.01))
    assert {(slot, name) for slot, name, _ in _failing(_of_muon(change=wrong))} == {(0, "p")}


def test_what_is_undecided_is_not_judged_where_replicates_judge() -> None:
    """As where a norm leaves the format."""
    found = _of_muon(exponent=30)
    assert {(one.slot, one.tensor) for one in found} == {(0, "b_code"), (0, "b_scale"), (0, "p")}
    assert {one.judgement.judged for one in found} == {0}


def test_a_rule_of_bounds_that_is_undecided_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is passed over."""

    def undecided(*_: object) -> None:
        raise Undecided("open")

    monkeypatch.setattr(stored, "moments", undecided)
    with pytest.raises(Undecided, match="open"):
        _judged("int8")
