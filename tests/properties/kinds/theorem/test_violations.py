"""Violations of a theorem's premises are noticed: schedules, rules, and stores that drift."""

from __future__ import annotations

import pytest

from truestep.properties.kinds.theorem.theorems.table import THEOREMS
from truestep.properties.kinds.theorem.violations import VIOLATIONS, noticed, of_sgd

pytestmark = pytest.mark.power

# Cheap experiments of which each violation fails one; the module makes the whole table.
QUICK = [
    THEOREMS[name]
    for name in ("gradient_descent_rate", "decaying_steps_are_not_linear", "rounding_averages_out")
]


@pytest.mark.parametrize("name", sorted(VIOLATIONS))
def test_every_violation_fails_an_experiment(name: str) -> None:
    """Whatever takes the schedule's or the rule's place, some experiment deviates clearly."""
    assert not all(deviation <= 1.5 for _, deviation in noticed(name, QUICK))


def test_the_table_is_of_all_experiments_on_sgd() -> None:
    """Those of other rules have controls of their own."""
    assert {t.subject.rule for t in of_sgd()} == {"sgd"}
    assert len(of_sgd()) >= 20
