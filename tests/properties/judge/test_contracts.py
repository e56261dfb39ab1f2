from __future__ import annotations

import ast
import math
from pathlib import Path

import numpy as np
import pytest

import truestep.properties
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.profiles import PROFILES
from truestep.properties.judge import contracts, results
from truestep.properties.judge.contracts import judge
from truestep.properties.judge.results import HISTOGRAM_EDGES, SLACK

FLOAT32 = PROFILES["ieee_float32"]
NAN, INF = math.nan, math.inf


def _due(v: list[float], e: list[float]) -> tuple[Bounded, Bounded]:
    values = np.array(v)
    kernel = Bounded(values, np.array(e), FLOAT32, FLOAT32.format)
    return kernel, Bounded(values, np.zeros(len(v)), FLOAT32, FLOAT32.format)


def _utilisation(got: float, due: float, bound: float) -> float | None:
    return judge(np.array([got]), *_due([due], [bound])).utilisation


def test_every_element_is_told_as_the_worst_is() -> None:
    """Each ratio is what judge finds of that element alone; nan where nothing is judged."""
    got = np.array([1.5, NAN, 7.0, 2.0])
    kernel, oracle = _due([1.0, 1.0, NAN, 1.0], [0.5, 0.5, INF, 0.25])
    oracle.e = np.array([0.0, 0.0, 0.0, 0.25])
    found = contracts.utilisations(got, kernel, oracle)
    np.testing.assert_array_equal(found, [1.0, INF, NAN, 2.0])
    kernel.hazy, oracle.hazy = (np.array([INF, INF, x, INF]) for x in (1e300, 1e300))
    kernel.v[2] = 0.0
    oracle.e[2] = INF
    assert contracts.utilisations(got, kernel, oracle)[2] == 7.0 / 2e300
    assert judge(got[2:3], kernel[2:3], oracle[2:3]).oracle_fraction == 0.0


@pytest.mark.parametrize(
    ("got", "due", "bound", "utilisation"),
    [
        (1.0, 1.0, 0.0, 0.0),
        (1.5, 1.0, 0.5, 1.0),
        (0.0, 1.0, 0.5, 2.0),
        (1.0, 1.0 + 2.0**-52, 0.0, INF),
        (-0.0, 0.0, 0.0, 0.0),
        (NAN, 1.0, 0.5, INF),
        (INF, 1.0, 1e300, INF),
        (1.0, NAN, 0.0, INF),
        (INF, NAN, 0.0, INF),
        (NAN, NAN, 0.0, 0.0),
        (INF, INF, 0.0, 0.0),
        (-INF, INF, 0.0, INF),
        (3e38, INF, 0.0, INF),
        (NAN, INF, 0.0, 0.0),
        (NAN, 1.0, INF, None),
        (7.0, NAN, INF, None),
        (7.0, INF, INF, None),
    ],
)
def test_one_element(got: float, due: float, bound: float, utilisation: float | None) -> None:
    """Error over bound; a zero bound admits one value; nan and inf are due exactly, if at all.

    An infinity that is due may come out as nan, since inf - inf depends on the order of a sum;
    never as a number, and never with the other sign. An infinite bound: nothing is judged.
    """
    assert _utilisation(got, due, bound) == utilisation


def test_the_slack_is_two_and_inclusive() -> None:
    """Utilisation 2 passes, the next float64 does not."""
    assert SLACK == 2.0
    at = judge(np.array([2.0]), *_due([0.0], [1.0]))
    beyond = judge(np.array([np.nextafter(2.0, 3)]), *_due([0.0], [1.0]))
    assert at.passed
    assert not beyond.passed


def test_nothing_judged_is_not_a_pass() -> None:
    """A verdict needs at least one judged element; an empty tensor has none."""
    unknown = judge(np.array([1.0]), *_due([1.0], [INF]))
    empty = judge(np.array([]), *_due([], []))
    assert (unknown.judged, unknown.utilisation, unknown.passed) == (0, None, False)
    assert (empty.elements, empty.judged, empty.passed) == (0, 0, False)


def test_the_worst_element_is_named() -> None:
    """Index, value, oracle and bound are of the largest utilisation, not of the largest error."""
    kernel, oracle = _due([0.0, 0.0, 0.0], [100.0, 1.0, INF])
    found = judge(np.array([50.0, 1.5, 1e9]), kernel, oracle)
    assert (found.index, found.got, found.oracle, found.bound) == ((1,), 1.5, 0.0, 1.0)
    assert (found.elements, found.judged) == (3, 2)


def test_every_element_counts() -> None:
    """One wrong element in a million fails, wherever it stands."""
    for where in (0, 123_456, 999_999):
        got = np.zeros(1_000_000, np.float32)
        got[where] = 1e-30
        found = judge(got, *_due([0.0] * len(got), [1e-32] * len(got)))
        assert not found.passed
        assert found.index == (where,)


def test_the_oracles_error_is_added_and_reported() -> None:
    """The bound is the kernel's plus the reference's own, whose share is reported."""
    kernel, oracle = _due([1.0], [0.25])
    oracle.e = np.array([0.75])
    found = judge(np.array([2.0]), kernel, oracle)
    assert found.bound == 1.0
    assert found.utilisation == 1.0
    assert found.oracle_fraction == 0.75


def test_the_largest_share_of_a_judged_bound_is_reported() -> None:
    """Of finite numbers whose bound is not zero: not of an infinity, nor of what is not judged."""
    kernel, oracle = _due([1.0, 2.0, 3.0, INF, 5.0], [1.5, 0.75, 0.0, 0.0, INF])
    oracle.e = np.array([0.5, 0.25, 0.0, 0.3, 1.0])
    found = judge(np.array([1.0, 2.0, 3.0, INF, 5.0]), kernel, oracle)
    assert (found.judged, found.oracle_fraction) == (4, 0.25)


def test_what_is_not_judged_is_never_the_worst() -> None:
    """However well the others fare."""
    found = judge(np.array([9.0, 0.0, 0.25]), *_due([0.0, 0.0, 0.0], [INF, 1.0, 1.0]))
    assert (found.index, found.utilisation) == ((2,), 0.25)


def test_shapes_must_agree() -> None:
    """A result of another shape is an error of the caller, never broadcast."""
    with pytest.raises(ValueError, match=r"got shape \(1,\), expected \(2,\)"):
        judge(np.array([1.0]), *_due([1.0, 1.0], [0.0, 0.0]))


def test_narrow_formats_are_compared_as_numbers() -> None:
    """A float16 or float32 result is widened before it is subtracted."""
    for dtype in (np.float16, np.float32):
        assert judge(np.array([1.0], dtype), *_due([1.0], [0.0])).utilisation == 0.0


def test_the_histogram_counts_judged_elements() -> None:
    """One count per judged element, in the bin whose upper edge is the first not below it."""
    edges = np.asarray(HISTOGRAM_EDGES)
    v, e = np.zeros(len(edges) + 2), np.ones(len(edges) + 2)
    e[-1] = INF
    found = judge(np.array([*edges, 7.0, 7.0]), *_due(list(v), list(e)))
    assert found.histogram.tolist() == [1] * (len(edges) + 1)


COMPARING = ("allclose", "assert_allclose", "assert_almost_equal", "approx", "isclose")


def test_the_slack_is_the_only_tolerance() -> None:
    """No comparison with a tolerance, and no second slack, stands anywhere in properties/."""
    root = Path(truestep.properties.__path__[0])
    slacks = []
    for path in root.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            named = {
                ast.Name: lambda n: n.id,
                ast.Attribute: lambda n: n.attr,
                ast.keyword: lambda n: n.arg,
            }.get(type(node))
            name = named(node) if named else None
            assert name not in (*COMPARING, "rtol", "atol", "rel_tol", "abs_tol"), (
                f"{path.name}:{getattr(node, 'lineno', 0)} compares with a tolerance"
            )
        slacks += [
            path.name
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name) and "SLACK" in target.id
        ]
    assert slacks == [Path(results.__file__ or "").name]
