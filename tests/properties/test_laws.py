"""The table of laws: complete, true of the references, and wrong where it says that a law fails."""

from __future__ import annotations

import pytest

from truestep.fast.protocol import Capability
from truestep.properties.contracts import SLACK
from truestep.properties.laws.checks import counterexample, names
from truestep.properties.laws.claims import Bench
from truestep.properties.laws.laws import DEGREES, LAWS
from truestep.properties.laws.table import TABLE, Fails, Holds, Void
from truestep.properties.optimizer_checks import run
from truestep.properties.reference_backend import Backend

REFERENCE = Backend()
FAILING = [
    (rule, law) for rule in TABLE for law, entry in TABLE[rule].items() if isinstance(entry, Fails)
]


def capability(rule: str, **dialect: str) -> Capability:
    """The reference of a rule in a dialect."""
    return Capability(
        "optimizer", rule, format="float64", arithmetic="ieee_float64", dialect=dialect
    )


@pytest.mark.parametrize("rule", TABLE)
def test_every_law_has_an_entry_for_every_rule_of_the_table(rule: str) -> None:
    """A law that is not listed is a law that nobody thought about."""
    assert set(TABLE[rule]) == set(LAWS)
    assert rule in DEGREES


@pytest.mark.parametrize("rule", TABLE)
def test_laws_that_hold_hold_for_the_reference(rule: str) -> None:
    """No claim of a listed law leaves the reference's own bounds."""
    subject = capability(rule)
    for name in names(subject):
        result = run(REFERENCE, subject, name, level="standard", seed=1, started=lambda _: None)
        assert result.verdict == "pass", result.message


@pytest.mark.parametrize(("rule", "law"), FAILING)
def test_stored_counterexamples_break_their_law(rule: str, law: str) -> None:
    """What is said not to hold is shown not to hold, every time."""
    entry = TABLE[rule][law]
    assert isinstance(entry, Fails)
    judged = counterexample(Bench(REFERENCE, capability(rule)), law, entry)
    assert max(item.judgement.utilisation or 0.0 for item in judged) > SLACK


def test_dialects_restrict_laws() -> None:
    """A coupled decay enters the state; a decoupled one does not."""
    assert "law:state_independent_of_params" not in names(capability("adam"))
    assert "law:state_independent_of_params" in names(capability("adam", decay="before"))


def test_entries_are_of_the_three_kinds() -> None:
    """Holds, fails with a reason, or says nothing with a reason."""
    for entries in TABLE.values():
        for entry in entries.values():
            assert isinstance(entry, Holds) or entry.why
            assert isinstance(entry, Holds | Fails | Void)
