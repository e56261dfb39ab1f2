"""Fakes of optimizer tasks are rejected by the referee, true kernels accepted."""

from __future__ import annotations

import importlib.util
import inspect
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from truestep.fast import discovery
from truestep.fast.discovery import BrokenBackend
from truestep.fast.wrapped.submissions.asked import Asked, asked
from truestep.properties.judge.results import CheckResult
from truestep.properties.run import plan, rounds
from truestep.properties.run.referee import refereed
from truestep.properties.run.rounds import FAILING
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reports.cli import run_command
from truestep.reports.export.torch_lines import written

pytest.importorskip("torch", reason="submissions are torch programs")
tasks = pytest.importorskip("truestep.reports.export.tasks")


def _loaded() -> ModuleType:
    place = importlib.util.spec_from_file_location("fakes", Path(__file__).with_name("fakes.py"))
    assert place is not None and place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


_FAKES = _loaded()
FAKES = (
    "constant_step", "state_ignored", "outputs_aliased", "outputs_cached", "nan_everywhere",
    "clock_and_comparison_replaced", "oracle_read", "no_op_in_place",
)  # fmt: skip
# Those that must not run in this process.
TAMPERING = ("clock_and_comparison_replaced", "oracle_read")
ADAMW, LION = asked("adamw", ["decay=before"]), asked("lion", [])
SOLUTIONS = {
    "flashinfer": "solution.json",
    "gpumode": "submission.py",
    "kernelbench": "solution.py",
}
_CALLED = {
    "flashinfer": "def run({arguments}):\n    return {fake}({arguments})\n",
    "gpumode": (
        "def custom_kernel(data):\n    p, *state = {fake}(**data)\n"
        "    return {{'p': p, **dict(zip({state}, state))}}\n"
    ),
    "kernelbench": (
        "class ModelNew(torch.nn.Module):\n    def __init__(self, {numbers}):\n"
        "        super().__init__()\n        self.numbers = [{numbers}]\n\n"
        "    def forward(self, {given}):\n        return {fake}({given}, *self.numbers)\n"
    ),
}


def _task(folder: Path, collection: str, wanted: Asked, fake: str = "") -> str:
    """An exported task, with a fake in the place of its solution; what names it as a backend."""
    for name, text in tasks.files(wanted, collection).items():
        (folder / name).write_text(text)
    if fake:
        rule = OPTIMIZERS[wanted.rule]
        lines = written(rule, rule.Hyper(**wanted.dialect))
        called = _CALLED[collection].format(
            arguments=", ".join(lines.arguments),
            given=", ".join(x for x in lines.arguments if x not in lines.numbers),
            numbers=", ".join(lines.numbers),
            state=list(lines.state),
            fake=fake,
        )
        source = inspect.getsource(getattr(_FAKES, fake))
        whole = f"from typing import Any\n\n{lines.source}\n\n{source}\n\n{called}"
        place = folder / SOLUTIONS[collection]
        if collection == "flashinfer":
            solution = json.loads(place.read_text())
            solution["sources"][0]["content"] = whole
            whole = json.dumps(solution)
        place.write_text(whole)
    return f"submission:{folder}@{wanted.text}"


def _failing(results: Sequence[CheckResult]) -> list[CheckResult]:
    return [result for result in results if result.verdict in FAILING]


def _here(spec: str, only: str) -> list[CheckResult]:
    """Judged in this process, once."""
    backend = discovery.load(spec)
    checks = plan.chosen(spec, plan.checks_of(backend), only)
    return [plan.run_check(backend, c, level="smoke", seed=5, told=False) for c in checks]


@pytest.mark.parametrize("fake", [name for name in FAKES if name not in TAMPERING])
@pytest.mark.parametrize("collection", ["flashinfer", "gpumode"])
def test_fakes_fail(collection: str, fake: str, tmp_path: Path) -> None:
    """In each form of a task, by the numbers alone."""
    assert _failing(_here(_task(tmp_path, collection, ADAMW, fake), "*/lockstep"))


@pytest.mark.power
@pytest.mark.parametrize("collection", SOLUTIONS)
@pytest.mark.parametrize("wanted", [ADAMW, LION], ids=lambda wanted: wanted.rule)
def test_true_kernels_pass(collection: str, wanted: Asked, tmp_path: Path) -> None:
    """The task's own solution, in each form."""
    results = _here(_task(tmp_path, collection, wanted), "*/float32/[a-s]*")
    assert results
    assert not _failing(results)


@pytest.mark.power
@pytest.mark.parametrize("fake", FAKES)
def test_fakes_are_rejected(fake: str, tmp_path: Path) -> None:
    """By the referee, whatever they do to their own process."""
    spec = _task(tmp_path, "kernelbench", ADAMW, fake)
    found = refereed(spec, ADAMW, only="*/lockstep", level="smoke", seeds=(5, 6))
    assert _failing(found.run.results)
    assert found.copies is None


@pytest.mark.power
@pytest.mark.parametrize("fake", TAMPERING)
def test_tampering_is_rejected_in_another_form(fake: str, tmp_path: Path) -> None:
    """What a submission patches or reads in its own process touches no verdict."""
    spec = _task(tmp_path, "gpumode", ADAMW, fake)
    assert _failing(refereed(spec, ADAMW, only="*/lockstep", level="smoke").run.results)


@pytest.mark.power
@pytest.mark.parametrize(
    ("fake", "told"),
    [
        ("right_until_timed", "right before it was timed, wrong afterwards"),
        ("wrong_while_timed", "right before it was timed, wrong while it was"),
    ],
)
def test_behaving_while_watched(fake: str, told: str, tmp_path: Path) -> None:
    """What is right at first is judged while it is timed, and afterwards in the same process."""
    spec = _task(tmp_path, "gpumode", ADAMW, fake)
    found = refereed(spec, ADAMW, only="*/lockstep", level="smoke", seeds=(5, 6))
    [result] = _failing(found.run.results)
    assert result.message.startswith(told)


@pytest.mark.power
@pytest.mark.parametrize(
    ("collection", "wanted"),
    [("kernelbench", ADAMW), ("gpumode", LION), ("flashinfer", ADAMW)],
    ids=["kernelbench", "gpumode", "flashinfer"],
)
def test_true_kernels_are_accepted(collection: str, wanted: Asked, tmp_path: Path) -> None:
    """In both rounds, with a time that is told."""
    spec = _task(tmp_path, collection, wanted)
    found = refereed(spec, wanted, only="*/float32/[a-s]*", level="smoke", seeds=(5, 6))
    assert not _failing(found.run.results)
    assert found.copies is not None and found.copies > 0
    assert {result.verdict for result in found.run.results} <= {"pass", "not_run"}
    assert any("timed_copies" in result.extra for result in found.run.results)


def test_what_is_judged_is_the_judge_s(tmp_path: Path) -> None:
    """A process that offers a narrower or a looser thing than was asked for is refused."""

    class Remote:
        def __init__(self, **changes: Any) -> None:
            offered = ADAMW.capability(OPTIMIZERS["adamw"].Hyper.RANGES.keys() - {"maximize"})
            self.offered = replace(offered, **changes)

        def capabilities(self) -> list[Any]:
            return [self.offered]

    def required(**changes: Any) -> Any:
        return rounds._required("fake", Remote(**changes), ADAMW.text)  # type: ignore[arg-type]

    assert required().rule == "adamw"
    changed = [
        {"arithmetic": "bfloat16_params"}, {"dialect": {}}, {"rule": "adam"}, {"level": "deep"},
        {"fixed": {"maximize": False, "lr": 0.5}}, {"departures": ("decay",)},
    ]  # fmt: skip
    for changes in changed:
        with pytest.raises(BrokenBackend, match="its process offers"):
            required(**changes)


# Before its own lines: what the process offers becomes something looser.
_LOOSENED = """
import dataclasses

from truestep.fast.wrapped.submissions.asked import Asked

true = Asked.capability
Asked.capability = lambda *given: dataclasses.replace(true(*given), arithmetic="bfloat16_params")
"""


@pytest.mark.power
def test_a_looser_offer_is_refused(tmp_path: Path) -> None:
    """What a submission makes its process declare is not what is judged."""
    spec = _task(tmp_path, "gpumode", ADAMW)
    place = tmp_path / "submission.py"
    place.write_text(_LOOSENED + place.read_text())
    with pytest.raises(BrokenBackend, match="its process offers arithmetic 'bfloat16_params'"):
        refereed(spec, ADAMW, only="*/lockstep", level="smoke")


@pytest.mark.power
def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A verdict, a time, a certificate, and the status; what failed is run again from it."""
    (tmp_path / "task").mkdir()
    _task(tmp_path / "task", "gpumode", ADAMW, "state_ignored")
    words = ["--only", "lockstep", "--level", "smoke", "--seed", "5", "--out", str(tmp_path)]
    asked_for = ["referee", str(tmp_path / "task"), "--as", "adamw", "--set", "decay=before"]
    assert run_command([*asked_for, *words]) == 1
    out = capsys.readouterr().out
    assert "task does not compute adamw as defined" in out
    assert "A step was not timed, since checks fail before." in out
    [written] = tmp_path.glob("*.json")
    spec = json.loads(written.read_text())["backend"]["spec"]
    assert spec == f"submission:{tmp_path / 'task'}@{ADAMW.text}"
    assert run_command(["reproduce", str(written), "--backend", spec]) == 1
