"""Every finding about a library reproduces on the version in which it was found."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io

import pytest

from truestep.fast.peers.findings import FINDINGS, Finding


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda f: f"{f.library} {f.rule}: {f.title}")
def test_a_finding_reproduces(finding: Finding, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reproducer prints what the finding says, and that is not what it should."""
    # Not imported here: Keras takes its backend from the environment, where a reproducer sets it.
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    try:
        # Of the package, whose module may have another name: torch-optimi's is optimi.
        installed = importlib.metadata.version(finding.library).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{finding.library} is not installed")
    if finding.versions.split()[0] != installed:
        pytest.skip(f"found in {finding.versions}, {installed} is installed")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(finding.reproducer, finding.title, "exec"), {})
    assert printed.getvalue().strip() == finding.actual.strip()
    assert finding.actual.strip() != finding.expected.strip()


def test_findings_are_told_apart() -> None:
    """Library, rule and title name one finding."""
    names = [(f.library, f.rule, f.title, f.check_glob) for f in FINDINGS]
    assert len(set(names)) == len(names)
