"""Equal budgets: which runs are made, and that nothing which tuned is judged."""

from __future__ import annotations

from truestep.reports.compare import tuning
from truestep.reports.compare.learned import learned
from truestep.reports.compare.outcome import Key, Outcome, of_json, outcome, to_json


def made(rule: str, loss_of: dict[int, float]) -> tuple[list[list[Key]], dict[Key, Outcome]]:
    """The runs of a rule in the rounds in which they become due, with losses by half decade."""
    rounds: list[list[Key]] = []
    found: dict[Key, Outcome] = {}
    while keys := tuning.due("p", rule, found):
        rounds.append(keys)
        found |= {k: outcome(loss_of.get(k.half, 5.0) + k.seed / 100, 9.0, 0.1) for k in keys}
    return rounds, found


def test_every_rule_has_the_same_number_of_runs() -> None:
    """Seven rates, two beside the best, four fresh seeds at the best of all; whatever is found."""
    for loss_of in ({-4: 1.0}, {-10: 1.0}, {2: 1.0}, {}, {-4: 1.0, -5: 0.5}):
        rounds, found = made("a", loss_of)
        assert [len(keys) for keys in rounds] == [7, 2, 4] and len(found) == tuning.RUNS
        assert {key.seed for key in rounds[-1]} == set(tuning.FRESH_SEEDS)
    assert {key.half for key in rounds[-1]} == {-5} and {key.half for key in rounds[1]} == {-5, -3}


def test_what_tuned_is_not_judged() -> None:
    """Seeds of tuning and of judging have nothing in common; the loss is the fresh seeds' mean."""
    assert tuning.TUNING_SEED not in tuning.FRESH_SEEDS
    _, found = made("a", {-4: 1.0})
    [shown] = learned("p", ["a"], found).values()
    assert abs(shown.place.mean - 1.025) < 1e-12 and shown.rate == 1e-2 and not shown.at_edge


def test_a_best_rate_at_the_edge_is_told() -> None:
    """Where the next rate was not tried, the rule may do better."""
    _, found = made("a", {2: 2.0, 3: 1.0})
    assert learned("p", ["a"], found)["a"].at_edge


def test_a_run_that_ends_above_its_start_diverged() -> None:
    """So did one that is no number; both count as the start, and as a share of the grid."""
    assert outcome(float("nan"), 2.0, 0.1) == Outcome(2.0, True, 0.1)
    assert outcome(3.0, 2.0, 0.1).loss == 2.0 and not outcome(2.0, 2.0, 0.1).diverged
    found = {
        Key("p", "a", half, 0): outcome(9.9 if half >= 0 else 1.0, 5.0, 0.1)
        for half in range(-11, 4)
    }
    found |= {Key("p", "a", -11, seed): outcome(1.0, 5.0, 0.1) for seed in tuning.FRESH_SEEDS}
    shown = learned("p", ["a"], found)["a"]
    assert shown.diverged == 2 / 7 and shown.by_rate[0] is None


def test_the_target_is_reached_between_two_points() -> None:
    """By a straight line, to the median rule's loss; the last rule never gets there."""
    found: dict[Key, Outcome] = {}
    for rule, end in (("a", 1.0), ("b", 2.0), ("c", 3.0)):
        curve = [(0, 5.0), (100, end + 1), (200, end)]
        for half in range(-11, 4):
            found[Key("p", rule, half, 0)] = outcome(end + abs(half + 4), 9.0, 0.1, curve)
        for seed in tuning.FRESH_SEEDS:
            found[Key("p", rule, -4, seed)] = outcome(end, 9.0, 0.1, curve)
    shown = learned("p", ["a", "b", "c"], found)
    assert [shown[rule].to_target for rule in "abc"] == [100.0, 200.0, None]


def test_a_line_of_the_journal_gives_the_run_back() -> None:
    """Every field, bit for bit."""
    key, found = Key("p", "a", -5, 3), Outcome(0.1, False, 0.25, ((0, 1.5), (10, 0.1)))
    assert of_json(to_json(key, found)) == (key, found)
