"""Certificates of another suite, library or machine have expired."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from truestep.reports.expiry import expired, here

Call = Callable[..., tuple[int, str, str]]
LIBRARIES = {"numpy": "2.0", "torch": "2.13.0"}


def at(*, version: str = "1.0", **environment: Any) -> dict[str, Any]:
    """Suite and environment as a certificate has them."""
    where = {"cpu": "a processor", "gpu": None, "libraries": LIBRARIES, **environment}
    return {"suite": {"version": version, "commit": None}, "environment": where}


@pytest.mark.parametrize(
    ("there", "now", "told"),
    [
        (at(), at(), []),
        (at(version="0.9"), at(), ["truestep 0.9 there, 1.0 here"]),
        (at(), at(libraries={**LIBRARIES, "torch": "2.14.0"}), ["torch 2.13.0 there, 2.14.0 here"]),
        # What is not installed on one of both sides says nothing.
        (at(), at(libraries={"numpy": "2.0", "jax": "0.9"}), []),
        (at(libraries={"numpy": "2.0"}), at(), []),
        (at(cpu="another"), at(), ["cpu another there, a processor here"]),
        (at(gpu="H200"), at(), ["gpu H200 there, none here"]),
        (at(), at(gpu="H200"), []),
    ],
)
def test_what_has_changed_is_told(
    there: dict[str, Any], now: dict[str, Any], told: list[str]
) -> None:
    """With both values."""
    assert expired(there, now) == told


def test_here_is_what_a_fresh_certificate_names(make: Callable[..., dict[str, Any]]) -> None:
    """It has not expired."""
    assert expired(make(), here()) == []


def test_verify_and_report_tell_of_it(truestep: Call, save: Callable[..., Path]) -> None:
    """And verify --current ends with 1."""
    old = save("old.json")
    assert "expired" not in truestep("verify", old)[1]
    assert truestep("verify", old, "--current")[0] == 0


def test_an_old_certificate(
    truestep: Call, save: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of another version of a library: on the page and in verify's line."""
    old = save("old.json")
    now = here()
    newer = {**now["environment"]["libraries"], "numpy": "99.0"}
    changed = {**now, "environment": {**now["environment"], "libraries": newer}}
    monkeypatch.setattr("truestep.reports.expiry.here", lambda: changed)
    status, out, _ = truestep("verify", old)
    assert status == 0 and "expired: numpy " in out and "99.0 here" in out
    assert truestep("verify", old, "--current")[0] == 1
    truestep("report", old, "--out", "r")
    assert "It has expired: numpy" in Path("r/report.md").read_text()
