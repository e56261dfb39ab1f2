"""Comparisons that are killed go on, and end with the numbers of one that was not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from click import ClickException

from truestep.fast.ours import bench
from truestep.reports.compare import campaign, certified, subjects, tuning
from truestep.reports.compare.campaign import Plan
from truestep.reports.compare.certified import Certified
from truestep.reports.compare.convex import PROBLEMS, run, trial
from truestep.reports.compare.outcome import Key, Outcome

Call = Callable[..., tuple[int, str, str]]

PLAN = Plan(("adamw", "robbins_monro"), {"huber": 30})
MAKE = """
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from truestep.reports.compare import campaign
plan = campaign.Plan(("adamw", "robbins_monro"), {"huber": 30})
if __name__ == "__main__":
    campaign.make(plan, Path("out"), {}, 2, lambda key, found: print(key.rule, flush=True))
"""


def losses(found: dict[Key, Outcome]) -> dict[Key, float]:
    """What has to be the same; times are not."""
    return {key: outcome.loss for key, outcome in found.items()}


def nothing(key: Key, found: Outcome) -> None:
    """No progress is shown."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[Key, Outcome]:
    """All runs of the plan, without an interruption."""
    found = campaign.make(PLAN, tmp_path_factory.mktemp("whole"), {}, 1, nothing)
    assert len(found) == PLAN.runs
    return found


def test_killed_with_its_processes_it_goes_on(tmp_path: Path, whole: dict[Key, Outcome]) -> None:
    """SIGKILL after the fifth run: its processes end, its journal is whole, the rest is made."""
    (tmp_path / "make.py").write_text(MAKE)
    process = subprocess.Popen(
        [sys.executable, "make.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process:
        for _ in range(5):
            assert process.stdout.readline()
        children = _children(process.pid)
        os.kill(process.pid, signal.SIGKILL)
    found = campaign.at_hand(tmp_path / "out", PLAN)
    assert 5 <= len(found) < PLAN.runs and len(children) >= 2
    again = campaign.make(PLAN, tmp_path / "out", found, 1, nothing)
    assert losses(again) == losses(whole) and len(campaign.journals(tmp_path / "out")) == 1
    assert losses(campaign.at_hand(tmp_path / "out", PLAN)) == losses(whole)
    assert _gone(children)


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def _gone(pids: list[int], patience: float = 60.0) -> bool:
    """Whether all of them end by themselves; a process that nobody waits for is a zombie."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if all(not _runs(pid) for pid in pids):
            return True
        time.sleep(0.1)
    return False


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("kept", [0, 1, 7, 9, 12])
def test_cut_anywhere_it_goes_on(tmp_path: Path, whole: dict[Key, Outcome], kept: int) -> None:
    """After any number of whole lines, and in the middle of one; two journals are as one."""
    campaign.make(PLAN, tmp_path, dict(whole), 1, nothing)
    [path] = campaign.journals(tmp_path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[: kept + 1]) + lines[kept + 1][:-7])
    found = campaign.at_hand(tmp_path, PLAN)
    assert len(found) == kept
    missing = {key: outcome for key, outcome in whole.items() if key not in found}
    made: list[Key] = []
    again = campaign.make(PLAN, tmp_path, found, 1, lambda key, _: made.append(key))
    assert losses(again) == losses(whole) and set(made) == missing.keys()


def test_a_journal_of_another_comparison_is_refused(tmp_path: Path) -> None:
    """Of other rules or steps; where there is none, too."""
    with pytest.raises(ClickException, match="no journal"):
        campaign.at_hand(tmp_path, PLAN)
    campaign.make(Plan(("signsgd",), {"huber": 2}), tmp_path, {}, 1, nothing)
    with pytest.raises(ClickException, match="of other rules"):
        campaign.at_hand(tmp_path, PLAN)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_problem_is_solved_at_its_best_rate_and_left_by_a_wild_one(problem: str) -> None:
    """Of SGD: ten times nearer than the start; the gradients' mean is the gradient."""
    good = min(run(Key(problem, "sgd", half, 0), 200).loss for half in (-4, -2, 0))
    still = run(Key(problem, "sgd", -40, 0), 2).loss
    assert good < still / 8
    assert run(Key(problem, "robbins_monro", 12, 0), 20).loss <= still * 1.0000001
    assert trial(problem).value(trial(problem).optimum) == pytest.approx(
        trial(problem).minimum, abs=1e-12
    )


def test_what_needs_more_than_gradients_is_refused() -> None:
    """With what it needs; all others can be stepped, by our kernels where there are any."""
    assert subjects.refusal("sophia") == "sophia takes more than a gradient: estimate"
    assert "there are" in subjects.refusal("nosuch")
    assert "takes gradients (did you mean 'adamw'" in subjects.refusal("adamww")
    assert {"adamw", "muon", "lion"} <= set(subjects.comparable())
    assert subjects.subject("adamw").by == "cpu" and subjects.subject("ml_lbfgs").by == "reference"
    with pytest.raises(ValueError, match="sophia"):
        subjects.subject("sophia")


def test_all_share_one_decay() -> None:
    """Up in a tenth of the steps, down to nothing; never above 1, and never 0 while it lasts."""
    found = subjects.factors(100)
    assert len(found) == 100 and max(found) == 1.0 and found[9] == found[10] == 1.0
    assert found[:10] == [pytest.approx((t + 1) / 10) for t in range(10)]
    assert 0 < found[-1] < 1e-3 and sorted(found[10:], reverse=True) == found[10:]


def test_the_command_writes_a_page_and_a_document(
    truestep: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its title says what it is no evidence for; a stopped run is not overwritten."""
    monkeypatch.setattr(campaign, "_made", _made_up)
    monkeypatch.setattr(bench, "timed_rules", list)
    told = Certified("pass", "9 checks")
    monkeypatch.setattr(certified, "certified", lambda of, *_: {s.rule: told for s in of})
    arguments = ("compare", "adamw", "lion", "--on", "huber", "--out", "o", "-n", "1")
    status, out, err = truestep(*arguments, "--json")
    assert status == 0, err
    document = json.loads(out)
    assert document["not_evidence"] == "small problems, no evidence for large models"
    assert len(document["runs"]) == 2 * tuning.RUNS
    assert document["rules"]["lion"]["exact"]["bytes_moved"] == 20
    page = Path("o/compare.html").read_text()
    assert "no evidence for large models" in page and page.count("<circle") == 4
    assert sorted(p.name for p in Path("o").iterdir()) == [
        "compare.html", "compare.json", "compare.md",
    ]  # fmt: skip
    campaign.make(Plan(("adamw",), {"huber": 400}), Path("o"), {}, 1, nothing)
    status, _, err = truestep(*arguments)
    assert status == 2 and "--resume goes on" in err
    status, _, err = truestep("compare", "lion", "--on", "huber", "--out", "o", "--resume")
    assert status == 2 and "of other rules, problems, steps or version" in err
    status, out, err = truestep("compare", "adamw", "--on", "huber", "--out", "o", "--resume")
    assert status == 0 and "13 runs, of them 13 at hand; steps: huber 400" in err
    assert Path(out.strip()) == Path("o/compare.html").resolve()
    assert campaign.journals(Path("o")) == []
    assert "no journal" in truestep("compare", "adamw", "--out", "o", "--resume")[2]
    assert truestep("compare", "sophia")[0] == 2
    assert "no problem 'nosuch'" in truestep("compare", "lion", "--on", "nosuch")[2]


def _made_up(plan: Plan, found: dict[Key, Outcome], _: int):  # type: ignore[no-untyped-def]
    """Runs that nobody made: a loss by rule, rate and seed."""
    for rule in plan.rules:
        while keys := tuning.due("huber", rule, found):
            for key in keys:
                loss = len(rule) + abs(key.half + 4) + key.seed / 100
                yield key, Outcome(loss, key.half > 0, 0.1)


def test_a_process_that_dies_ends_the_runs_and_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was made until then is in the journal; the error says how to go on."""
    first = [Key("huber", "adamw", -10, 0), Key("huber", "adamw", -8, 0)]

    def made(plan: Plan, found: dict[Key, Outcome], workers: int):  # type: ignore[no-untyped-def]
        yield from ((key, Outcome(1.0, False, 0.1)) for key in first)
        raise BrokenProcessPool("killed")

    monkeypatch.setattr(campaign, "_made", made)
    with pytest.raises(ClickException, match="--resume goes on"):
        campaign.make(PLAN, tmp_path, {}, 2, nothing)
    assert list(campaign.at_hand(tmp_path, PLAN)) == first
