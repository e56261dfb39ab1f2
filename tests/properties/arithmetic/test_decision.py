from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.decision import Decision, Undecided, every_branch
from truestep.properties.arithmetic.profiles import PROFILES

FLOAT32 = PROFILES["ieee_float32"]
# (yes, open): certainly no, certainly yes, undecided with either outcome in float64.
STATES = [(False, False), (True, False), (False, True), (True, True)]


def _outcomes(yes: bool, open_: bool) -> set[bool]:
    return {True, False} if open_ else {yes}


def _decision(state: tuple[bool, bool]) -> Decision:
    return Decision(np.array([state[0]]), np.array([state[1]]))


@pytest.mark.parametrize(("a", "b"), list(itertools.product(STATES, STATES)))
def test_and_or_not_are_those_of_every_outcome(a: tuple[bool, bool], b: tuple[bool, bool]) -> None:
    """A combination is decided exactly where all outcomes of its parts agree on it."""
    for combine in ("__and__", "__or__"):
        found = getattr(_decision(a), combine)(_decision(b))
        possible = {getattr(x, combine)(y) for x in _outcomes(*a) for y in _outcomes(*b)}
        assert bool(found.open[0]) == (len(possible) == 2)
        assert bool(found.yes[0]) == getattr(a[0], combine)(b[0])
    negated = ~_decision(a)
    assert (bool(negated.yes[0]), bool(negated.open[0])) == (not a[0], a[1])


def test_plain_masks_combine_with_decisions() -> None:
    """A NumPy mask or a bool is a decided operand, on either side."""
    unsure = _decision((True, True))
    assert not (unsure & np.array([False])).open
    assert (True | unsure).yes
    assert not (False & unsure).open


def _scalar(v: float, e: float) -> Bounded:
    return Bounded(np.asarray(v), np.asarray(e), FLOAT32, FLOAT32.format)


def test_a_branch_on_an_open_comparison_is_refused() -> None:
    """Python cannot take both branches: Undecided is raised, never a guess."""
    assert bool(_scalar(2.0, 0.5) > 1.0)
    with pytest.raises(Undecided):
        bool(_scalar(2.0, 1.5) > 1.0)
    with pytest.raises(TypeError, match=r"numpy\.where"):
        bool(Bounded(np.ones(2), np.zeros(2), FLOAT32, FLOAT32.format) > 0.5)


def test_every_branch_of_open_comparisons_is_taken() -> None:
    """Two open comparisons in a row give the results of all paths through them."""

    def compute() -> str:
        first = "a" if _scalar(1.0, 1.0) > 1.0 else "b"
        if first == "a":
            return first + ("c" if _scalar(3.0, 1.0) > 3.5 else "d")
        return first

    assert sorted(every_branch(compute)) == ["ac", "ad", "b"]
    assert every_branch(lambda: 7) == [7]


def test_too_many_paths_are_refused() -> None:
    """A formula with more open branches than can be tried is undecided."""

    def compute() -> int:
        return sum(bool(_scalar(1.0, 1.0) > 1.0) for _ in range(9))

    with pytest.raises(Undecided, match="more than 64 paths"):
        every_branch(compute)


def test_just_as_many_paths_as_there_may_be() -> None:
    """Six open comparisons are 64 paths; with a limit of 63 they are one too many."""

    def compute() -> int:
        return sum(bool(_scalar(1.0, 1.0) > 1.0) for _ in range(6))

    assert sorted(every_branch(compute)) == sorted(bin(k).count("1") for k in range(64))
    with pytest.raises(Undecided, match="more than 63 paths"):
        every_branch(compute, 63)
    runs = []
    with pytest.raises(Undecided, match="more than 5 paths"):
        every_branch(lambda: runs.append(compute()), 5)
    assert len(runs) == 1  # which has shown that there are six more


def test_branches_are_prescribed_inside_alone() -> None:
    """After every_branch, also after one that failed, an open branch is refused again."""

    def fails() -> None:
        raise ZeroDivisionError

    every_branch(lambda: bool(_scalar(1.0, 1.0) > 1.0))
    with pytest.raises(ZeroDivisionError):
        every_branch(fails)
    with pytest.raises(Undecided, match="either way"):
        bool(_scalar(1.0, 1.0) > 1.0)


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("yes", [True, False])
def test_a_plain_mask_is_certain(yes: bool, mask: bool) -> None:
    """With what is certain too, it leaves nothing open."""
    known = _decision((yes, False))
    both, either = known & mask, known | mask
    assert (bool(both.yes), bool(both.open)) == (yes and mask, False)
    assert (bool(either.yes), bool(either.open)) == (yes or mask, False)


@pytest.mark.parametrize(
    ("share", "whole"), [(0.3, {29, 30}), (0.2, {19, 20}), (0.25, {25}), (0.125, {12})]
)
def test_a_whole_part_is_a_branch_where_rounding_may_pass_an_integer(
    share: float, whole: set[int]
) -> None:
    """float32 has no 0.3 and no 0.2; a quarter and an eighth are exact, and so is their floor."""
    product = Bounded.hyper(share, FLOAT32) * 100
    assert set(every_branch(lambda: math.floor(product))) == whole
