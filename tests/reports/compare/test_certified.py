"""The column of certificates: what counts as one for a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from truestep.properties.judge.results import CheckResult
from truestep.reports import certificate, judged, judging
from truestep.reports.compare import certified
from truestep.reports.compare.certified import Certified
from truestep.reports.compare.subjects import subject


@pytest.fixture
def results(fakes: Any) -> Callable[..., list[CheckResult]]:
    """Checks of the kernels that train these rules, with these verdicts."""

    def build(**verdicts: str) -> list[CheckResult]:
        return [
            fakes.result(rule, variant=subject(rule).capability.variant, verdict=verdict)
            for rule, verdict in verdicts.items()
        ]

    return build


def test_a_certificate_of_the_same_form_is_found(
    tmp_path: Path, results: Any, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passed and failed; one of another form, and one of another backend, say nothing of a row."""
    found = results(adamw="pass", lion="fail", sgd="not_run")
    found.append(
        replace(found[0], id="optimizer/muon/float32/x/lockstep", rule="muon", variant="x")
    )
    (tmp_path / "cpu.json").write_text(certificate.written(make(found)))
    other = make(results(muon="pass"), spec="torch")
    (tmp_path / "torch.json").write_text(certificate.written(other))
    (tmp_path / "broken.json").write_text("{")
    asked: list[str] = []

    def certify(backend: str, *, only: str, level: str) -> judged.Judged:
        asked.append(only)
        return judged.Judged((), make(results(sgd="pass")), pages_of(make))

    monkeypatch.setattr(judging, "certify", certify)
    monkeypatch.setattr(judged.Judged, "write", lambda *_: None)
    rules = ("adamw", "lion", "sgd", "muon", "ml_lbfgs")
    column = certified.certified([subject(rule) for rule in rules], [tmp_path], tmp_path)
    assert column["adamw"] == Certified("pass", "1 checks of cpu.json, level smoke")
    assert column["lion"].verdict == "fail" and column["ml_lbfgs"].verdict == "reference"
    assert asked == ["optimizer/sgd/float32/*", "optimizer/muon/float32/*"]
    assert column["sgd"].verdict == "pass" and column["muon"].verdict == "not_judged"


def pages_of(make: Any) -> Any:
    """Any page."""
    from truestep.reports import page

    return page.build([make()])


def test_many_rules_are_judged_at_once() -> None:
    """A few by themselves."""
    rules = ["adamw", "adam", "lion", "sgd", "muon"]
    assert certified._selections([subject(rule) for rule in rules]) == ["*"]
    assert certified._selections([subject(rule) for rule in rules[:2]]) == rules[:2]
