"""The conformance suite as a user runs it: several backends, an ini file, lists, JUnit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

BACKENDS = """
import numpy as np
from truestep.fast.protocol import ScheduleCapability


class Right:
    name, factor = "right", 1.0

    def capabilities(self):
        return [ScheduleCapability(rule="constant", format="float64", arithmetic="ieee_float64")]

    def schedule_values(self, capability, hyper, steps):
        return np.full(len(steps), self.factor * hyper.lr)


class Wrong(Right):
    name, factor = "wrong", 1.5
"""
INI = """
[pytest]
truestep_backend = b.py:Right b.py:Wrong
truestep_level = deep
truestep_xfails = known.txt
truestep_skips = slow.txt
"""


def ran(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The suite, run in a folder with warnings as errors."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "-rA"]
    return subprocess.run(
        [*command, "--rootdir", ".", "-c", "pytest.ini", *arguments, "--pyargs",
         "truestep.properties"],
        cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two backends, of which one is off, and an ini file."""
    (tmp_path / "b.py").write_text(BACKENDS)
    (tmp_path / "pytest.ini").write_text(INI)
    known = ("# of the kernel that is off", "wrong/*/values  # half too large",
             "right/*/past_the_end  # stale")  # fmt: skip
    (tmp_path / "known.txt").write_text("\n".join(known))
    (tmp_path / "slow.txt").write_text("*/strata  # takes long here\n")
    return tmp_path


def test_a_run_of_two_backends(folder: Path) -> None:
    """Ids name the backend; lists, limits and JUnit; each option from another place."""
    done = ran(
        folder, "--truestep-only", "schedule/*/float64/[psv]*", "--truestep-record", "r.jsonl",
        "--junitxml", "junit.xml", "--truestep-max-examples", "3", TRUESTEP_LEVEL="smoke",
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    test = "test_conforms[{}/schedule/constant/float64/{}]"
    lines = [line.partition("test_conformance.py")[2] for line in done.stdout.splitlines()]
    assert f"::{test.format('right', 'values')}" in lines
    assert "2 skipped" in done.stdout and "1 xfailed" in done.stdout
    assert "half too large (" in done.stdout and "known.txt, line 2)" in done.stdout
    # A listed check that passes fails the run, as strict as pytest's own lists are here.
    assert "it passes, but is listed as failing: stale (" in done.stdout
    assert "takes long here (" in done.stdout
    assert "at most 3 cases of each check: less than the level smoke asks" in done.stdout
    records = [json.loads(line) for line in (folder / "r.jsonl").read_text().splitlines()]
    assert len(records) == 4 and {r["verdict"] for r in records} == {"pass", "fail"}
    assert all(r["examples"] <= 3 for r in records if r["verdict"] == "pass")
    require_junit(ET.parse(folder / "junit.xml").getroot(), tests=6, skipped=3)


def require_junit(root: ET.Element, *, tests: int, skipped: int) -> None:
    """What the schema of Jenkins' xUnit plugin asks of a document, and its counts."""
    (suite,) = root.findall("testsuite")
    cases = suite.findall("testcase")
    assert root.tag == "testsuites" and len(cases) == int(suite.attrib["tests"]) == tests
    assert len(suite.findall("testcase/skipped")) == int(suite.attrib["skipped"]) == skipped
    for case in cases:
        assert set(case.attrib) == {"classname", "name", "time"}
        assert {child.tag for child in case} <= {"skipped", "error", "failure", "system-out"}


@pytest.mark.power
def test_an_entry_of_nothing_ends_the_run(folder: Path) -> None:
    """In the one line that it takes to say so."""
    (folder / "known.txt").write_text("*/valuse  # mistyped\n")
    done = ran(folder, "--truestep-backend", "b.py:Right", "--truestep-level", "smoke")
    assert done.returncode == 2
    assert "no check matches '*/valuse' (" in done.stdout and "known.txt, line 1)" in done.stdout
    assert "Traceback" not in done.stdout and "_hookexec" not in done.stdout
