"""Choices read off bytes, and strata that all are visited."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from truestep.properties.cases.dice import Dice, by_seed
from truestep.properties.cases.strata import by_row, spread


def test_bytes_are_read_once_from_left_to_right() -> None:
    """The highest first; behind the end there are zeros."""
    dice = Dice(bytes([1, 2, 3, 4]))
    assert [dice.number(), dice.number(2), dice.number(2), dice.number()] == [1, 0x203, 0x400, 0]
    assert dice.at == 6


def test_choices_are_the_first_for_zero() -> None:
    """Every value is reached, each as often as the bytes allow."""
    assert [Dice(bytes([k])).flip() for k in range(4)] == [False, True, False, True]
    assert [Dice(bytes([k])).one_of("abc") for k in range(4)] == ["a", "b", "c", "a"]
    assert Dice(b"").one_of("abc") == "a"


@pytest.mark.parametrize(
    ("low", "high", "first"),
    [(3, 5, 3), (-2, 2, 0), (-2, 0, 0), (0, 4, 0), (-4, -2, -4), (0, 255, 0)],
)
def test_integers_lie_between_their_ends(low: int, high: int, first: int) -> None:
    """Both belong; for 0 the one nearest to 0 where that is between; the negative ones last."""
    found = [Dice(bytes([k])).between(low, high) for k in range(high - low + 1)]
    assert sorted(found) == list(range(low, high + 1))
    if high - low < 255:
        assert Dice(bytes([high - low + 1])).between(low, high) == first
    assert found[0] == first
    if low < 0 <= high:
        assert found == [*range(high + 1), *range(-1, low - 1, -1)]


def test_wide_ranges_are_read_off_three_bytes() -> None:
    """From 256 differences on; up to 255 one byte is enough."""
    for low, high, width in ((0, 254, 1), (0, 255, 1), (0, 256, 3), (-200, 200, 3), (300, 400, 1)):
        dice = Dice(bytes([0, 1, 2, 3]))
        dice.between(low, high)
        assert dice.at == width
    assert Dice(bytes([0, 1, 2])).between(0, 10**6) == 0x102


def test_a_seed_decides_the_bytes() -> None:
    """Equal seeds give equal choices."""
    draw = by_seed(4, lambda dice: dice.number(4))
    assert draw(1) == draw(1) != draw(2)


def test_strata_are_visited_equally_often() -> None:
    """In random order; what does not go round is some of them, each once."""
    rng = np.random.default_rng(0)
    found = spread("abcd", 11, rng)
    assert len(found) == 11
    assert sorted(Counter(found).values()) == [2, 3, 3, 3]
    assert all(sorted(found[i : i + 4]) == list("abcd") for i in (0, 4))
    assert any(spread("abcd", 4, rng) != list("abcd") for _ in range(5))
    assert spread("abcd", 4, rng) != spread("abcd", 8, rng)[:3]


def test_every_special_value_has_a_row() -> None:
    """And the rows that remain have none."""
    found = by_row([("lr", 0.0), ("eps", 1.0)], 4)
    assert found == [{"lr": 0.0}, {"eps": 1.0}, {}, {}]
