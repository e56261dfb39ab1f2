"""Files that cannot be written, by limits that the operating system sets and not by stand-ins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from truestep.reports.certificate import read

resource = pytest.importorskip("resource", reason="limits of Unix")

# What a limited process runs: invented results, as in the tests of the command line.
PROGRAM = """
import importlib.util, os, resource, shutil, sys
location = importlib.util.spec_from_file_location("fakes", {fakes!r})
fakes = importlib.util.module_from_spec(location)
sys.modules["fakes"] = fakes
location.loader.exec_module(fakes)
from truestep.properties.run import pool
from truestep.reports.cli import run_command
runner = fakes.FakeRunner()
pool.certify_all = runner.certify_all
import truestep.reports.run
runner.results = list(fakes.large(0, faults=False))
{before}
sys.exit(run_command(["certify", "cpu", "--out", "o"]))
"""


def limited(tmp_path: Path, before: str) -> list[str]:
    """The lines of the error of a limited run, which has to end with 2 and without a traceback."""
    fakes = Path(__file__).with_name("fake_runner.py")
    program = PROGRAM.format(fakes=str(fakes), before=before)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return [line for line in done.stderr.splitlines() if " failing" not in line]


def left(tmp_path: Path) -> list[str]:
    """The files in the folder."""
    return sorted(path.name for path in (tmp_path / "o").iterdir())


@pytest.mark.parametrize(
    ("room", "kept"),
    [(100_000, ["cpu.partial.jsonl"]), (145_000, ["cpu.json", "cpu.partial.jsonl"])],
)
def test_a_full_disk_leaves_no_torn_file_and_keeps_the_journal(
    tmp_path: Path, room: int, kept: list[str]
) -> None:
    """Too small for the certificate, or for the page alone: what was recorded is kept."""
    limit = (
        "def fill():\n"
        f"    resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))\n"
        "runner.before_end = fill"
    )
    *_, last = limited(tmp_path, limit)
    assert "cannot write" in last and "File too large" in last
    assert left(tmp_path) == kept
    assert all(len(read(tmp_path / "o" / name)["checks"]) > 50 for name in kept)


def test_a_disk_without_any_room_is_refused_at_once(tmp_path: Path) -> None:
    """Before anything is judged."""
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))"
    [line] = limited(tmp_path, limit)
    assert line == "truestep: --out o: cannot write: File too large" and left(tmp_path) == []


def test_no_descriptors_are_one_line(tmp_path: Path) -> None:
    """The results that ended before are in the journal."""
    limit = (
        "def exhaust():\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "runner.before_end = exhaust"
    )
    *_, last = limited(tmp_path, limit)
    assert "Too many open files" in last and left(tmp_path) == ["cpu.partial.jsonl"]
    assert read(tmp_path / "o" / "cpu.partial.jsonl")["checks"]


def test_no_memory_is_one_line(tmp_path: Path) -> None:
    """The results that ended before are in the journal."""
    limit = (
        "def exhaust():\n"
        "    used = int(open('/proc/self/statm').read().split()[0]) * 4096\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (used, used))\n"
        "    bytearray(1 << 30)\n"
        "runner.before_end = exhaust"
    )
    *_, kept, last = limited(tmp_path, limit)
    assert last == "truestep: out of memory" and "results so far are kept" in kept
    assert read(tmp_path / "o" / "cpu.partial.jsonl")["checks"]


def test_a_folder_that_is_removed_during_the_run_is_made_again(tmp_path: Path) -> None:
    """The certificate is written all the same."""
    program = PROGRAM.format(
        fakes=str(Path(__file__).with_name("fake_runner.py")),
        before="runner.before_end = lambda: shutil.rmtree('o')",
    )  # fmt: skip
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, timeout=120, check=False)
    assert done.returncode == 0 and left(tmp_path) == ["cpu.html", "cpu.json", "cpu.md"]
    assert read(tmp_path / "o" / "cpu.json")["verdict"] == "pass"


def test_a_folder_that_becomes_a_file_is_one_line(tmp_path: Path) -> None:
    """With nothing said to be kept that is not."""
    before = "def change():\n    shutil.rmtree('o')\n    open('o', 'w')\nrunner.before_end = change"
    *_, last = limited(tmp_path, before)
    assert "cannot write" in last and "the journal was removed" in last


def test_a_folder_without_permission_is_refused_at_once(tmp_path: Path) -> None:
    """As an ordinary user; root may write everywhere, and becomes nobody."""
    folder = tmp_path / "o"
    folder.mkdir()
    folder.chmod(0o555)
    # A first run loads what nobody may not read.
    become = "run_command(['certify', 'cpu', '--out', 'warm']); os.geteuid() or os.seteuid(65534)"
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    *_, line = limited(tmp_path, become)
    assert line == "truestep: --out o: cannot write: Permission denied" and left(tmp_path) == []
