"""Automatic mutants: what is made of a rule's lines, and what is killed."""

import ast
from collections import Counter

import pytest

from truestep.properties.museum.mutants import judged, mutants
from truestep.reference.quantizers import FORMATS
from truestep.reference.tables import RULES

pytestmark = pytest.mark.power


def test_every_sort_of_change_is_made_once_for_each_place():
    """Of SGD with momentum: constants, operators, branches, fields, statements."""
    made = list(mutants("optimizer", "heavy_ball"))
    assert len({mutant.edit for mutant in made}) == len(made)
    assert all(ast.parse(mutant.edit[2]) for mutant in made)
    words = Counter(mutant.about.split()[0] for mutant in made)
    assert words["Add"] and words["Mult"] and words["h.lr"]


@pytest.mark.parametrize("kind", RULES)
def test_every_rule_has_mutants(kind):
    """Of a rule without any, nothing would be known: those of formats are in what they share."""
    without = {rule for rule in RULES[kind] if next(mutants(kind, rule), None) is None}
    casts = {name for name, rule in RULES[kind].items() if hasattr(rule, "FORMAT")}
    assert without <= {*casts, *FORMATS}


@pytest.mark.parametrize(
    ("kind", "rule", "seed"),
    [
        ("optimizer", "signsgd", 0), ("schedule", "power", 0), ("schedule", "power", 1),
        ("training", "clip_by_value", 0), ("training", "clip_by_value", 1),
    ],
)  # fmt: skip
def test_the_mutants_of_these_are_killed_with_any_seed(kind, rule, seed):
    """All that a kernel executes: none of them is equivalent."""
    found = [judged(mutant, seed=seed) for mutant in mutants(kind, rule)]
    reached = [outcome for outcome in found if outcome.reached]
    assert len(reached) >= 5
    assert [outcome.mutant.name for outcome in reached if outcome.killed is None] == []


def test_what_no_kernel_executes_is_not_counted_as_killed():
    """The proofs of a schedule are no part of a kernel."""
    outcomes = [judged(mutant) for mutant in mutants("schedule", "constant")]
    assert any(not outcome.reached for outcome in outcomes)
    assert all(outcome.killed is None for outcome in outcomes if not outcome.reached)
