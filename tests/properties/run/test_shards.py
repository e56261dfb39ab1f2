"""Parts of a run: every check in exactly one, about the same seconds in each."""

from __future__ import annotations

import pytest

from truestep.properties.judge.results import Check
from truestep.properties.museum.plant import Kernel
from truestep.properties.run import conduct
from truestep.properties.run.plan import alike, checks_of
from truestep.properties.run.shards import Named, Shard, dealt, expected


@pytest.fixture(scope="module")
def checks() -> list[Check]:
    """Those of two kernels and of the conduct of their backend."""
    return [*checks_of(Kernel("adamw")), *checks_of(Kernel("nf4")), conduct.check()]


@pytest.mark.parametrize("of", [1, 2, 7, 60])
@pytest.mark.parametrize("costs", [{}, {"optimizer/adamw/float32/lockstep": 50.0}])
def test_every_check_is_in_exactly_one_part(
    checks: list[Check], of: int, costs: dict[str, float]
) -> None:
    """But that of conduct, which is about each part's own processes."""
    parts = [Shard(index, of, costs)(checks) for index in range(1, of + 1)]
    taken = [check.id for part in parts for check in part if check.kind != conduct.KIND]
    assert sorted(taken) == sorted(check.id for check in checks if check.kind != conduct.KIND)
    assert all(part[-1].kind == conduct.KIND for part in parts)
    assert parts == [Shard(index, of, costs)(checks) for index in range(1, of + 1)]


def test_parts_take_about_the_same_seconds(checks: list[Check]) -> None:
    """No part exceeds the mean by more than its longest group of checks that are alike."""
    costs = {check.id: 1.0 + k**2 % 31 for k, check in enumerate(checks)}
    totals = [sum(costs[check.id] for check in part) for part in dealt(checks, 5, costs)]
    assert max(totals) <= sum(totals) / 5 + max(costs.values())
    # Without them, the same number of checks in each.
    lengths = [len(part) for part in dealt(checks, 5, {})]
    assert max(lengths) - min(lengths) <= 1


def test_checks_that_are_alike_stay_together() -> None:
    """One evaluation serves them all."""
    twins = [
        c for format in ("float32", "float16") for c in checks_of(Kernel("sgd", format=format))
    ]
    for part in dealt(twins, 7, {}):
        others = [check for check in twins if check not in part]
        assert not {alike(check) for check in part} & {alike(check) for check in others}


def test_what_no_seconds_are_recorded_of_costs_what_its_family_does(checks: list[Check]) -> None:
    """Of all, where there is none of its family."""
    first, second = checks[0], checks[-2]
    found = expected(checks, {first.id: 3.0, second.id: 5.0})
    assert found[first.id] == 3.0 and found[second.id] == 5.0
    assert {found[check.id] for check in checks if check.name not in (first.name, second.name)} == {
        4.0
    }
    assert set(expected(checks, {}).values()) == {1.0}


def test_a_part_by_its_ids_has_those_and_the_conduct(checks: list[Check]) -> None:
    """In the order of the run."""
    ids = frozenset({checks[3].id, checks[1].id})
    assert Named(ids)(checks) == [checks[1], checks[3], checks[-1]]


@pytest.mark.parametrize("index", [0, 8])
def test_a_part_beyond_all_is_refused(index: int) -> None:
    """With both numbers."""
    with pytest.raises(ValueError, match=f"got {index}/7"):
        Shard(index, 7)
