from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.bounded.functions import FUNCTIONS
from truestep.properties.arithmetic.profiles import PROFILES, Arithmetic
from truestep.properties.arithmetic.simulated import Simulated
from truestep.properties.arithmetic.world import World
from truestep.properties.judge.contracts import judge

ORACLE = PROFILES["oracle"]
SUMMATIONS = ("pairwise", "sequential", "float64", "tensor_core")


def _arithmetic(summation: str, compute: str = "bfloat16") -> Arithmetic:
    return dataclasses.replace(PROFILES[compute], summation=summation)


REDUCTIONS: dict[str, Callable[[Any], Any]] = {
    "mean": np.mean,
    "mean over the first axis": lambda x: np.mean(x, axis=0),
    "norm": lambda x: np.sqrt(np.sum(x * x)),
    "sum": np.sum,
    "sum over the last axis": lambda x: np.sum(x, axis=-1, keepdims=True),
}


@pytest.mark.parametrize("summation", ["pairwise", "sequential", "float64"])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_a_sum_in_any_declared_order_stays_within_its_bound(name: str, summation: str) -> None:
    """Whatever the order of the terms, the declared kind of summation keeps to its bound."""
    arithmetic = _arithmetic(summation)
    rng = np.random.default_rng(3)
    for shape in ((1, 1), (1, 7), (33, 3), (200, 2)):
        x = arithmetic.format.round(rng.standard_normal(shape) * 10.0 ** rng.uniform(-3, 3, shape))
        bounds = [
            np.broadcast_to(0, ()),
            REDUCTIONS[name](Bounded.exact(x, arithmetic)),
            REDUCTIONS[name](Bounded.exact(x, ORACLE)),
        ][1:]
        for seed in range(6):
            world = World(arithmetic, np.random.default_rng(seed))
            got = REDUCTIONS[name](Simulated.of(x, world)).value
            assert (judge(got, *bounds).utilisation or 0.0) <= 1.0


def test_the_bound_follows_the_declared_summation() -> None:
    """A thousand terms in a row may err far more than in pairs, and those more than in double."""
    x = np.ones(1000) / 3
    e = {s: float(np.sum(Bounded.exact(x, _arithmetic(s, "ieee_float32"))).e) for s in SUMMATIONS}
    assert e["sequential"] > 20 * e["pairwise"]
    assert e["pairwise"] > 10 * e["float64"]
    assert e["tensor_core"] == e["pairwise"]


@pytest.mark.parametrize("summation", SUMMATIONS)
def test_a_matrix_product_stays_within_its_bound(summation: str) -> None:
    """k products and their sum in any order; a tensor core first rounds its factors."""
    arithmetic = _arithmetic(summation, "ieee_float32")
    rng = np.random.default_rng(5)
    for k in (1, 8, 50):
        a, b = (rng.standard_normal(s).astype(np.float32).astype(float) for s in ((4, k), (k, 3)))
        inputs = (a, b)
        if summation == "tensor_core":
            inputs = tuple(PROFILES["bfloat16"].format.round(x) for x in inputs)
        bounds = [Bounded.exact(a, x) @ Bounded.exact(b, x) for x in (arithmetic, ORACLE)]
        for seed in range(4):
            world = World(arithmetic, np.random.default_rng(seed))
            got = (Simulated.of(inputs[0], world) @ Simulated.of(inputs[1], world)).value
            if summation == "float64":
                got = (inputs[0] @ inputs[1]).astype(np.float32)
            assert (judge(got, *bounds).utilisation or 0.0) <= 1.0
    exact_inputs = inputs[0] @ inputs[1]
    assert (judge(exact_inputs, *bounds).utilisation or 0.0) <= 1.0


def test_where_takes_the_hull_only_where_the_condition_is_open() -> None:
    """A decided element keeps its own bound; an open one may lie anywhere between the outcomes."""
    arithmetic = PROFILES["ieee_float32"]
    x = Bounded(np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.5, 0.0]), arithmetic, arithmetic.format)
    chosen = np.where(x > 2.1, np.full(3, 10.0), -x)
    np.testing.assert_array_equal(chosen.v, [-1.0, -2.0, 10.0])
    np.testing.assert_array_equal(chosen.e, [0.0, 12.0, 0.0])


def test_where_both_outcomes_are_one_number_the_choice_does_not_matter() -> None:
    """An open condition between equal numbers costs nothing."""
    arithmetic = PROFILES["ieee_float32"]
    x = Bounded(np.array([2.0]), np.array([0.5]), arithmetic, arithmetic.format)
    assert np.where(x > 2.1, np.ones(1), x * 0 + 1).e == 0


def test_extrema_take_the_ends_of_the_intervals() -> None:
    """max of [1, 1 +- 0.5] lies in [1, 1.5]."""
    arithmetic = PROFILES["ieee_float32"]
    x = Bounded(np.array([1.0, 1.0]), np.array([0.0, 0.5]), arithmetic, arithmetic.format)
    assert (np.max(x).v, np.max(x).e) == (1.0, 0.5)
    assert (np.min(x).v, np.min(x).e) == (1.0, 0.5)
    assert np.all(np.clip(x, 1.2, 1.3).v == 1.2)


def test_sorted_intervals_hold_what_is_sorted() -> None:
    """Whatever numbers the intervals hold, of one of which nothing is known; nans come last."""
    arithmetic, rng = PROFILES["ieee_float32"], np.random.default_rng(4)
    v, e = (
        rng.standard_normal((200, 7)),
        rng.uniform(0, 0.5, (200, 7)) * rng.integers(0, 2, (200, 7)),
    )
    e[:100, 0], v[:50, 3], e[:50, 3] = np.inf, np.nan, 0
    found = np.sort(Bounded(v, e, arithmetic, arithmetic.format))
    for _ in range(50):
        wild = rng.choice([np.nan, np.inf, -np.inf, 9.0, -9.0, 0.0], v.shape)
        x = np.where(np.isinf(e), wild, v + rng.uniform(-1, 1, v.shape) * np.minimum(e, 9))
        x = np.sort(x)
        with np.errstate(invalid="ignore"):
            within = np.abs(x - found.v) <= found.e + 1e-15
        assert np.all(within | np.isinf(found.e) | (np.isnan(x) & np.isnan(found.v)))
    # What is known of six numbers is not lost beside the seventh.
    assert np.isfinite(found.e[100:]).all() and np.isfinite(found.e[50:100, 1:-1]).all()
    assert np.isnan(found.v[:50, -1]).all()


def test_sorting_rounds_nothing() -> None:
    """2 +- 1 beside 1 and 4: at least 1, 1 to 3, 4."""
    arithmetic = PROFILES["ieee_float32"]
    v, e = np.array([4.0, 2.0, 1.0]), np.array([0.0, 1.0, 0.0])
    found = np.sort(Bounded(v, e, arithmetic, arithmetic.format))
    np.testing.assert_array_equal(found.v, [1, 2, 4])
    np.testing.assert_array_equal(found.e, [0, 1, 0])


STRUCTURE: dict[str, Callable[[Any], Any]] = {
    "broadcast_to": lambda x: np.broadcast_to(x, (4, 2, 3)),
    "concatenate": lambda x: np.concatenate([x, x], axis=1),
    "copy": np.copy,
    "expand_dims": lambda x: np.expand_dims(x, 0),
    "getitem": lambda x: x[1:, ::2],
    "moveaxis": lambda x: np.moveaxis(x, 0, 1),
    "ravel": np.ravel,
    "reshape": lambda x: np.reshape(x, (3, 2)),
    "reshape method": lambda x: x.reshape(6),
    "squeeze": lambda x: np.squeeze(np.expand_dims(x, 0)),
    "stack": lambda x: np.stack([x, x]),
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "transpose": np.transpose,
}


@pytest.mark.parametrize("name", STRUCTURE)
def test_structure_moves_values_and_bounds_together(name: str) -> None:
    """Nothing is computed: values and bounds travel as NumPy moves its elements."""
    arithmetic = PROFILES["ieee_float32"]
    v = np.arange(6.0).reshape(2, 3)
    moved = STRUCTURE[name](Bounded(v, v / 100, arithmetic, arithmetic.format))
    np.testing.assert_array_equal(moved.v, STRUCTURE[name](v))
    np.testing.assert_array_equal(moved.e, STRUCTURE[name](v / 100))
    assert moved.mass.shape == moved.reach.shape == moved.shape


def test_empty_arrays_stay_empty() -> None:
    """No element, no bound; the sum of nothing is exactly zero."""
    empty = Bounded.exact(np.zeros(0), PROFILES["ieee_float32"])
    assert (np.sqrt(empty * empty + 1.0) / 3).shape == (0,)
    assert np.sum(empty).e == 0


UNSUPPORTED: dict[str, Callable[[Any], Any]] = {
    "add.reduce": np.add.reduce,
    "arctan2": lambda x: np.arctan2(x, x),
    "argsort": np.argsort,
    "cumsum": np.cumsum,
    "einsum": lambda x: np.einsum("i->", x),
    "floor": np.floor,
    "median": np.median,
    "multiply with out": lambda x: np.multiply(x, x, out=np.zeros(2)),
    "tan": np.tan,
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported_functions_are_named(name: str) -> None:
    """What has no error propagation raises TypeError with its name, never a wrong bound."""
    x = Bounded.exact(np.ones(2), PROFILES["ieee_float32"])
    with pytest.raises(TypeError, match=name.split(" ")[0]):
        UNSUPPORTED[name](x)


@pytest.mark.parametrize("convert", [float, bool, np.asarray, np.array, int])
def test_a_bound_is_never_dropped_silently(convert: Callable[[Any], Any]) -> None:
    """Conversions to plain numbers would lose the bound, and raise."""
    x = Bounded.exact(np.ones(()), PROFILES["ieee_float32"])
    with pytest.raises(TypeError):
        convert(x)


def test_functions_that_numpy_offers_and_references_use_are_listed() -> None:
    """Every handler is of a function of NumPy's: a typo in the table would never be called."""
    for function in FUNCTIONS:
        name = f"{function.__module__}.{function.__name__}"
        assert name.startswith("numpy"), name
