"""The numbers behind the statistics of optimizers: what is counted, and where the limits lie."""

from __future__ import annotations

import dataclasses
from collections import Counter
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from scipy.stats import binom, t

from truestep.fast.protocol import OptimizerCapability, Stepped
from truestep.properties.arithmetic.formats import FORMATS
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.arithmetic.sampled import FALSE_ALARM
from truestep.properties.judge.results import SLACK
from truestep.properties.kinds.optimizer import direction, noise, sampling
from truestep.properties.kinds.optimizer.chances import Errors, at_distances, correlated
from truestep.properties.kinds.optimizer.counts import by_distance, events

FLOAT32 = PROFILES["ieee_float32"]
INF, NAN = np.inf, np.nan


@pytest.mark.parametrize("count", [33, 34, 60, 500])
def test_the_limit_is_what_a_fair_coin_exceeds_with_that_probability(count: int) -> None:
    """Either way; two less would be exceeded oftener."""
    most = direction.limit(count)
    assert (most - count) % 2 == 0
    beyond = 2 * binom.sf((count + most) // 2, count, 0.5)
    assert beyond <= FALSE_ALARM < 2 * binom.sf((count + most) // 2 - 1, count, 0.5)


@pytest.mark.parametrize("heads", [25, 30, 54, 60])
def test_cases_are_counted_on_both_sides(heads: int) -> None:
    """Those that lean neither way are left out; the excess over the limit is the utilisation."""
    most = direction.limit(60)
    for sign in (1, -1):
        leaning = [sign] * heads + [-sign] * (60 - heads) + [0] * 7
        found = direction._judgement(leaning, [0] * 67)
        assert (found.judged, found.elements) == (60, 67)
        assert found.utilisation == SLACK * abs(2 * heads - 60) / most
        assert (found.got, found.oracle) == (heads if sign > 0 else 60 - heads, 30.0)
        assert found.bound == most / SLACK / 2
        assert found.passed == (abs(2 * heads - 60) <= most)


def test_sums_by_distance_are_those_of_each_distance() -> None:
    """Of every row, and of no element with itself."""
    x, y = np.random.default_rng(0).standard_normal((2, 3, 7))
    due = [np.sum(x[:, :-k] * y[:, k:]) for k in range(1, 7)]
    np.testing.assert_allclose(by_distance(x, y), due, atol=1e-12)
    assert by_distance(x[:, :1], y[:, :1]).shape == (0,)


def _errors(rng: np.random.Generator, n: int) -> Errors:
    p, u = rng.random((2, n))
    each = (u < p) - p, 0.01 * rng.random(n), rng.random(n) < 0.7, p, rng.choice([-1.0, 1.0], n)
    return Errors(*each)


def test_the_worst_distance_is_judged_as_two_tensors_are() -> None:
    """By what its elements err, and by which are open; away from zero too."""
    errors, level = _errors(np.random.default_rng(1), 50), 0.1
    parts = [
        [Errors(*(getattr(errors, f)[part] for f in Errors.__slots__)) for part in ends]
        for ends in ((slice(None, -k), slice(k, None)) for k in range(1, 50))
    ]
    for way, found in enumerate(at_distances(errors, level)):
        due = max(
            (
                correlated(x, y, x.away * y.away if way else np.ones(x.p.shape), level / 98)
                for x, y in parts
            ),
            key=lambda judgement: judgement.utilisation or 0.0,
        )
        assert found.judged == due.judged
        for name in ("got", "oracle", "bound", "utilisation"):
            assert getattr(found, name) == pytest.approx(getattr(due, name), abs=1e-9)


def test_nothing_open_tells_nothing_at_any_distance() -> None:
    """Nor does one element."""
    errors = _errors(np.random.default_rng(2), 9)
    shut = dataclasses.replace(errors, open=np.zeros(9, bool))
    one = Errors(*(getattr(errors, f)[:1] for f in Errors.__slots__))
    for found in (*at_distances(shut, 0.1), *at_distances(one, 0.1)):
        assert found.utilisation is None


def test_too_few_cases_tell_nothing() -> None:
    """Not even where all lean one way: 31 heads in a row are no rarer than FALSE_ALARM."""
    assert 2 * 0.5**30 > FALSE_ALARM >= 2 * 0.5**31
    assert direction._judgement([1] * 30 + [0] * 40, [0] * 70).utilisation is None
    found = direction._judgement([1] * 31, [0] * 31)
    assert found.utilisation == SLACK * 31 / direction.limit(31)


def test_what_leans_by_itself_tells_nothing() -> None:
    """Beyond the limit of those of its own that lean, either way."""
    most = direction.limit(60)
    for sign in (1, -1):
        control = [sign] * ((60 + most) // 2) + [-sign] * ((60 - most) // 2)
        assert direction._judgement([1] * 60, control).utilisation is not None
        control[-1] = sign
        assert direction._judgement([1] * 60, control).utilisation is None


def test_a_tensor_leans_as_most_of_its_elements_do() -> None:
    """By their signs and not by their sizes; those that are no numbers have none."""
    assert direction._most(np.array([1.0, 2.0, -9.0])) == 1
    assert direction._most(np.array([-1.0, -2.0, 9.0, 0.0])) == -1
    assert direction._most(np.array([1.0, -2.0, 0.0, NAN, INF, INF])) == 0


def _leanings(monkeypatch: pytest.MonkeyPatch, due: Any, got: Any, old: Any) -> tuple[int, ...]:
    monkeypatch.setattr(direction, "stepped", lambda *_: {"m": np.asarray(due), "n": np.asarray(1)})
    slot = SimpleNamespace(
        param=np.zeros(np.shape(due)), state={"m": np.asarray(old, np.float32), "n": 3}
    )
    new = Stepped(np.zeros(1), {"m": np.asarray(got, np.float32), "n": np.asarray(4)})
    names, ways, found = zip(*direction._leanings(None, None, slot, new), strict=True)  # type: ignore[arg-type]
    first = 0 if len(ways) == 4 else 4
    assert set(names) == {"m"} and list(ways) == [*range(first, first + len(ways))]
    own, control = zip(*found, strict=True)
    nearest = np.asarray(due).astype(np.float32) - np.asarray(due)
    assert control[1] == -np.sign(np.sum(np.sign(nearest[:256])))
    return tuple(own)


def test_each_part_of_a_tensor_leans_toward_zero_or_downwards(monkeypatch: Any) -> None:
    """The first 256 elements and what is behind them; what stands still has not been rounded."""
    due = np.where(np.arange(272) % 2, 1.1, -1.1)
    toward, away = due * 0.99, due * 1.01
    zero = np.zeros(272)
    assert _leanings(monkeypatch, due, toward, zero) == (1, 0, 1, 0)
    assert _leanings(monkeypatch, due, away, zero) == (-1, 0, -1, 0)
    assert _leanings(monkeypatch, due, due - 0.01, zero) == (0, 1, 0, 1)
    assert _leanings(monkeypatch, due, due + 0.01, zero) == (0, -1, 0, -1)
    ends = np.where(np.arange(272) < 256, due + 0.01, due - 0.01)
    assert _leanings(monkeypatch, due, ends, zero) == (0, -1, 0, 1)
    assert _leanings(monkeypatch, due, toward, toward) == (0, 0, 0, 0)
    large = np.where(np.arange(65 * 64) % 2, 1.1, -1.1)
    assert _leanings(monkeypatch, large, large * 0.99, 0 * large) == (1, 0)
    assert _leanings(monkeypatch, large, large - 0.01, 0 * large) == (0, 1)


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({}, True), ({"ulps_division": 1.0}, False), ({"ulps_sqrt": 1.0}, False),
        ({"subnormals": "flushed"}, False), ({"storage": {"m": "bfloat16"}}, True),
        ({"compute": "float64"}, False), ({"storage": {"m": "float64"}}, False),
    ],
)  # fmt: skip
def test_where_the_direction_is_judged(changes: dict[str, object], due: bool) -> None:
    """Only of roundings to nearest, in formats that float64 can tell the errors of."""
    arithmetic = dataclasses.replace(FLOAT32, name="own", **changes)  # type: ignore[arg-type]
    assert direction.applies(OptimizerCapability(rule="adam", arithmetic=arithmetic)) == due


def test_a_fixed_hyperparameter_is_one_rounding_for_all_cases() -> None:
    """Unless the format holds it; of several numbers, each."""
    for fixed, due in (({"beta1": 0.5}, True), ({"beta1": 0.9}, False), ({"maximize": True}, True)):
        assert direction.applies(OptimizerCapability(rule="adam", fixed=fixed)) == due
    assert direction._exact((0.5, 0.25), "float32") and not direction._exact((0.5, 0.1), "float32")
    assert not direction.applies(OptimizerCapability(rule="soap"))


def test_the_cases_of_a_direction_differ_in_their_numbers_alone() -> None:
    """Sixty of each size, all with hyperparameters, count and numbers of their own."""
    case = direction.case(OptimizerCapability(rule="adam", reach=500), 3)
    assert len(case.groups) == 120
    slots = [group.slots[0] for group in case.groups]
    assert len({str(group.hyper) for group in case.groups}) == 120
    assert len({slot.param.seed for slot in slots} | {slot.grad.seed for slot in slots}) == 240
    assert {slot.grad.exponent for slot in slots} == {-3, -2, -1, 0, 1}
    assert all(1 <= slot.t < 500 and slot.history == min(slot.t, 3) for slot in slots)
    assert len({slot.t for slot in slots}) > 40
    assert Counter(slot.param.shape for slot in slots) == {(16, 17): 60, (65, 64): 60}


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_neighbours_enclose_a_number(name: str) -> None:
    """Both are the number itself where the format has it, and else next to one another."""
    where = FORMATS[name]
    dtype = ml_dtypes.bfloat16 if name == "bfloat16" else np.float16
    rng = np.random.default_rng(0)
    x = rng.standard_normal(2000) * 2.0 ** rng.integers(-20, 12, 2000)
    low, high = noise.neighbours(x, where)
    assert np.all((low < x) & (x < high))
    assert np.all(np.nextafter(low.astype(dtype), dtype(INF)).astype(np.float64) == high)
    held = where.round(x)
    assert all(np.array_equal(side, held) for side in noise.neighbours(held, where))


def test_counts_are_held_to_bernstein_s_inequality() -> None:
    """Of unequal chances; beyond the limit of the excess the count fails, on either side."""
    chances = np.linspace(0.1, 0.9, 4000)
    mean, variance = chances.sum(), (chances * (1 - chances)).sum()
    for side in (1, -1):
        # The t at which the bound is FALSE_ALARM, from the inequality as it is written.
        excess = np.arange(0, 1000)
        bound = 2 * np.exp(-(excess**2) / (2 * (variance + excess / 3)))
        most = int(np.argmax(bound <= FALSE_ALARM))
        found = [events(round(mean) + side * (most + k), chances, FALSE_ALARM) for k in (-2, 1)]
        assert [one.passed for one in found] == [True, False]
        assert found[0].oracle == mean and found[0].judged == found[0].elements == 4000
        assert found[0].utilisation == abs(found[0].got - mean) / found[0].bound
    assert events(0, np.full(10, 0.5), FALSE_ALARM).utilisation is None


def _results(first: Any, second: Any, again: Any) -> list[list[Any]]:
    made = [np.asarray(x, np.float64) for x in (first, second, again)]
    return [[made[0], made[1]], [made[2], made[2]]]


def test_ups_and_differences_are_counted() -> None:
    """Ups where there are two neighbours; differences to the equal tensor, and to the next call."""
    where, n = FORMATS["bfloat16"], 40_000
    rng = np.random.default_rng(1)
    part = np.where(np.arange(n) % 4, 0.25, 0.0)
    due = 1 + part * 2.0**-7

    def drawn() -> Any:
        return 1 + (rng.random(n) < part) * 2.0**-7

    first, second, again = drawn(), drawn(), drawn()
    ups, *drawn_alike, equal, calls, shared = noise._counts(
        due, _results(first, second, again), where, FALSE_ALARM
    )
    assert len(drawn_alike) == 2 and all(each.passed for each in (*drawn_alike, shared))
    assert (ups.got, ups.oracle) == (np.sum(first > 1), part.sum())
    apart = np.sum(2 * part * (1 - part))
    assert (equal.got, equal.oracle) == (np.sum(first != second), apart)
    assert (calls.got, calls.oracle) == (np.sum(first != again), apart)
    assert ups.passed and equal.passed and calls.passed
    ups, _, _, equal, calls, _ = noise._counts(
        due, _results(first, first, again), where, FALSE_ALARM
    )
    assert ups.passed and not equal.passed and calls.passed
    ups, _, _, equal, calls, _ = noise._counts(
        due, _results(first, second, first), where, FALSE_ALARM
    )
    assert ups.passed and equal.passed and not calls.passed
    ones = np.ones(n)
    ups, *_ = noise._counts(due, _results(ones, second, again), where, FALSE_ALARM)
    assert not ups.passed


def test_the_spread_of_observables_is_student_s() -> None:
    """Zero where all rows are alike, infinite where one is not finite."""
    rng = np.random.default_rng(2)
    rows = 1 + 1e-6 * rng.standard_normal((33, 5))
    rows[:, 1], rows[:, 2], rows[4, 3] = 2.0, NAN, INF
    found = sampling.spread(rows)
    due = t.isf(FALSE_ALARM / 10, 32) * np.sqrt(np.mean((rows[1:, 0] - rows[0, 0]) ** 2))
    np.testing.assert_array_max_ulp(found[0], due, 2**20)
    assert found[1:4].tolist() == [0.0, 0.0, INF]
    assert sampling.spread(np.ones((33, 0))).shape == (0,)
