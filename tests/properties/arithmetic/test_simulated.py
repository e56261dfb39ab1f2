from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from truestep.properties.arithmetic.counter import Counter
from truestep.properties.arithmetic.profiles import PROFILES, Arithmetic
from truestep.properties.arithmetic.simulated import Simulated
from truestep.properties.arithmetic.world import World

NARROW = ("bfloat16", "float16", "ieee_float32")


def _world(name: str | Arithmetic = "bfloat16", seed: int = 0) -> World:
    arithmetic = PROFILES[name] if isinstance(name, str) else name
    return World(arithmetic, np.random.default_rng(seed))


def _tensors(world: World, count: int, n: int = 64) -> list[Simulated]:
    rng = np.random.default_rng(9)
    return [Simulated.of(rng.standard_normal(n), world) for _ in range(count)]


@pytest.mark.parametrize("name", NARROW)
def test_every_result_is_a_number_of_the_format(name: str) -> None:
    """Whatever the order, what is stored is representable."""
    for seed in range(10):
        world = _world(name, seed)
        a, b, c, d = _tensors(world, 4)
        for x in (a * b + c * 0.1 - d / 3, np.sqrt(a * a + b), np.exp(c), np.sum(a * b), a - 1):
            value = x.value
            known = np.isfinite(value)
            np.testing.assert_array_equal(world.arithmetic.format.represents(value)[known], True)


def _distinct(compute: Any, arithmetic: Arithmetic | str = "bfloat16") -> int:
    """How many different results fifty seeds give."""
    results = set()
    for seed in range(50):
        world = _world(arithmetic, seed)
        results.add(compute(*_tensors(world, 4)).value.tobytes())
    return len(results)


def test_seeds_choose_the_association() -> None:
    """Sums, products and constants combine in several orders; a single operation in one."""
    strict = dataclasses.replace(PROFILES["bfloat16"], contraction=False)
    assert _distinct(lambda a, b, c, d: a + b, strict) == 1
    assert _distinct(lambda a, b, c, d: a + b + c + d, strict) > 3
    assert _distinct(lambda a, b, c, d: a * b * c * d, strict) > 3
    assert _distinct(lambda a, b, c, d: a * 0.1 / 0.3, strict) > 1
    finer = dataclasses.replace(PROFILES["ieee_float32"], contraction=False)
    assert _distinct(lambda a, b, c, d: np.sum(a * b), finer) > 3


def test_contraction_fuses_products_into_sums() -> None:
    """a b + c is rounded once or twice where contraction is declared, and twice where it is not."""
    strict = dataclasses.replace(PROFILES["bfloat16"], contraction=False)
    assert _distinct(lambda a, b, c, d: a * b + c, strict) == 1
    assert _distinct(lambda a, b, c, d: a * b + c) == 2


def test_one_seed_gives_one_result() -> None:
    """A simulation is reproduced by its seed."""
    a, b = (_tensors(_world(seed=4), 4) for _ in range(2))
    for x, y in ((a[0] * a[1] + a[2] - a[3], b[0] * b[1] + b[2] - b[3]),):
        np.testing.assert_array_equal(x.value, y.value)


def test_host_scalars_stay_in_double_until_they_meet_an_array() -> None:
    """1 - 0.999 is computed in double and rounded once; declared as float32, it is not."""
    g = np.ones(4)
    wide = _world("ieee_float32")
    product = (1 - Simulated.hyper(0.999, wide)) * Simulated.of(g, wide)
    np.testing.assert_array_equal(product.value, np.float32(1 - 0.999))
    narrow = _world("float32_hyper")
    product = (1 - Simulated.hyper(0.999, narrow)) * Simulated.of(g, narrow)
    np.testing.assert_array_equal(product.value, np.float32(1) - np.float32(0.999))


def test_selecting_between_host_scalars_does_not_round_them() -> None:
    """where() of two constants of the host is a constant of the host."""
    world = _world("float16")
    chosen = np.where(np.asarray(True), Simulated.hyper(0.1, world), 5.0)
    assert chosen.host
    assert chosen.value == 0.1


def test_the_counter_has_a_format_of_its_own() -> None:
    """Powers with the counter are rounded to the declared counter format."""
    world = _world("capturable_float32")
    power = Simulated.hyper(0.999, world) ** Counter(100)
    assert world.arithmetic.format.represents(power.value)
    assert not world.arithmetic.format.represents(np.asarray(0.999**100))


def test_declared_inaccuracy_is_used() -> None:
    """Division within two ulps gives more than one result; a correctly rounded one does not."""
    loose = dataclasses.replace(PROFILES["ieee_float32"], ulps_division=2.0)
    assert _distinct(lambda a, b, c, d: a / b, loose) > 10
    assert _distinct(lambda a, b, c, d: a / b, "ieee_float32") == 1


def test_flushing_leaves_no_subnormals() -> None:
    """Declared as flushed, results below the least normal number are zero."""
    world = _world("cuda_fast_math")
    tiny = Simulated.of(np.array([2.0**-100]), world) * Simulated.of(np.array([2.0**-30]), world)
    assert tiny.value == 0
    kept = _world("ieee_float32")
    small = Simulated.of(np.array([2.0**-100]), kept) * Simulated.of(np.array([2.0**-30]), kept)
    assert small.value == 2.0**-130


@pytest.mark.parametrize("summation", ["float64", "pairwise", "sequential"])
def test_sums_are_those_of_their_terms(summation: str) -> None:
    """Integers that the format holds are summed exactly, in any order and over any axis."""
    arithmetic = dataclasses.replace(PROFILES["ieee_float32"], summation=summation)
    x = np.arange(60.0).reshape(3, 4, 5)
    world = _world(arithmetic)
    for axis in (None, 0, 1, -1, (0, 2)):
        for keepdims in (False, True):
            got = np.sum(Simulated.of(x, world), axis=axis, keepdims=keepdims)
            np.testing.assert_array_equal(got.value, np.sum(x, axis=axis, keepdims=keepdims))
    np.testing.assert_array_equal(np.mean(Simulated.of(np.array([1.0, 3.0]), world)).value, 2.0)


def test_unsupported_functions_are_named() -> None:
    """What is not simulated raises TypeError with its name."""
    (x,) = _tensors(_world(), 1)
    for function in (np.tan, np.cumsum, np.median, np.add.reduce):
        name = getattr(function, "__name__", "add")
        with pytest.raises(TypeError, match=name if name != "reduce" else "add"):
            function(x)


def test_a_term_whose_coefficient_is_zero_is_there_or_not() -> None:
    """0 times an infinity is a nan, and nothing to a kernel that skips the term."""
    found = set()
    for seed in range(30):
        world = _world(seed=seed)
        x, y = Simulated.of(np.ones(1), world), Simulated.of(np.full(1, np.inf), world)
        total = x + Simulated.hyper(0.0, world) * y
        found.add(str(float(total.value[0])))
    assert found == {"1.0", "nan"}
    world = _world()
    y = Simulated.of(np.full(1, np.inf), world)
    assert np.isnan((Simulated.hyper(0.0, world) * y).value).all()
    small = Simulated.hyper(1e-3, world) * Simulated.of(np.ones(1), world)
    assert all((Simulated.of(np.zeros(1), _world(seed=s)) + small).value > 0 for s in range(9))


@pytest.mark.parametrize("operation", [np.add, np.multiply])
def test_a_chain_may_be_computed_in_float64(operation: np.ufunc) -> None:
    """Rounded once: no order of operations in the format gives all of so many results."""
    exact = 0
    for seed in range(60):
        world = _world(seed=seed)
        parts = _tensors(world, 4)
        whole = parts[0].value
        total = parts[0]
        for part in parts[1:]:
            total, whole = operation(total, part), operation(whole, part.value)
        exact += np.array_equal(total.value, world.arithmetic.format.round(whole))
    assert 2 < exact < 40


def test_a_compensated_sum_loses_nothing_but_its_last_rounding() -> None:
    """Of many small terms beside a large one; an infinite term leaves an infinity."""
    world = _world()
    format = world.arithmetic.format
    rows = np.concatenate([np.full((1, 3), 1.0), np.full((200, 3), 2.0**-9)])
    rows[:, 1] *= -1
    rows[7, 2] = np.inf
    found = world._compensated(rows, format)
    due = rows.sum(axis=0)
    assert np.all(np.abs(found[:2] - due[:2]) <= 2 * format.u * np.abs(due[:2]))
    assert found[2] == np.inf
    one_by_one = format.round(np.array(1.0))
    for row in rows[1:, 0]:
        one_by_one = format.round(one_by_one + row)
    assert one_by_one == 1.0
