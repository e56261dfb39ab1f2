"""One rule, explained."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from truestep.reference.declared import Count, Real
from truestep.reference.tables import RULES
from truestep.reports.cli import commands
from truestep.reports.shown import UnknownRule, in_words, shown

ALL = [(kind, name) for kind, rules in RULES.items() for name in rules]


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_every_rule_is_explained(kind: str, name: str) -> None:
    """With its definition, every number and every choice."""
    [found] = [each for each in shown(name) if each.kind == kind]
    rule = RULES[kind][name]
    assert found.definition
    told = {row[0] for table in found.tables for row in table.rows}
    assert told >= set(rule.Hyper.RANGES)
    assert told >= {f"{f}={v}" for f, known in rule.DIALECTS.items() for v in known}


def test_the_terminal_shows_it() -> None:
    """Definition, ranges, choices with the default, laws."""
    done = CliRunner().invoke(commands, ["show", "adamw"])
    assert done.exit_code == 0, done.output
    for words in ("optimizer/adamw", "Sources", "[0, 1)", "decay=before", "law:", "never negative"):
        assert words in done.output


def test_an_unknown_rule_has_neighbours() -> None:
    """A name that is almost one."""
    with pytest.raises(UnknownRule, match=r"no rule is named 'lyon'; close: .*lion"):
        shown("lyon")


def test_ranges_in_words() -> None:
    """As mathematics writes them."""
    assert in_words(Real(0.0)) == "[0, inf)"
    assert in_words(Real(0.0, 1.0, "both")) == "(0, 1)"
    assert in_words(Real(0.0, 1.0)) == "[0, 1]"
    assert in_words(Count(2)) == "an integer >= 2"
