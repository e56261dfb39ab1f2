"""SARIF and GitHub's annotations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from truestep.reports.annotations import MOST, annotations
from truestep.reports.places import Source, place_of
from truestep.reports.sarif import sarif

Call = Callable[..., tuple[int, str, str]]

BACKEND = '''"""An adapter."""

import numpy as np


class Backend:
    """It."""


made = Backend()
'''

# Of the OASIS schema what concerns these documents: what is required, its type, its choices.
TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
RULE = {
    "type": "object",
    "required": ["id"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string"},
        "shortDescription": TEXT,
        "fullDescription": TEXT,
        "help": TEXT,
    },
}
PLACE = {
    "type": "object",
    "required": ["artifactLocation", "region"],
    "properties": {
        "artifactLocation": {"properties": {"uri": {"type": "string", "format": "uri-reference"}}},
        "region": {"properties": {"startLine": {"type": "integer", "minimum": 1}}},
    },
}
RESULT = {
    "type": "object",
    "required": ["message"],
    "additionalProperties": False,
    "properties": {
        "ruleId": {"type": "string"},
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": {"enum": ["none", "note", "warning", "error"]},
        "kind": {"enum": ["notApplicable", "pass", "fail", "review", "open", "informational"]},
        "message": TEXT,
        "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
        "properties": {"type": "object"},
        "locations": {
            "type": "array",
            "items": {"required": ["physicalLocation"], "properties": {"physicalLocation": PLACE}},
        },
        "suppressions": {
            "type": "array",
            "items": {
                "required": ["kind"],
                "properties": {
                    "kind": {"enum": ["inSource", "external"]},
                    "status": {"enum": ["accepted", "underReview", "rejected"]},
                    "justification": {"type": "string"},
                },
            },
        },
    },
}
LOG = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "required": ["tool"],
                "additionalProperties": False,
                "properties": {
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name"],
                                "properties": {"rules": {"type": "array", "items": RULE}},
                            }
                        },
                    },
                    "invocations": {"items": {"required": ["executionSuccessful"]}},
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {"type": "array", "items": RESULT},
                },
            },
        },
    },
}


def of(document: Any, rule: str) -> Any:
    """The check of that rule."""
    (found,) = (check for check in document["checks"] if check["rule"] == rule)
    return found


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A backend in a file of the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "mine.py").write_text(BACKEND)
    return "sub/mine.py:Backend"


def test_sarif_of_what_fails(make: Any, adapter: str) -> None:
    """A result each, with its rule, its place and what is known of it."""
    document = make(spec=adapter)
    of(document, "lion")["extra"] = {"known": "old (known.txt, line 1)"}
    found = sarif([document])
    jsonschema_rs.validator_for(LOG).validate(found)
    (run,) = found["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    results = {r["partialFingerprints"]["truestepCheck/v1"]: r for r in run["results"]}
    assert set(results) == {
        f"{adapter}/optimizer/{rule}/float32/lockstep" for rule in ("lion", "muon")
    }
    for result in results.values():
        assert rules[result["ruleIndex"]] == result["ruleId"] == "optimizer/lockstep"
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "sub/mine.py"
        assert place["region"]["startLine"] == 6
    suppressed = [r for r in results.values() if "suppressions" in r]
    assert len(suppressed) == 1
    assert suppressed[0]["suppressions"][0]["justification"] == "old (known.txt, line 1)"
    about = run["tool"]["driver"]["rules"][0]["fullDescription"]["text"]
    assert about and about != "optimizer/lockstep"


def test_annotations_are_escaped(make: Any, adapter: str) -> None:
    """As GitHub reads workflow commands; known failures are warnings."""
    document = make(spec=adapter)
    of(document, "lion")["message"] = "50% off\n  at 1\n  reproduce:\n    a program"
    of(document, "muon")["extra"] = {"known": "old (known.txt, line 1)"}
    error, warning = annotations([document])
    title = f"title={adapter.replace(':', '%3A')}%3A optimizer"
    place = f"file=sub/mine.py,line=6,{title}"
    assert error == f"::error {place}/lion/float32/lockstep fails::50%25 off%0A  at 1"
    assert warning.startswith(f"::warning {place}/muon/")
    assert warning.endswith("%0Aknown: old (known.txt, line 1)")


def test_ten_annotations_and_a_notice_of_the_others(make: Any, fakes: Any) -> None:
    """GitHub shows no more of a step."""
    results = [fakes.result(f"rule{n}", verdict="fail") for n in range(MOST + 3)]
    *errors, notice = annotations([make(results)])
    assert len(errors) == MOST and all(e.startswith("::error ") for e in errors)
    assert notice == "::notice title=TrueStep::3 more errors are in the report"


@pytest.mark.parametrize(
    ("spec", "line"),
    [("sub/mine.py:made", 10), ("sub/mine.py", 1), ("torch:sub/mine.py:Backend@lion", 6)],
)
def test_places_of_files(adapter: str, spec: str, line: int) -> None:
    """A class, an instance, a whole file, what is wrapped."""
    assert place_of(spec) == Source(Path("sub/mine.py"), line)


def test_places_of_modules_and_names(adapter: str) -> None:
    """Modules are found without being imported; a name of the table has no place of its own."""
    found = place_of("truestep.fast.reference_backend:Backend")
    assert found is not None and found.line > 1 and found.path.name == "reference_backend.py"
    assert (
        place_of("cpu") is place_of("no.such.module:Backend") is place_of("sub/none.py:B") is None
    )


def test_certify_writes_and_prints_them(
    truestep: Call, runner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Annotations beside the answer, by themselves where GitHub runs it; --json stays alone."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    status, out, err = truestep("certify", "cpu", "--json", "--sarif", "o/x.sarif")
    assert (status, "::error" in err) == (1, False)
    json.loads(out)
    jsonschema_rs.validator_for(LOG).validate(json.loads(Path("o/x.sarif").read_text()))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    _, out, err = truestep("certify", "cpu", "--json", "--force")
    assert err.count("::error ") == 2 and json.loads(out)
    assert "::error" not in truestep("certify", "cpu", "--annotate", "no", "--force")[2]
    # Refused before the run, which may take hours.
    status, out, err = truestep("certify", "cpu", "--force", "--sarif", "/dev/null/x")
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "--sarif /dev/null/x: cannot write: " in err
