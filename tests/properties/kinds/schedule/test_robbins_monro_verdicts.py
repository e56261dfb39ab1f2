"""Verdicts on the conditions of Robbins and Monro: proofs that an independent checker accepts."""

from __future__ import annotations

from typing import Any

import pytest

from truestep.properties.kinds.schedule.robbins_monro import NOTED, REMARKS, noted, table
from truestep.reference.schedules import SCHEDULES

VERDICTS = {
    "a_t = c / sqrt(t)": (True, False),
    "a_t = c / t": (True, True),
    "a_t = c / t^(3/4)": (True, True),
    "a_t = c, a constant": (True, False),
    "a_t = c gamma^t, gamma < 1": (False, True),
    "cosine, then held at 0": (False, True),
    "cosine, then held at min_lr > 0": (True, False),
    "cosine that bounces past its horizon": (True, False),
    "one cycle, then an error": (None, None),
    "restarts at 0.6 of the height, cycles twice as long": (True, True),
}


@pytest.mark.parametrize("formula", sorted(VERDICTS))
def test_the_verdict_is_the_theorem(formula: str) -> None:
    """1/sqrt(t) violates the second condition, 1/t satisfies both; a horizon decides by its end."""
    found = next(v for v, _ in table() if v.formula == formula)
    assert (found.sum_diverges, found.squares_converge) == VERDICTS[formula]
    assert found.both == (None if None in VERDICTS[formula] else all(VERDICTS[formula]))
    assert found.proof.endswith(".")


def test_every_schedule_is_noted() -> None:
    """A schedule that the table lacks is named here; the remarks come first and all have a row."""
    assert list(NOTED) == list(SCHEDULES)
    rows = [verdict.formula for verdict, _ in table()]
    assert rows[: len(REMARKS)] == list(REMARKS)
    assert sorted(rows) == sorted(formula for forms in NOTED.values() for formula, _ in forms)


@pytest.mark.parametrize("rule", sorted(NOTED))
def test_the_proof_is_accepted_by_the_independent_checker(rule: str, problems: Any) -> None:
    """The inequality holds on the schedule's own values, and the conclusions follow from it."""
    module = SCHEDULES[rule]
    for (_, fields), verdict in zip(NOTED[rule], noted(rule), strict=True):
        h = module.Hyper(**fields)
        certificate = module.certificate(h)
        assert problems(certificate, lambda t, h=h: float(module.value(h, t))) == []
        assert verdict.to_json()["proof"] == str(certificate)
