"""Exported tasks: their checks let the true step pass and no wrong one, and the referee agrees."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from truestep.fast import discovery
from truestep.fast.wrapped.submissions.asked import Asked, asked
from truestep.properties.run import plan
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reports.cli import run_command
from truestep.reports.export import torch_lines

torch = pytest.importorskip("torch", reason="exported tasks are torch programs")
tasks = pytest.importorskip("truestep.reports.export.tasks")

RULES = [asked("adamw", ["decay=before"]), asked("sgd", ["momentum=0.9"]), asked("lamb", [])]
# What is written otherwise: a state handed over whole, names that are taken, annotated functions.
OTHERS = ["schedule_free_sgd", "prodigy", "scion", "stable_spam"]
# A step that is too long by a thousandth.
_LONGER = {"adamw": "lr * update", "lamb": "lr * ", "sgd": "lr * move"}


def _gpumode(folder: Path, wanted: Asked, source: str) -> tuple[bool, str]:
    (folder / "submission.py").write_text(source)
    reference = runpy.run_path(str(folder / "reference.py"))
    custom_kernel = runpy.run_path(str(folder / "submission.py"))["custom_kernel"]
    data = reference["generate_input"](1000, 3, 7)
    copy = {name: x.clone() if torch.is_tensor(x) else x for name, x in data.items()}
    found: tuple[bool, str] = reference["check_implementation"](data, custom_kernel(copy))
    return found


def _kernelbench(folder: Path, wanted: Asked, source: str) -> tuple[bool, str]:
    (folder / "solution.py").write_text(source)
    check = runpy.run_path(str(folder / "check.py"))["check"]
    found: tuple[bool, str] = check(runpy.run_path(str(folder / "solution.py"))["ModelNew"])
    return found


def _flashinfer(folder: Path, wanted: Asked, source: str) -> tuple[bool, str]:
    names: dict[str, Any] = {}
    exec(json.loads(source)["sources"][0]["content"], names)
    found: tuple[bool, str] = runpy.run_path(str(folder / "check.py"))["check"](names["run"], False)
    return found


CHECKS = {
    "flashinfer": (_flashinfer, "solution.json"),
    "gpumode": (_gpumode, "submission.py"),
    "kernelbench": (_kernelbench, "solution.py"),
}


@pytest.mark.parametrize("collection", CHECKS)
@pytest.mark.parametrize("wanted", RULES, ids=lambda wanted: wanted.rule)
def test_the_check_and_the_referee_agree(collection: str, wanted: Asked, tmp_path: Path) -> None:
    """The true solution passes both, one whose step is too long by a thousandth neither."""
    for name, text in tasks.files(wanted, collection).items():
        (tmp_path / name).write_text(text)
    check, name = CHECKS[collection]
    right = (tmp_path / name).read_text()
    wrong = right.replace(_LONGER[wanted.rule], f"1.001 * {_LONGER[wanted.rule]}")
    assert wrong != right
    assert check(tmp_path, wanted, right) == (True, "")
    assert _verdict(tmp_path, wanted) == "pass"
    good, message = check(tmp_path, wanted, wrong)
    assert not good
    assert message.startswith(f"{wanted.rule}: p[")
    (tmp_path / name).write_text(wrong)
    assert _verdict(tmp_path, wanted) == "fail"


@pytest.mark.parametrize("name", OTHERS)
def test_the_true_lines_pass(name: str, tmp_path: Path) -> None:
    """As they stand in the files."""
    wanted = asked(name, [])
    for file, text in tasks.files(wanted, "gpumode").items():
        (tmp_path / file).write_text(text)
    source = (tmp_path / "submission.py").read_text()
    assert _gpumode(tmp_path, wanted, source) == (True, "")


def _verdict(folder: Path, wanted: Asked) -> str:
    spec = f"submission:{folder}@{wanted.text}"
    backend = discovery.load(spec)
    [check] = plan.chosen(spec, plan.checks_of(backend), "*/lockstep")
    return plan.run_check(backend, check, level="smoke", seed=3, told=False).verdict


def test_most_rules_have_lines_in_torch() -> None:
    """They agree with the reference's; the others say why they cannot be written."""
    written: list[str] = []
    refused: dict[str, str] = {}
    for name in OPTIMIZERS:
        try:
            tasks.files(asked(name, []), "gpumode")
        except torch_lines.NotWritable as error:
            refused[name] = str(error)
        else:
            written.append(name)
    assert {"adam", "adamw", "lamb", "lion", "muon", "rmsprop", "sgd"} <= set(written)
    assert len(written) >= 6 * len(refused)
    assert all(refused.values())


def test_every_dialect_of_adamw() -> None:
    """What the dialect decides is decided when the lines are written."""
    rule = OPTIMIZERS["adamw"]
    for decay in rule.DIALECTS["decay"]:
        for form in rule.DIALECTS["bias_correction"]:
            settings = [f"decay={decay}", f"bias_correction={form}"]
            text = tasks.files(asked("adamw", settings), "gpumode")["submission.py"]
            assert "if " not in text.partition("def one_step")[2]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["adamv", "--as", "gpumode"], "no optimizer rule 'adamv' (did you mean 'adam"),
        (["lbfgs", "--as", "gpumode"], "lbfgs is a minimizer: it evaluates the function itself"),
        (["adamw", "--as", "gpumode", "--set", "decay=late"], "decay=late: of adamw it is one of"),
        (["adamw", "--as", "gpumode", "--hyper", "beta1=1.5"], "beta1=1.5: "),
        (["adamw", "--as", "gpumode", "--set", "decay"], "'decay' is no setting"),
        (["soap", "--as", "gpumode"], "soap cannot be written as a task: "),
    ],
)
def test_what_cannot_be_exported(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that shows the value, and status 2."""
    assert run_command(["export", *arguments, "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_inputs_are_reproducible(tmp_path: Path) -> None:
    """The same seed draws the same tensors, another one others."""
    for name, text in tasks.files(RULES[0], "gpumode").items():
        (tmp_path / name).write_text(text)
    generate = runpy.run_path(str(tmp_path / "reference.py"))["generate_input"]
    one, same, other = (generate(100, 3, seed)["g"].numpy() for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
