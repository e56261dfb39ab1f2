from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from truestep.reports.diff import difference


@pytest.mark.parametrize(
    ("old", "new", "heading", "regressed"),
    [
        ({}, {"verdict": "fail"}, "worse", True),
        ({}, {"verdict": "crashed"}, "worse", True),
        ({}, {"verdict": "not_judged"}, "worse", True),
        ({"verdict": "not_run"}, {"verdict": "fail"}, "worse", True),
        ({"verdict": "fail"}, {}, "better", False),
        ({"verdict": "fail"}, {"verdict": "not_judged"}, "other", False),
        ({"verdict": "fail"}, {"verdict": "crashed"}, "other", False),
        ({"utilisation": 0.6}, {"utilisation": 0.9}, "looser", False),
        ({"utilisation": 0.9}, {"utilisation": 0.2}, "tighter", False),
        ({"utilisation": 0.6}, {"utilisation": 0.7}, "", False),
    ],
)
def test_each_change_has_its_heading(
    make: Callable[..., Any],
    fakes: Any,
    old: dict[str, Any],
    new: dict[str, Any],
    heading: str,
    regressed: bool,
) -> None:
    """Losing a pass or gaining a failure regresses; utilisation within a bin is no change."""
    found = difference(make([fakes.result(**old)]), make([fakes.result(**new)]))
    lines = {
        name: getattr(found, name) for name in ("worse", "better", "other", "looser", "tighter")
    }
    assert {name for name, shown in lines.items() if shown} == ({heading} if heading else set())
    assert found.regressed is regressed


def test_new_and_missing_checks_are_listed(make: Callable[..., Any], fakes: Any) -> None:
    """A pass that vanished is a regression; a new pass is not."""
    one, two = make([fakes.result("adamw")]), make([fakes.result("lion")])
    found = difference(one, two)
    assert found.missing == ["optimizer/adamw/float32/lockstep  (was ✓ pass 0.62)"]
    assert found.new == ["optimizer/lion/float32/lockstep  ✓ pass 0.62"] and found.regressed
    assert not difference(make([]), two).regressed


def test_a_new_departure_is_a_regression(make: Callable[..., Any], fakes: Any) -> None:
    """What begins to depart is worse, what no longer does is better; checks pass in both."""
    plain = make([fakes.result("lion")])
    departs = make([fakes.result("lion", departures={"nan_sign": "zero"})])
    found = difference(plain, departs)
    assert found.worse == ["departure  lion: nan_sign zero"] and found.regressed
    found = difference(departs, plain)
    assert found.better == ["departure no more  lion: nan_sign zero"] and not found.regressed


def test_differences_of_the_runs_are_noted(make: Callable[..., Any], fakes: Any) -> None:
    """Seed, backend and library versions may explain a change."""
    old, new = make(fakes.passing()), make(fakes.passing(), spec="torch", seed=3)
    new["environment"] = {**new["environment"], "libraries": {"torch": "9"}}
    notes = difference(old, new).notes
    assert "seed: 0 → 3" in notes and "backend: cpu → torch" in notes
    assert any(note.startswith("torch: ") and note.endswith("→ 9") for note in notes)


def test_command_ends_with_1_on_a_regression(
    truestep: Callable[..., Any], save: Callable[..., Path], fakes: Any
) -> None:
    """0 without change, 1 with a check that got worse; every line is printed in full."""
    old = save("old.json", fakes.passing())
    broken = [replace(r, verdict="fail") if r.rule == "lion" else r for r in fakes.passing()]
    new = save("new.json", broken)
    status, out, _ = truestep("diff", old, old)
    assert status == 0 and "No check changed." in out
    status, out, _ = truestep("diff", old, new)
    assert status == 1 and "optimizer/lion/float32/lockstep  ✓ pass 0.90 → ✗ fail 0.90" in out
    status, out, _ = truestep("diff", new, old)
    assert status == 0 and "Better (1)" in out
