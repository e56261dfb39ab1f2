"""Runs in processes of their own that are stopped by real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from truestep.reports.certificate import read
from truestep.reports.stopping import Stopped, stoppable

# One of its checks hangs, so that there is a moment at which every other is over.
SPEC = f"{Path(__file__).parents[1] / 'properties' / 'run' / 'misbehaving.py'}:Backend"
COMMAND = (
    "-m", "truestep.reports.cli", "certify", SPEC, "--only", "*/sgd/float32/[hp]*/counter*",
    "--level", "smoke", "--out", "o", "-n", "1",
)  # fmt: skip


def _until(condition: Callable[[], Any]) -> None:
    """Wait until a condition holds; pytest's own patience ends a wait in vain."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def _group(number: int) -> list[str]:
    """The processes of a group that are alive."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = stat.read_text().rpartition(") ")
        except OSError:
            continue  # gone by now
        state, _, group, *_ = rest.split()
        if group == str(number) and state != "Z":
            found.append(stat.parent.name)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into Linux's /proc")
@pytest.mark.parametrize(
    ("name", "status", "repeated"),
    [("SIGINT", 130, 1), ("SIGINT", 130, 3), ("SIGTERM", 143, 1), ("SIGHUP", 129, 1)],
)
def test_a_signal_ends_all_processes_and_keeps_the_results(
    tmp_path: Path, name: str, status: int, repeated: int
) -> None:
    """Sent to the whole group, as a terminal does; again at once it loses nothing either."""
    run = subprocess.Popen(
        # Ignored signals are inherited, as from nohup, and stay ignored.
        ["env", f"--default-signal={name}", sys.executable, *COMMAND],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    journal = tmp_path / "o" / "misbehaving-Backend.partial.jsonl"
    _until(lambda: journal.exists() and journal.read_text().count("\n") >= 2)
    for _ in range(repeated):
        os.killpg(run.pid, getattr(signal, name))
    _, told = run.communicate(timeout=60)
    # A signal that comes while the interpreter exits ends it by itself, with the same status.
    assert run.returncode in (status, 128 - status), told
    _until(lambda: not _group(run.pid))
    kept = len(read(journal)["checks"])
    assert kept >= 1 and "Traceback" not in told.replace("KeyboardInterrupt", "")
    assert f"{kept} results so far are kept" in told and "--resume o/misbehaving" in told
    assert told.splitlines()[-1] == f"truestep: stopped by {name}"


def test_the_first_signal_raises_and_further_ones_do_not() -> None:
    """What cleans up after it is not interrupted; afterwards all is as before."""
    before = signal.getsignal(signal.SIGTERM)
    cleaned = []

    def run() -> None:
        with stoppable():
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                signal.raise_signal(signal.SIGINT)
                cleaned.append(True)

    with pytest.raises(Stopped, match="SIGTERM") as caught:
        run()
    assert cleaned and caught.value.status == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_ignored_signal_stays_ignored() -> None:
    """As nohup wants it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
