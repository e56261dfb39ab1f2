"""Hostile adapters: each attack costs its own check at most, and leaves nothing behind."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from truestep.fast.discovery import BrokenBackend
from truestep.properties.judge.results import CheckResult
from truestep.properties.run import hosted, pool
from truestep.properties.run.pool import certify_all
from truestep.properties.run.remote import Remote

pytestmark = pytest.mark.power

HERE = Path(__file__).parent
# Of the counter beyond 2^24, where the attacks are, and of the conduct: "beyond" and "found".
ONLY = "*[ef][yo][ou]nd*"
PATIENCE = 0.75
# Of those that are slow by what they do, and end: a loaded machine is no hang.
PATIENT = 2.0
# Commands of the processes that attacks start.
STARTED = re.compile(r"sleep 98765\d|print\('x' \* 4096\)|fast\.host\.serve .*TRUESTEP")


@pytest.fixture
def adapters(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Imports a module of adapters, which the processes of a run can import too."""
    monkeypatch.syspath_prepend(str(HERE))
    path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
    monkeypatch.setenv("PYTHONPATH", path)
    return importlib.import_module


@pytest.fixture(autouse=True)
def _nothing_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No process, shared memory or temporary file, nor an open file of the run, is left."""
    mark = f"hostile-{os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setenv("TRUESTEP_TEST", mark)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before, opened = set(_nameless()), len(os.listdir("/proc/self/fd"))
    yield
    # What was killed takes a moment to go, and what another worker's attacks start ends with them.
    patience = time.monotonic() + 60.0
    while (left := {*_of(mark), *(_nameless() - before)}) and time.monotonic() < patience:
        time.sleep(0.1)
    assert left == set()
    assert list(tmp_path.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) <= opened


def _processes() -> Iterator[tuple[int, Path, str]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            yield int(entry.name), entry, command


def _of(mark: str) -> list[str]:
    """Commands of the processes with this mark in their environment."""
    found = []
    for _, entry, command in _processes():
        try:
            if f"TRUESTEP_TEST={mark}".encode() in (entry / "environ").read_bytes():
                found.append(command)
        except OSError:
            continue
    return found


def _nameless() -> set[tuple[int, str]]:
    """The processes that attacks start without any mark."""
    return {(pid, command) for pid, _, command in _processes() if STARTED.search(command)}


def _judged(*specs: str) -> dict[str, dict[str, CheckResult]]:
    """The results of every backend, by variant; of its conduct by "process"."""
    patience = PATIENCE if any("dying" in spec for spec in specs) else PATIENT
    runs = certify_all(specs, only=ONLY, level="smoke", patience=patience, workers=2)
    assert [run.error for run in runs] == [None] * len(specs)
    return {
        spec: {r.variant if r.kind == "optimizer" else r.kind: r for r in run.results}
        for spec, run in zip(specs, runs, strict=True)
    }


def _problems(results: dict[str, CheckResult], backend: Any) -> Iterator[str]:
    """What came out otherwise than is due, by variant."""
    conduct = results["process"]
    for variant, attack in backend.attacks.items():
        got = results[variant]
        if (got.verdict, attack.says in got.message) != (attack.verdict, True):
            yield f"{variant}: {got.verdict}: {got.message[:300]}"
        if attack.leaves not in conduct.message:
            yield f"{variant}: of its conduct was said: {conduct.message}"
    due = "fail" if any(attack.leaves for attack in backend.attacks.values()) else "pass"
    if conduct.verdict != due:
        yield f"conduct: {conduct.verdict}: {conduct.message}"


def _spared(results: dict[str, CheckResult]) -> Iterator[str]:
    """Which of a backend's correct kernels did not pass."""
    for variant in ("before", "after"):
        if (got := results[variant]).verdict != "pass":
            yield f"{variant}: {got.verdict}: {got.message[:300]}"


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("hostile_lying", ["Backend"]),
        ("hostile_leaking", ["Backend", "Exhausting", "Flooding"]),
        ("hostile_dying", ["Dying", "Killing", "Hanging", "Regicide"]),
        ("hostile_flooding", ["Backend"]),
        ("hostile_tampering", ["Backend"]),
    ],
)
def test_an_attack_costs_its_own_check(
    adapters: Callable[[str], Any], module: str, names: list[str]
) -> None:
    """Correct kernels of the same backend pass, before the attacks and after them."""
    loaded = adapters(module)
    results = _judged(*(f"{module}:{name}" for name in names))
    found = {
        spec: [*_problems(by, getattr(loaded, spec.partition(":")[2])), *_spared(by)]
        for spec, by in results.items()
    }
    assert [line for lines in found.values() for line in lines] == []


def test_what_spoils_a_process_costs_a_backend(adapters: Callable[[str], Any]) -> None:
    """A correct backend in the same run passes, whatever the others do to theirs."""
    loaded = adapters("hostile_tampering")
    backends = {
        f"hostile_tampering:{kind.__name__}": kind
        for kind in (
            loaded.EmptiesModules, loaded.Hides, loaded.PatchesTheJudge, loaded.SpoilsNumPy
        )
    }  # fmt: skip
    results = _judged(*backends, "hostile_tampering:Scribbles", "hostile:Hostile")
    assert list(_spared(results["hostile:Hostile"])) == []
    scribbled = results["hostile_tampering:Scribbles"].values()
    assert {result.verdict for result in scribbled} <= {"pass", "fail"}
    found = [line for spec, kind in backends.items() for line in _problems(results[spec], kind)]
    assert found == []


_SEALED = """
import os, sys, truestep
from truestep.fast.host.confinement import confine
confine(2**40, os.getppid())
sys.exit(os.access(truestep.__file__, os.W_OK))
"""


def test_no_backend_can_write_what_judges_it(adapters: Callable[[str], Any]) -> None:
    """Its own mounts are read-only there, and nothing it may do makes them anything else."""
    if subprocess.run([sys.executable, "-c", _SEALED], check=False).returncode:
        pytest.skip("this kernel gives a process no mounts of its own")
    spec = "hostile_tampering:WritesTheSuite"
    results = _judged(spec)[spec]
    loaded = adapters("hostile_tampering")
    assert [*_problems(results, loaded.WritesTheSuite), *_spared(results)] == []


def test_a_process_that_stops_itself_is_given_up(
    adapters: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process is not charged for its time, but its judge waits for it only so long."""
    loaded = adapters("hostile_dying")
    monkeypatch.setattr(pool, "STRIKES", 1)
    monkeypatch.setattr(pool, "LOADING", 2.0)
    [run] = certify_all(
        ["hostile_dying:Stopped"], only="*yond*", level="smoke", patience=0.25, workers=1
    )
    by_variant = {result.variant: result for result in run.results}
    [(variant, attack)] = loaded.Stopped.attacks.items()
    met = by_variant.pop(variant)
    assert (met.verdict, attack.says in met.message) == (attack.verdict, True), met.message
    assert {name: result.verdict for name, result in by_variant.items()} == {
        "before": "pass", "after": "pass",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("hostile_dying:HangsInInit", "no answer within 1 s"),
        ("hostile_dying:HangsInCapabilities", "no answer within 1 s"),
        ("hostile_flooding:LongName", "a message of"),
        ("hostile_flooding:Many", "a message of"),
    ],
)
def test_what_cannot_be_loaded_is_broken(
    adapters: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, spec: str, text: str
) -> None:
    """Within the time for loading, in a line that says why."""
    monkeypatch.setattr(hosted, "LOADING", 1.0 if "hangs" in spec.lower() else 60.0)
    with pytest.raises(BrokenBackend, match=text):
        Remote(spec, PATIENCE)
