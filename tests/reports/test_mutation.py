"""The automatic mutants on the command line."""

from __future__ import annotations

from click.testing import CliRunner

from truestep.reports.cli import commands


def test_every_mutant_of_a_rule_is_counted() -> None:
    """In processes of their own; a rule without survivors ends with status 0."""
    done = CliRunner().invoke(commands, ["mutants", "--only", "schedule/power", "--every", "20"])
    assert done.exit_code == 0, done.output
    assert "share killed" in done.output and "100.0%" in done.output


def test_a_rule_that_is_none_is_told() -> None:
    """With one that is."""
    done = CliRunner().invoke(commands, ["mutants", "--only", "schedule/none"])
    assert done.exit_code != 0 and "no rule matches 'schedule/none'" in done.output
