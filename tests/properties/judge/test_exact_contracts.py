"""Contracts without a bound: what is due exactly, by an interval, or as another result has it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from truestep.properties.judge.contracts import (
    Judgement,
    agreement,
    enclosure,
    identity,
    membership,
    not_judged,
)
from truestep.properties.judge.results import HISTOGRAM_EDGES
from truestep.reference.validation import Array

NAN, INF = math.nan, math.inf
BINS = len(HISTOGRAM_EDGES) + 1


def _one(x: float) -> Array:
    return np.array([x])


def _counts(found: Judgement) -> list[int]:
    return found.histogram.tolist()


def test_nothing_is_recorded_of_what_is_not_judged() -> None:
    """A tensor's size, and an empty bin for each edge and one above."""
    found = not_judged(7)
    assert (found.elements, found.judged, found.utilisation, found.index) == (7, 0, None, None)
    assert all(math.isnan(x) for x in (found.got, found.oracle, found.bound))
    assert found.oracle_fraction == 0.0
    assert _counts(found) == [0] * BINS


@pytest.mark.parametrize(
    ("left", "right", "bound", "utilisation"),
    [
        (1.0, 1.0, None, 0.0),
        (1.0, np.nextafter(1.0, 2), None, INF),
        (0.0, -0.0, None, 0.0),
        (1.0, 1.5, 0.5, 1.0),
        (1.5, 1.0, 0.25, 2.0),
        (1.0, 2.0, INF, None),
        (NAN, NAN, None, None),
        (NAN, NAN, 1.0, None),
        (NAN, 1.0, 1.0, INF),
        (1.0, NAN, 1.0, INF),
        (INF, INF, 1.0, 0.0),
        (INF, -INF, 1.0, INF),
    ],
)
def test_two_results_that_a_law_makes_equal(
    left: float, right: float, bound: float | None, utilisation: float | None
) -> None:
    """Within the bound, or bit for bit but for a zero's sign; of two nans nothing is learnt."""
    limit = None if bound is None else np.asarray(bound)
    found = agreement(_one(left), _one(right), limit)
    assert found.utilisation == utilisation
    assert found.oracle_fraction == 0.0


@pytest.mark.parametrize(
    ("got", "due", "same"),
    [
        (1.0, 1.0, True), (1.0, np.nextafter(1.0, 2), False), (0.0, 0.0, True),
        (0.0, -0.0, False), (-0.0, 0.0, False), (-0.0, -0.0, True), (NAN, NAN, True),
        (-NAN, NAN, True), (NAN, 1.0, False), (1.0, NAN, False), (NAN, INF, False),
        (INF, INF, True), (INF, -INF, False), (-1.0, 1.0, False),
    ],
)  # fmt: skip
def test_what_is_due_exactly(got: float, due: float, same: bool) -> None:
    """Every number with its sign, also a zero's; an infinity never as a nan."""
    found = identity(_one(got), _one(due))
    assert (found.utilisation, found.judged) == (0.0 if same else INF, 1)
    assert (found.bound, found.oracle_fraction) == (0.0, 0.0)
    assert np.array_equal([found.got, found.oracle], [got, due], equal_nan=True)


@pytest.mark.parametrize(
    ("code", "low", "high", "utilisation", "due"),
    [
        (3, 3, 3, 0.0, 3), (4, 3, 3, INF, 3), (2, 3, 3, INF, 3), (3, 3, 6, 0.0, 3),
        (6, 3, 6, 0.0, 6), (4, 3, 6, 0.0, 4), (7, 3, 6, INF, 4), (2, 3, 6, INF, 4),
        (9, 0, 14, 0.0, 9), (15, 0, 14, INF, 7), (0, 1, 15, INF, 8), (3, 0, 15, None, None),
        (9, 200, 255, INF, 228),
    ],
)  # fmt: skip
def test_codes_by_their_interval(
    code: int, low: int, high: int, utilisation: float | None, due: int | None
) -> None:
    """Both ends belong to it; all codes are no interval; sums of codes keep their highest bit."""
    found = membership(*(np.array([x], np.uint8) for x in (code, low, high)), 16)
    assert (found.utilisation, found.oracle_fraction) == (utilisation, 0.0)
    if due is not None:
        assert (found.got, found.oracle, found.bound) == (code, due, 0.0)


@pytest.mark.parametrize(
    ("got", "low", "high", "due"),
    [
        (1.0, 1.0, 2.0, 1.0), (2.0, 1.0, 2.0, 2.0), (1.5, 1.0, 2.0, 1.5), (0.5, 1.0, 2.0, 1.0),
        (2.5, 1.0, 2.0, 2.0), (NAN, 1.0, 2.0, 1.0), (NAN, NAN, NAN, None), (1.0, NAN, NAN, NAN),
        (NAN, NAN, 2.0, NAN), (NAN, 1.0, NAN, 1.0), (INF, 1.0, INF, INF), (-INF, -INF, 1.0, -INF),
        (INF, 1.0, 2.0, 2.0), (1.0, INF, INF, INF),
    ],
)  # fmt: skip
def test_numbers_by_their_ends(got: float, low: float, high: float, due: float | None) -> None:
    """Both ends belong; a nan is due where both are; outside, the nearer end is told."""
    found = enclosure(_one(got), _one(low), _one(high))
    inside = due is None or got == due
    assert (found.utilisation, found.judged) == (0.0 if inside else INF, 1)
    assert (found.bound, found.oracle_fraction) == (0.0, 0.0)
    if due is not None:
        assert found.oracle == due or (math.isnan(due) and math.isnan(found.oracle))


@pytest.mark.parametrize("judging", [agreement, enclosure, identity, membership])
def test_shapes_must_agree(judging: object) -> None:
    """Nothing is broadcast, and the message says what came and what was due."""
    one, two = np.zeros(1), np.zeros(2)
    given = {
        "agreement": (one, two, None), "enclosure": (one, two, two), "identity": (one, two),
        "membership": (one, two, two, 16),
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"\(1,\).*\(2,\)"):
        judging(*given[judging.__name__])  # type: ignore[attr-defined,operator]


def test_the_worst_of_many_is_named_and_all_are_counted() -> None:
    """Of elements that are not judged none is the worst, whatever it is."""
    got = np.array([[1.0, 2.0, 9.0], [3.5, NAN, 5.0]])
    due = np.array([[1.0, 2.5, 0.0], [3.0, NAN, 5.0]])
    bound = np.array([[1.0, 1.0, INF], [0.25, 1.0, 1.0]])
    found = agreement(got, due, bound)
    assert (found.elements, found.judged, found.index) == (6, 4, (1, 0))
    assert (found.got, found.oracle, found.bound, found.utilisation) == (3.5, 3.0, 0.25, 2.0)
    told = dict(zip((*HISTOGRAM_EDGES, "above"), _counts(found), strict=True))
    assert {edge: n for edge, n in told.items() if n} == {0.0: 2, 0.5: 1, 2.0: 1}
