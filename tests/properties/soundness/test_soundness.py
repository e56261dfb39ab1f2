from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from truestep.properties.arithmetic.bounded import Bounded, operations
from truestep.properties.arithmetic.bounded import bounded as dispatch
from truestep.properties.arithmetic.lift import bounded, simulated, stepped
from truestep.properties.arithmetic.profiles import ORACLE, PROFILES
from truestep.properties.arithmetic.world import World
from truestep.properties.judge.contracts import judge
from truestep.properties.judge.results import SLACK
from truestep.properties.soundness import bounded as searching
from truestep.properties.soundness import sampled as sampled_soundness
from truestep.properties.soundness.bounded import (
    ELSEWHERE,
    RULES,
    choices,
    drawn_hyper,
    drawn_slot,
    soundness,
)
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS

pytestmark = pytest.mark.power

ARITHMETICS = ("bfloat16", "cuda_fast_math", "float16", "float32_hyper", "ieee_float32")
# Simulated steps per rule and arithmetic; the thorough search is `make deep`.
EXAMPLES = int(os.environ.get("TRUESTEP_SOUNDNESS_EXAMPLES", "24"))


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("rule", RULES)
def test_no_faithful_evaluation_leaves_its_contract(rule: str, arithmetic: str) -> None:
    """Random associations, fused or not, at every scale, in every dialect: within the slack."""
    record = soundness(rule, arithmetic, EXAMPLES, seed=20)
    assert record.sound, record.worst
    assert record.examples >= EXAMPLES
    assert record.judged_fraction > 0.25


def test_every_rule_is_searched_or_judged_elsewhere() -> None:
    """A rule that is left out names what judges it instead."""
    assert sorted((*RULES, *sampled_soundness.RULES, *ELSEWHERE)) == sorted(OPTIMIZERS)
    for name in ELSEWHERE:
        with pytest.raises(TypeError):
            soundness(name, "ieee_float32", 60)


@pytest.mark.parametrize("rule", RULES)
def test_every_dialect_value_takes_its_turn(rule: str) -> None:
    """The draws of two rounds show every value of every dialect."""
    module = OPTIMIZERS[rule]
    turns = len(choices(module))
    drawn = [drawn_hyper(module, np.random.default_rng(i), i) for i in range(2 * turns)]
    for field, values in module.DIALECTS.items():
        assert {getattr(h, field) for h in drawn} == set(values)


def test_a_missing_rounding_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search has power: a model that forgets the rounding of sums is shown to be unsound."""
    rounded = operations.add

    def unrounded(a: Bounded, b: Bounded) -> Bounded:
        result = rounded(a, b)
        result.e = np.broadcast_to(a.e + b.e, result.shape)
        return result

    monkeypatch.setitem(dispatch.OPERATIONS, np.add, unrounded)
    assert not soundness("adamw", "ieee_float32", 60, seed=1).sound


def test_a_wrong_kernel_is_found_by_the_same_comparator() -> None:
    """A simulated kernel with eps misplaced leaves the contract that its faithful orders keep."""
    rule = OPTIMIZERS["adamw"]
    arithmetic = PROFILES["ieee_float32"]
    worst = 0.0
    for case in range(12):
        rng = np.random.default_rng(case)
        slot = drawn_slot(rule, rule.Hyper(), arithmetic, rng)
        hyper = rule.Hyper(eps=1e-3)
        bounds = [stepped(rule, hyper, slot, bounded(a))["p"] for a in (arithmetic, ORACLE)]
        misplaced = rule.Hyper(eps=1e-3, eps_placement="inside")
        got = stepped(rule, misplaced, slot, simulated(World(arithmetic, rng)))["p"]
        worst = max(worst, judge(got, *bounds).utilisation or 0.0)  # type: ignore[arg-type]
    assert worst > SLACK


def test_a_case_is_reproduced_from_its_seed() -> None:
    """The worst case's seed and number give the same judgement again."""
    first = soundness("adam", "bfloat16", 30, seed=3)
    assert soundness("adam", "bfloat16", 30, seed=3).worst == first.worst
    found = searching.case_judgements(
        OPTIMIZERS["adam"], PROFILES["bfloat16"], first.worst["seed"], first.worst["case"]
    )
    assert max(j.utilisation or 0.0 for j, _ in found) == first.utilisation


def test_an_impossible_dialect_is_not_skipped_silently() -> None:
    """Where a rule refuses every draw, its own error is raised."""

    class Refused(Hyper):
        def __post_init__(self) -> None:
            raise ValueError("no such Hyper")

    rule = SimpleNamespace(Hyper=Refused, DIALECTS={})
    with pytest.raises(ValueError, match="no such Hyper"):
        drawn_hyper(rule, np.random.default_rng(0), 0)  # type: ignore[arg-type]


def test_the_command_prints_one_json_line_per_combination() -> None:
    """The command: JSON on standard output, progress on the other."""
    command = [sys.executable, "-m", "truestep.properties.soundness", "--rule", "sgd"]
    done = subprocess.run(
        [*command, "--format", "bfloat16", "--examples", "12"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (record,) = map(json.loads, done.stdout.splitlines())
    assert record["rule"] == "sgd"
    assert record["examples"] >= 12
    assert "sgd bfloat16" in done.stderr
