"""Planted faults judged by acceptance rules that other suites have published."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from truestep.properties.museum import FAULTS
from truestep.properties.museum.plant import Kernel
from truestep.reports import audit
from truestep.reports.acceptance import ACCEPTANCES, OPTIMIZERS, Acceptance, close, decibels
from truestep.reports.trials import Setting, seen

Call = Callable[..., tuple[int, str, str]]
RULES = [(kind, rule) for kind, rules in ACCEPTANCES.items() for rule in rules]
KERNELS = {"optimizer": "adamw", "quantizer": "int8", "schedule": "cosine"}


@pytest.mark.parametrize(("kind", "rule"), RULES, ids=[f"{k}: {r.name}" for k, r in RULES])
def test_a_rule_accepts_a_right_kernel(kind: str, rule: Acceptance) -> None:
    """What it sees is finite and not empty; a repository and a path say where it stands."""
    for setting in rule.settings[:2]:
        kernel = Kernel(KERNELS[kind])
        if setting.steps > 100:  # as many steps as theirs take a second
            continue
        due = seen(kernel, kernel, setting, 0)
        assert due and all(np.all(np.isfinite(x)) for one in due for x in one.values())
        got = seen(Kernel(KERNELS[kind]), kernel, setting, 0)
        assert all(rule.accepts(x, y) for x, y in zip(got, due, strict=True))
    repository, path = rule.source.split(" ")
    assert repository.count("/") == 1 and path.endswith(".py")


def test_names_are_distinct_within_a_kind() -> None:
    """They are the columns of the page."""
    assert all(len({r.name for r in rules}) == len(rules) for rules in ACCEPTANCES.values())


@pytest.mark.parametrize("rule", OPTIMIZERS, ids=lambda rule: str(rule.name))
def test_a_rule_rejects_what_is_far_off(rule: Acceptance) -> None:
    """Parameters of twice the size and one more."""
    kernel, setting = Kernel("adamw"), rule.settings[0]
    if setting.steps > 100:
        setting = Setting(setting.hyper, setting.shape, setting.param, setting.grad, steps=3)
    due = seen(kernel, kernel, setting, 0)
    astray = [{**x, "p": 2 * x["p"] + 1} for x in due]
    assert not all(map(rule.accepts, astray, due))


def test_close_is_allclose_but_for_a_share() -> None:
    """nan agrees with nan alone; a few may be astray where the rule lets them."""
    x = np.linspace(1, 2, 100)
    off = np.where(np.arange(100) < 3, x + 1, x)
    for rule, accepted in (
        (close(1e-3, 0.0), False),
        (close(1e-3, 0.0, share=0.97), True),
        (close(1e-3, 0.0, share=0.98), False),
        (close(1e-3, 0.0, most=3), True),
        (close(1e-3, 0.0, most=2), False),
    ):
        assert rule({"p": off}, {"p": x}) == accepted
    holed = np.where(x > 1.5, np.nan, x)
    assert close(1.0, 1.0)({"p": holed}, {"p": holed})
    assert not close(1.0, 1.0)({"p": x}, {"p": holed})
    assert not close(1.0, 1.0)({"p": x[:50]}, {"p": x})
    assert decibels(x, x) == np.inf and 19 < decibels(x, 1.1 * x) < 21


@pytest.mark.power
def test_the_audit_counts_what_each_rule_lets_through() -> None:
    """A decay that is ignored is let through by rules that set none, and by none that sets one."""
    found = audit.faults("adamw_decay_ignored", 1)
    [outcome] = audit.outcomes(found)
    assert outcome.kind == "optimizer" and outcome.through[audit.OURS] is False
    assert outcome.through["apex: difference <= 1e-3, relative <= 1"] is True
    assert outcome.through["torch: assert_close, 7 steps"] is False
    shown = audit.sheet([outcome], 1)
    [totals] = shown.sections[0].tables
    counts = {name: cells[0].text for name, cells in totals.rows}
    assert (
        counts[audit.OURS] == "0" and "1 planted fault: TrueStep lets 0 through" in shown.headline
    )
    assert counts["apex: difference <= 1e-3, relative <= 1"] == "1"


def test_faults_are_of_every_kind_and_a_sample_is_a_part_of_all() -> None:
    """What other suites' tests could not be run on is left out: codes, gradients of two kinds."""
    every = audit.faults(None, 1)
    some = audit.faults(None, 12)
    assert len(every) > 1000 and set(some) <= set(every)
    assert {kind for kind, _ in some.values()} == set(audit.KINDS)
    stored = [name for name, fault in FAULTS.items() if "storage" in fault.declared]
    assert stored and not set(stored) & set(every)


def test_the_audit_on_the_command_line(truestep: Call) -> None:
    """A page, a document, and a refusal of what matches nothing."""
    status, out, _ = truestep("audit", "--only", "constant_in_float32", "--json", "--out", "o")
    document = json.loads(out[out.index("{") :])
    [fault] = document["faults"]
    assert status == 0 and fault["name"] == "constant_in_float32"
    assert fault["let_through_by"][audit.OURS] is False
    assert "Keras: 1e-6 at one step" in Path("o/audit.md").read_text()
    assert "constant" in Path("o/audit.html").read_text()
    status, _, err = truestep("audit", "--only", "nonsense")
    assert status == 2 and "no planted fault matches 'nonsense'" in err
