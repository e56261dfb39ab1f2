"""Documents that contradict themselves, each signed anew: the SHA-256 alone would accept them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from truestep.reports import certificate, trust
from truestep.reports.certificate import BadCertificate

Change = Callable[[dict[str, Any]], object]


def _set(*place: Any, to: Any) -> Change:
    """Sets one member of a document."""

    def change(document: dict[str, Any]) -> None:
        at: Any = document
        for name in place[:-1]:
            at = at[name]
        at[place[-1]] = to

    return change


# Of the invented certificate: what is changed, and how the refusal goes on after the file's name.
# Its checks: 0 a law passes, 1 adamw passes, 2 lamb not run, 3 lion fails, 4 muon crashed, 5 sgd.
FORGED: dict[str, tuple[Change, str]] = {
    "verdict": (_set("verdict", to="pass"), "verdict is 'pass', its checks give 'fail'"),
    "count": (_set("summary", "fail", to=0), "summary.fail is 0, its checks give 1"),
    "examples": (_set("summary", "examples", to=7), "summary.examples is 7, its checks give 600"),
    "used": (_set("summary", "utilisation", to=0.5), "summary.utilisation is 0.5, its checks"),
    "fail as pass": (
        _set("checks", 3, "verdict", to="pass"),
        "checks[3] (optimizer/lion/float32/lockstep): passes with utilisation 31250, the limit is",
    ),
    "utilisation": (
        _set("checks", 3, "utilisation", to=1.5),
        "checks[3] (optimizer/lion/float32/lockstep): histogram ends in bin 10, utilisation is 1.5",
    ),
    "nan": (_set("checks", 1, "utilisation", to="nan"), "checks[1]"),
    "negative": (_set("checks", 1, "utilisation", to=-1.0), "utilisation is -1"),
    "histogram": (_set("checks", 1, "histogram", 10, to=1), "histogram ends in bin 10"),
    "bins": (_set("checks", 1, "histogram", to=[1, 2]), "histogram has 2 counts, not 11"),
    "nothing judged": (_set("checks", 0, "judged_fraction", to=0), "passes with nothing judged"),
    "no examples": (_set("checks", 0, "examples", to=0), "judged without an example"),
    "not run": (_set("checks", 2, "examples", to=3), "not run with 3 examples"),
    "not judged": (_set("checks", 5, "judged_fraction", to=0.5), "not judged with a fraction"),
    "repeated id": (
        lambda d: d["checks"].insert(2, d["checks"][1]),
        "checks[2] (optimizer/adamw/float32/lockstep): has the id of checks[1]",
    ),
    "other id": (_set("checks", 1, "rule", to="adam"), "is a check of optimizer/adam/float32"),
    "worst utilisation": (
        lambda d: d["checks"][1]["worst"].update(utilisation=0.5),
        "worst.utilisation is 0.5, the check's is 0.62",
    ),
    "worst error": (
        lambda d: d["checks"][1]["worst"].update(utilisation=0.62, got="0x1p-3"),
        "worst.error is",
    ),
    "worst ratio": (
        lambda d: d["checks"][1]["worst"].update(
            utilisation=0.62, got="0x1p-2", oracle="0.125", error=0.125
        ),
        "error over bound is",
    ),
    "finding": (
        lambda d: d["findings"].append(_finding("optimizer/adamw/float32/lockstep")),
        "findings[0]: explains optimizer/adamw/float32/lockstep, which is 'pass'",
    ),
    "finding of nothing": (
        lambda d: d["findings"].append(_finding("a/b")),
        "findings[0]: explains a/b, which is not there",
    ),
    "unavailable": (
        _set("backend", "unavailable", to="no GPU"),
        "backend.unavailable: 6 checks of a backend that could not run",
    ),
}


def _finding(id: str) -> dict[str, Any]:
    names = ("library", "versions", "rule", "title", "contradicts", "reproducer", "expected")
    return {**dict.fromkeys((*names, "actual"), ""), "checks": [id]}


@pytest.mark.parametrize("name", FORGED)
def test_a_contradiction_is_refused_with_its_place(
    tmp_path: Path, make: Callable[..., Any], name: str
) -> None:
    """In one line, though the SHA-256 is right."""
    change, told = FORGED[name]
    document = json.loads(certificate.dumps(make()))
    change(document)
    path = tmp_path / "x.json"
    path.write_text(certificate.dumps({**document, "sha256": certificate.checksum(document)}))
    with pytest.raises(BadCertificate) as caught:
        certificate.read(path)
    assert str(caught.value).startswith(f"{path}: contradicts itself: ")
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_what_runs_write_does_not_contradict_itself(
    tmp_path: Path, make: Callable[..., Any], fakes: Any
) -> None:
    """Small and large invented runs, with every verdict, are read back."""
    for number, results in enumerate((fakes.small(), list(fakes.large(0, faults=True)), [])):
        path = tmp_path / f"{number}.json"
        path.write_text(certificate.dumps(make(results)))
        assert certificate.read(path) == json.loads(path.read_text())


def test_zeros_of_both_signs_may_differ() -> None:
    """Where values are due bit for bit, 0 in the place of -0 has error 0 and counts in full."""
    worst = {"got": "0x0.0p+0", "oracle": "-0x0.0p+0", "error": 0.0, "bound": 0.0}
    for used, contradicts in ((math.inf, False), (0.0, False), (0.5, True)):
        check: Any = SimpleNamespace(worst={**worst, "utilisation": used}, utilisation=used)
        assert bool(list(trust._of_worst(check))) is contradicts
    same: Any = SimpleNamespace(
        worst={**worst, "oracle": "0x0.0p+0", "utilisation": math.inf}, utilisation=math.inf
    )
    assert list(trust._of_worst(same))


def test_a_law_that_is_silent_of_a_tensor_may_have_judged_others(fakes: Any) -> None:
    """It is not judged, and what it said of the others stands in the certificate."""
    law = next(check for check in fakes.small() if check.contract == "law")
    assert not list(trust._of_check(replace(law, verdict="not_judged")))
    other = next(check for check in fakes.small() if check.contract != "law" and check.utilisation)
    assert list(trust._of_check(replace(other, verdict="not_judged")))
