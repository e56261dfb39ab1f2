"""The page of claims, its document, and its exit status."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from truestep.properties.claims.claim import Claim, Found
from truestep.reports import claims
from truestep.reports.html import html
from truestep.reports.markdown import markdown

Call = Callable[..., tuple[int, str, str]]


def test_the_page_has_every_claim_with_verdict_statement_and_picture(truestep: Call) -> None:
    """In both forms; the document has the same verdicts."""
    status, out, _ = truestep("claims", "--out", "o")
    assert status == 0 and Path(out.strip()) == Path("o/claims.html").resolve()
    page = Path("o/claims.html").read_text()
    assert page.count('<svg class="plot chart"') == len(claims.CLAIMS)
    assert "17 claims about SGD: 1 right, 7 wrong, 8 imprecise, 1 hardware" in page
    assert "no theorem decides it" in Path("o/claims.md").read_text()
    status, out, _ = truestep("claims", "--json", "--seed", "3")
    found = {entry["name"]: entry for entry in json.loads(out)}
    assert status == 0 and found.keys() == claims.CLAIMS.keys()
    assert found["heavy_ball_rate"]["verdict"] == "wrong"
    assert all(entry["seed"] == 3 and entry["error_probability"] == 0 for entry in found.values())


def test_an_experiment_that_contradicts_itself_fails_the_command(
    truestep: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 1, and the verdict says so."""

    def decide(seed: int) -> Found:
        """Nothing."""
        return Found(False, False, True, {"x": 1.0}, {"series": []})

    monkeypatch.setattr(claims, "CLAIMS", {"odd": Claim("<odd>", "even", "none", decide)})
    status, out, _ = truestep("claims")
    assert status == 1 and "undecided" in out
    shown = claims.sheet(claims.decided(0))
    assert "&lt;odd&gt;" in html(shown) and "undecided" in markdown(shown)
