"""Drawn roundings of codes, counted: every probability is the exact law's."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from truestep.fast.protocol import QuantizerCapability
from truestep.properties.judge.calls import BackendFault
from truestep.properties.kinds.quantizer import rounding_statistics as statistics
from truestep.reference.quantizers import QUANTIZERS

CAST = QUANTIZERS["float8_e4m3fn"]
HYPER = CAST.Hyper(rounding="stochastic")
Ups = Callable[[Any], Any]


class _Subject:
    """A cast of which each element goes up that is said to."""

    def __init__(self, ups: Ups, rule: Any = CAST, **declared: Any) -> None:
        self.rule, self.ups, self.calls = rule, ups, 0
        name = rule.__name__.rpartition(".")[2]
        self.capability = QuantizerCapability(
            rule=name, dialect={"rounding": "stochastic"}, **declared
        )

    def encode(self, hyper: Any, x: Any) -> Any:
        self.calls += 1
        return SimpleNamespace(back=np.where(self.ups(x), x + 1, x - 1))


def _share(of: Callable[[float], float]) -> Ups:
    """Of equal numbers the first go up, as many as of(the probability) says."""

    def ups(x: Any) -> Any:
        p = float(CAST.probability_up(HYPER, np.float64(x[:1]))[0])
        return np.arange(x.size) < round(of(p) * x.size)

    return ups


def _expected(p: float, ups: int, n: int) -> float:
    unit = 2.0**statistics.BITS
    least, most = np.floor(p * unit) / unit, np.ceil(p * unit) / unit
    return float(min(1.0, 2 * min(binom.cdf(ups, n, least), binom.sf(ups - 1, n, most))))


@pytest.mark.parametrize("off", [0.0, 0.004, -0.004])
def test_ups_are_held_to_the_binomial_law(off: float) -> None:
    """Between the multiples of 2^-8 below the probability and above it, on both sides."""
    found = statistics._frequency(_Subject(_share(lambda p: np.clip(p + off, 0, 1))), HYPER)  # type: ignore[arg-type]
    numbers = statistics._numbers(_Subject(_share(float)), HYPER)  # type: ignore[arg-type]
    assert len(found) == len(numbers) == 60
    n = statistics.ELEMENTS
    for number, (told, p_value) in zip(numbers, found, strict=True):
        p = float(CAST.probability_up(HYPER, np.array([number]))[0])
        ups = round(float(np.clip(p + off, 0, 1)) * n)
        np.testing.assert_almost_equal(p_value, _expected(p, ups, n), decimal=9)
        assert told.startswith(f"{ups} of {n} elements {number!r} went up, expected ")


def test_a_frequency_off_by_a_multiple_is_the_backend_s_fault() -> None:
    """Told with its probability, and the limit that the tests of the check share."""
    assert statistics.judged(_Subject(_share(lambda p: p)), "frequency").passed  # type: ignore[arg-type]
    with pytest.raises(BackendFault, match=r"went up, expected .* fails below 1\.67e-11 "):
        statistics.judged(_Subject(_share(lambda p: min(1.0, p + 0.02))), "frequency")  # type: ignore[arg-type]


def test_the_utilisation_is_of_logarithms() -> None:
    """Of the smallest probability and its limit; a check's tests count as its elements."""
    subject: Any = _Subject(_share(lambda p: min(1.0, p + 2.0**-11)))
    values = [p for _, p in statistics._frequency(subject, HYPER)]
    found = statistics.judged(subject, "frequency")
    assert (found.elements, found.judged) == (60, 60)
    assert found.utilisation == np.log(min(values)) / np.log(statistics.FALSE_ALARM / 60)
    assert 0.01 < found.utilisation < 1


def test_numbers_lie_between_neighbours_of_three_sizes() -> None:
    """Both signs, where the format has them; parts of the spacing in units of 2^-16."""
    subject: Any = _Subject(_share(float))
    gaps = statistics._gaps(subject, HYPER)
    assert gaps[0] == (0.0, 2.0**-9) and gaps[-1] == (416.0, 448.0)
    numbers = statistics._numbers(subject, HYPER)
    assert sorted(numbers) == sorted(-x for x in numbers)
    assert {2.0**-25, 2.0**-9 * (2**16 - 1) / 2**16, 416 + 32 * 2.0**-8, 432.0} <= set(numbers)
    blocks: Any = _Subject(_share(float), QUANTIZERS["int8"])
    plain = QUANTIZERS["int8"].Hyper()
    assert statistics._gaps(blocks, plain)[-1] == (126.0, 127.0)
    assert min(abs(x) for x in statistics._numbers(blocks, plain)) == 2.0**-9


def test_random_bits() -> None:
    """Eight at the least, of floats of 16 bits what float32 has more; or what is declared."""
    assert statistics.bits_of(CAST) == 8
    assert statistics.bits_of(QUANTIZERS["bfloat16"]) == 16
    assert statistics.bits_of(QUANTIZERS["int8"]) == 8
    assert statistics._bits(_Subject(_share(float), random_bits=12)) == 12  # type: ignore[arg-type]
    assert statistics._bits(_Subject(_share(float))) == 8  # type: ignore[arg-type]


def test_every_group_has_one_element_that_makes_its_scale_1() -> None:
    """Of either sign, in another place of each; at least as many others as are asked for."""
    rule = QUANTIZERS["int8"]
    h = rule.Hyper(block_size=16)
    subject: Any = _Subject(_share(float), rule, multiple=3)
    x = statistics._tensor(subject, h, 0.5, 100).reshape(-1, 16)
    assert len(x) % 3 == 0 and len(x) == 9
    extreme = np.abs(x) == 127
    assert extreme.sum(axis=1).tolist() == [1] * len(x)
    assert np.argmax(extreme, axis=1).tolist() == list(range(len(x)))
    assert x[extreme].tolist() == [127.0, -127.0] * 4 + [127.0]
    assert np.all(x[~extreme] == 0.5)
    assert statistics._tensor(_Subject(_share(float)), HYPER, 0.5, 7).tolist() == [0.5] * 7  # type: ignore[arg-type]


def _drawn(seed: int, repeat: int = 0) -> Any:
    draws = np.random.default_rng(seed).random(statistics.ELEMENTS) < 0.5
    if repeat:
        half = np.arange(draws.size) // repeat % 2 == 1
        draws[half] = np.roll(draws, repeat)[half]
    return draws


def _more(left: Any, right: Any) -> int:
    """Pairs that agree, less those that do not."""
    return 2 * int(np.count_nonzero(left == right)) - len(left)


def test_draws_that_repeat_are_found() -> None:
    """From call to call, or at a distance; of fresh ones every probability is the exact law's."""
    seeds = iter(range(100))
    fresh: Any = _Subject(lambda x: _drawn(next(seeds)))
    assert statistics.judged(fresh, "independence").passed and fresh.calls == 2
    one, two = _drawn(7), _drawn(8)
    turns = iter((one, two))
    found = statistics._independence(_Subject(lambda x: next(turns)), HYPER)  # type: ignore[arg-type]
    # Of all distances the farthest from half is told, and how probable any so far is.
    size = one.size
    far = max(range(1, size), key=lambda k: abs(_more(one[:-k], one[k:])) / np.sqrt(size - k))
    pairs = [(one, two, 1), (one[:-far], one[far:], size - 1)]
    for (told, p_value), (left, right, among) in zip(found, pairs, strict=True):
        same, n = int(np.sum(left == right)), left.size
        due = min(1.0, 2 * among * min(binom.cdf(same, n, 0.5), binom.sf(same - 1, n, 0.5)))
        np.testing.assert_almost_equal(p_value, due, decimal=9)
        assert told.startswith(f"{same} of {n} draws ")
    with pytest.raises(BackendFault, match="65536 of 65536 draws of two calls agree"):
        statistics.judged(_Subject(lambda x: one), "independence")  # type: ignore[arg-type]
    turned = iter((one, ~one))
    with pytest.raises(BackendFault, match="0 of 65536 draws of two calls agree"):
        statistics.judged(_Subject(lambda x: next(turned)), "independence")  # type: ignore[arg-type]
    # Of numbers amid two neighbours, which go up half of the time.
    gaps, numbers = statistics._gaps(fresh, HYPER), set[float]()
    statistics._independence(_Subject(lambda x: numbers.update(x.tolist()) or one), HYPER)  # type: ignore[arg-type]
    low, high = gaps[len(gaps) // 2]
    assert numbers == {(low + high) / 2}
    for lag in (1, 64, 100, 4096):
        later = iter((_drawn(3, lag), two))
        with pytest.raises(BackendFault, match=f"draws at distance {lag} agree"):
            statistics.judged(_Subject(lambda x, later=later: next(later)), "independence")  # type: ignore[arg-type, misc]
