"""The command line, verb by verb, with its exit statuses.

Over 300 lines, for that is one table of cases after another.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from truestep.reports import certificate, cli, listing
from truestep.reports.certificate import first_violation, read
from truestep.reports.isolation import CannotReplay

Call = Callable[..., tuple[int, str, str]]


def one_line(err: str) -> str:
    """The error: exactly one line on standard error."""
    lines = err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("truestep: "), err
    return lines[0]


def test_certify_ends_with_the_path_of_the_report(truestep: Call, runner: Any, fakes: Any) -> None:
    """All checks pass: status 0; certificate, page and Markdown exist, the journal is gone."""
    runner.results = fakes.passing()
    status, out, _ = truestep("certify", "cpu", "--out", "o")
    page = Path(out.splitlines()[-1])
    assert status == 0 and page.is_absolute() and page.name == "cpu.html" and page.exists()
    assert sorted(p.name for p in Path("o").iterdir()) == ["cpu.html", "cpu.json", "cpu.md"]
    assert read(Path("o/cpu.json"))["verdict"] == "pass"


def test_failing_check_gives_status_1_and_its_message(truestep: Call, runner: Any) -> None:
    """Failures are shown with the dialect that the kernel does compute."""
    status, out, _ = truestep("certify", "cpu")
    assert status == 1
    assert "✗ optimizer/lion/float32/lockstep" in out and "fail: the reason" in out
    assert "It computes: weight decay, multiplied by lr, after the step" in out
    assert "! optimizer/muon/float32/lockstep" in out and "worker died: SIGSEGV" in out


@pytest.mark.parametrize("verdict", ["not_run", "not_judged"])
def test_nothing_judged_gives_status_2(
    truestep: Call, runner: Any, fakes: Any, verdict: str
) -> None:
    """What was not judged is no pass."""
    runner.results = [fakes.result("adamw", verdict=verdict)]
    status, out, _ = truestep("certify", "cpu")
    assert status == 2 and "Nothing of cpu was judged" in out


def test_unavailable_backend_is_recorded_with_its_reason(truestep: Call, runner: Any) -> None:
    """Status 2, and a certificate that says why it was not run."""
    runner.unavailable = "torch is not installed"
    status, out, _ = truestep("certify", "torch")
    assert status == 2 and "torch was not run: torch is not installed." in out
    document = read(Path("truestep-report/torch.json"))
    assert document["verdict"] == "error" and document["checks"] == []


def test_several_backends_have_a_certificate_each_and_one_summary(
    truestep: Call, runner: Any, fakes: Any
) -> None:
    """Both are shown, each with its files; the last line is the page of all side by side."""
    runner.results = fakes.passing()
    status, out, _ = truestep("certify", "cpu", "torch", "cpu", "--out", "o")
    assert status == 0 and out.count("computes all 3 rules") == 2
    assert Path(out.splitlines()[-1]) == Path("o/report.html").resolve()
    files = {f"{name}{end}" for name in ("cpu", "report", "torch") for end in (".html", ".md")}
    assert {p.name for p in Path("o").iterdir()} == files | {"cpu.json", "torch.json"}
    assert "All 2 backends compute what they offer" in Path("o/report.html").read_text()
    assert read(Path("o/torch.json"))["backend"]["spec"] == "torch"


def test_several_backends_as_json_are_a_list(truestep: Call, runner: Any) -> None:
    """One document, whose members equal the files; files of one name do not overwrite another."""
    status, out, err = truestep("certify", "a/x.py:B", "b/x.py:B", "--json", "--out", "o")
    documents = json.loads(out)
    assert status == 1 and err == ""
    assert [d["backend"]["spec"] for d in documents] == ["a/x.py:B", "b/x.py:B"]
    assert documents == [read(Path("o/x-B.json")), read(Path("o/x-B-2.json"))]


def test_a_backend_that_cannot_run_costs_the_status_and_no_other_backend(
    truestep: Call, runner: Any, fakes: Any
) -> None:
    """2 if any could not run; the others are judged, written and shown."""
    runner.results = fakes.passing()
    status, out, err = truestep("certify", "nonsense", "cpu", "--json", "--out", "o")
    assert status == 2 and "'nonsense'" in one_line(err) and len(json.loads(out)) == 1
    assert sorted(p.name for p in Path("o").glob("*.json*")) == ["cpu.json"]


def test_an_interrupt_keeps_what_the_backend_before_had_finished(
    truestep: Call, runner: Any
) -> None:
    """The first backend's certificate stands, the second's results are kept, no more is begun."""
    ended = []

    def interrupt() -> None:
        ended.append(1)
        if len(ended) == 2:
            raise KeyboardInterrupt

    runner.before_end = interrupt
    status, _, err = truestep("certify", "cpu", "torch", "optax", "--out", "o")
    assert status == 130 and "truestep report o/torch.partial.jsonl" in err
    names = {p.name for p in Path("o").iterdir()}
    assert names == {"cpu.html", "cpu.json", "cpu.md", "torch.partial.jsonl"}


@pytest.mark.parametrize("results", ["small", "passing"])
def test_json_prints_the_certificate_and_nothing_else(
    truestep: Call, runner: Any, fakes: Any, results: str
) -> None:
    """Standard output is one JSON document, equal to the file; standard error is empty."""
    runner.results = getattr(fakes, results)()
    status, out, err = truestep("certify", "cpu", "--json")
    document = json.loads(out)
    assert status == (0 if results == "passing" else 1) and err == ""
    assert first_violation(document) is None
    assert document == read(Path("truestep-report/cpu.json"))


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["certify", "nonsense"], "'nonsense'"),
        (["certify", "cpu", "--only", "zzz*"], "no check of cpu matches 'zzz*'"),
        (["certify", "cpu", "--level", "extreme"], "'extreme'"),
        (["certify", "cpu", "--seed", "-1"], "-1"),
        (["certify", "cpu", "-n", "0"], "0"),
        (["certify"], "BACKEND"),
        (["certify", "cpu", "--out", "/dev/null/x"], "/dev/null/x"),
        (["certify", "cpu", "--out", "taken"], "taken"),
        (["frobnicate"], "'frobnicate'"),
        (["list", "colours"], "'colours'"),
        (["report"], "CERTIFICATE"),
        (["report", "absent.json"], "absent.json: No such file"),
        (["report", "."], "Is a directory"),
        (["report", "taken"], "taken: not a certificate"),
        (["diff", "taken", "absent.json"], "taken"),
        (["reproduce", "absent.json"], "absent.json"),
    ],
)
def test_bad_input_gives_one_line_with_the_value_and_status_2(
    truestep: Call, runner: Any, arguments: list[str], shown: str
) -> None:
    """No traceback, no usage text, nothing left behind."""
    Path("taken").write_text("no certificate")
    status, out, err = truestep(*arguments)
    assert status == 2 and out == "" and shown in one_line(err)
    assert not list(Path().glob("*/*.jsonl"))


def test_crash_of_the_tool_keeps_what_was_recorded(truestep: Call, runner: Any) -> None:
    """An internal error ends with 2; the journal can be reported."""

    def explode() -> None:
        raise RuntimeError("boom")

    runner.before_end = explode
    status, _, err = truestep("certify", "cpu")
    assert status == 2 and "RuntimeError: boom" in err.splitlines()[-1]
    journal = Path("truestep-report/cpu.partial.jsonl")
    assert str(journal) in err and len(read(journal)["checks"]) == len(runner.results)
    status, out, _ = truestep("report", journal, "--out", "o")
    assert status == 0 and "was stopped" in Path(out.strip()).read_text()


def test_interrupt_keeps_what_was_recorded(truestep: Call, runner: Any) -> None:
    """Ctrl-C ends with 130 and says how to see the results so far."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    runner.before_end = interrupt
    status, _, err = truestep("certify", "cpu", "--json")
    assert status == 130 and "truestep report truestep-report/cpu.partial.jsonl" in err
    assert "Traceback" not in err


def test_full_disk_while_running_loses_nothing_that_was_recorded(
    truestep: Call, runner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outcome is still shown; status 2; the journal holds what fitted."""
    write, left = os.write, [4]

    def full_soon(handle: int, data: bytes) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data)

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full_soon)
        patched.setattr(os, "fsync", full)
        status, out, err = truestep("certify", "cpu", "--json")
    assert status == 2 and "No space left on device" in err.splitlines()[-1]
    assert len(json.loads(out)["checks"]) == len(runner.results)
    journal = Path(err.splitlines()[-1].rpartition(" ")[2])
    assert len(read(journal)["checks"]) == 3


def test_full_standard_output_gives_status_2(tmp_path: Path) -> None:
    """A document that could not be printed is not a success."""
    if not Path("/dev/full").exists():
        pytest.skip("/dev/full is Linux's")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "truestep.reports.cli", "list", "optimizers", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 2 and "No space left on device" in one_line(done.stderr)


def test_levels_are_the_runners(fakes: Any) -> None:
    """The choices of --level do not drift from what the runner and discovery know."""
    from truestep.fast import discovery

    schema = json.loads(certificate.SCHEMA_FILE.read_text())
    assert cli.LEVELS == tuple(discovery.LEVELS) == tuple(schema["properties"]["level"]["enum"])


def test_topics_are_the_listings() -> None:
    """`list` offers what listing can list."""
    assert tuple(listing.TOPICS) == cli.TOPICS


def test_list_of_optimizers_has_descriptions_and_dialects(truestep: Call) -> None:
    """Every rule is described by its docstring's first line; dialects are spelled out."""
    status, out, err = truestep("list", "optimizers", "--json")
    entries = {entry["name"]: entry for entry in json.loads(out)}
    assert status == 0 and err == "" and all(entry["description"] for entry in entries.values())
    assert entries["adamw"]["dialects"]["decay"]["before"].startswith("weight decay")
    _, text, _ = truestep("list", "optimizers")
    assert all(name in text for name in entries)


def test_reproduce_replays_failures_first_and_ends_with_1(
    truestep: Call, runner: Any, save: Callable[..., Path]
) -> None:
    """Only checks with a recorded input or a failure are replayed, from the recorded spec."""
    status, out, _ = truestep("reproduce", save(), "--backend", "cpu")
    assert status == 1 and [check["rule"] for _, check in runner.replayed] == [
        "lion",
        "muon",
        "adamw",
    ]
    assert {spec for spec, _ in runner.replayed} == {"cpu"}
    assert "recorded fails at 3.1e4, now fails at 3.1e4" in " ".join(out.split())


@pytest.mark.parametrize(
    "wanted", ["optimizer/adamw/float32/lockstep", "adamw/float32/lock", "*/adamw/*/lo*"]
)
def test_reproduce_of_one_passing_check_ends_with_0(
    truestep: Call, runner: Any, save: Callable[..., Path], wanted: str
) -> None:
    """--check takes an id, a plain word or a glob, as --only does."""
    status, _, _ = truestep("reproduce", save(), "--backend", "cpu", "--check", wanted)
    assert status == 0 and len(runner.replayed) == 1


def test_reproduce_refuses_an_unknown_check(
    truestep: Call, runner: Any, save: Callable[..., Path]
) -> None:
    """The value is shown."""
    status, _, err = truestep("reproduce", save(), "--check", "optimizer/none")
    assert status == 2 and "'optimizer/none'" in one_line(err)


def test_replay_that_raises_is_reported_and_the_rest_runs(
    truestep: Call, runner: Any, save: Callable[..., Path]
) -> None:
    """A case that cannot be replayed is no pass and hides no other."""

    def replay(check: Any) -> Any:
        raise CannotReplay("no device")

    runner.replay = replay
    status, out, _ = truestep("reproduce", save(), "--backend", "cpu")
    assert status == 2 and out.count("not replayed: no device") == 3


def test_help_needs_neither_numpy_nor_the_suite() -> None:
    """`truestep --help` answers at once."""
    code = (
        "import sys; from truestep.reports.cli import run_command; s = run_command(['--help']);"
        "assert not {'numpy', 'rich', 'jinja2'} & set(sys.modules); sys.exit(s)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0 and "certify" in done.stdout, done.stderr


def test_version_and_help_answer_with_status_0(truestep: Call) -> None:
    """From an installation and from a source tree; without arguments the help, and status 2."""
    from truestep import __version__

    assert truestep("--version") == (0, f"truestep {__version__}\n", "")
    assert truestep("--help")[0] == 0 and truestep()[0] == 2


@pytest.mark.parametrize("topic", cli.TOPICS)
def test_every_topic_lists_named_and_described_entries(truestep: Call, topic: str) -> None:
    """Each entry has a name and one line that says what it is."""
    status, out, err = truestep("list", topic, "--json")
    entries = json.loads(out)
    assert status == 0 and err == "" and entries
    assert all(entry["topic"] == topic for entry in entries)
    assert all(e["name"] and e["description"] and "\n" not in e["description"] for e in entries)


def test_list_of_schedules_carries_the_conditions_of_robbins_and_monro(truestep: Call) -> None:
    """1/sqrt(t) violates the second, 1/t satisfies both; every entry has a proof."""
    _, out, _ = truestep("list", "schedules", "--json")
    verdicts = [v for entry in json.loads(out) for v in entry["robbins_monro"]]
    by_formula = {v["formula"]: (v["sum_diverges"], v["squares_converge"]) for v in verdicts}
    assert by_formula["a_t = c / sqrt(t)"] == (True, False)
    assert by_formula["a_t = c / t"] == (True, True)
    assert by_formula["a_t = c, a constant"] == (True, False)
    assert by_formula["a_t = c gamma^t, gamma < 1"] == (False, True)
    assert all(v["proof"] for v in verdicts)
    _, text, _ = truestep("list", "schedules")
    assert "Robbins-Monro, a_t = c / t: (i) holds, (ii) holds" in text
