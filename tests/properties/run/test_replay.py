from __future__ import annotations

import json
import re

import pytest

from truestep.fast.discovery import load
from truestep.properties.cases.restored import restored
from truestep.properties.judge.records import named
from truestep.properties.judge.results import SLACK, CheckResult
from truestep.properties.kinds.optimizer.cases import OptimizerCase
from truestep.properties.run import replay
from truestep.properties.run.plan import checks_of, run_check
from truestep.properties.search import exploration

BACKEND = "truestep.properties.museum.backends:adamw_eps_inside_root"
CHECK = "optimizer/adamw/float32/update_alone"


def _failing(backend: str, check: str) -> CheckResult:
    loaded = load(backend)
    (found,) = [c for c in checks_of(loaded) if c.id == check]
    return named(run_check(loaded, found, level="standard", seed=0), backend)


@pytest.fixture(autouse=True)
def _little_shrinking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exploration, "SIMPLER", 10)


def test_the_message_of_a_failure_suffices(capsys: pytest.CaptureFixture[str]) -> None:
    """It names tensor, index, numbers in hex and inputs; its snippet fails again."""
    result = _failing(BACKEND, CHECK)
    assert result.verdict == "fail"
    assert result.worst is not None
    for needed in (
        "adamw (float32): p[",
        f"got {result.worst['got']}  oracle {result.worst['oracle']}",
        "utilisation",
        "step 0, group 0, slot ",
        "inputs at this element: p=",
        "hyperparameters: {",
        "declared: weight decay, multiplied by lr, before the step",
        "this kernel computes: adamw with eps added inside the root",
    ):
        assert needed in result.message
    snippet = result.message.split("reproduce:\n")[1]
    code = "\n".join(line.strip() for line in snippet.splitlines())
    exec(compile(code, "snippet", "exec"), {})
    printed = capsys.readouterr().out
    again = result.message.splitlines()[:2]
    assert printed.splitlines()[:2] == again


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("adam_gradient_decayed_in_place", "optimizer/adam/float32/lockstep"),
        ("adamw_eps_divided_by_lr", "optimizer/adamw/float32/law:params_unchanged_when_lr_is_zero"),
        ("adamw_eps_inside_root", CHECK),
        ("sgd_lr_in_buffer", "optimizer/sgd/float32/lockstep"),
    ],
)
def test_a_record_fails_again(name: str, check: str) -> None:
    """The recorded worst case, through JSON and back, fails with the same numbers."""
    backend = f"truestep.properties.museum.backends:{name}"
    result = _failing(backend, check)
    entry = json.loads(json.dumps(result.to_json()))
    again = replay.replay(load(backend), entry)
    assert again.verdict == result.verdict == "fail"
    assert again.message.splitlines()[0] == result.message.splitlines()[0]
    if result.utilisation is not None and result.utilisation > SLACK:
        assert again.utilisation == result.utilisation
    assert again.to_json()["worst"] == entry["worst"]


def test_the_record_of_a_pass_passes_again() -> None:
    """The worst case of a passing check is recorded too, and has the recorded utilisation."""
    backend = "truestep.properties.museum.backends:adamw"
    result = _failing(backend, CHECK)
    assert result.verdict == "pass"
    assert result.worst is not None
    again = replay.case(backend, CHECK, json.dumps(result.worst["case"]))
    assert (again.verdict, again.utilisation) == ("pass", result.utilisation)


def test_cases_survive_json_exactly() -> None:
    """restored reads back what to_json wrote, also after a round trip through text."""
    result = _failing(BACKEND, CHECK)
    assert result.worst is not None
    record = json.loads(json.dumps(result.worst["case"]))
    case = restored(OptimizerCase, record)
    assert restored(OptimizerCase, json.loads(json.dumps(case.to_json()))) == case


def test_a_record_of_another_backend_is_refused() -> None:
    """A check that the backend lacks, or a record without a case, is an error that says so."""
    with pytest.raises(ValueError, match=re.escape("has no check 'optimizer/lion/float32/x'")):
        replay.case(BACKEND, "optimizer/lion/float32/x", "{}")
    with pytest.raises(ValueError, match="has no recorded case"):
        replay.replay(load(BACKEND), {"id": CHECK, "worst": None})
