"""certify with lists of checks: what is known to fail, and what is not run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from truestep.reports.certificate import read

Call = Callable[..., tuple[int, str, str]]

LION = "optimizer/lion/float32/lockstep"
MUON = "optimizer/muon/float32/lockstep"


def listed(name: str, *lines: str) -> str:
    """Write a list; its name."""
    Path(name).write_text("".join(f"{line}\n" for line in lines))
    return name


def test_known_failures_do_not_fail_the_run(truestep: Call, runner: Any) -> None:
    """The certificate says fail, and why that is known; the exit status is 0."""
    xfails = listed("known.txt", f"{LION}  # decays after the step", "cpu/*/muon/*  # dies")
    status, out, err = truestep("certify", "cpu", "--xfails", xfails)
    assert (status, "are listed as known" in err) == (0, False)
    assert "All of them are listed as known." in " ".join(out.split())
    assert "Listed as known: decays after the step (known.txt, line 1)" in out
    document = read(Path("truestep-report/cpu.json"))
    assert document["verdict"] == "fail"
    known = {c["id"]: c["extra"]["known"] for c in document["checks"] if "known" in c["extra"]}
    assert known == {
        LION: "decays after the step (known.txt, line 1)",
        MUON: "dies (known.txt, line 2)",
    }


def test_what_is_not_listed_fails_still(truestep: Call, runner: Any) -> None:
    """And the sentence says how many are."""
    xfails = listed("known.txt", f"{LION}  # decays after the step")
    status, out, _ = truestep("certify", "cpu", "--xfails", xfails)
    assert status == 1
    assert "1 of them is listed as known." in " ".join(out.split())


def test_a_listed_check_that_passes_is_told(truestep: Call, runner: Any) -> None:
    """Strict: the list has to be mended."""
    xfails = listed("known.txt", "*/lion/*  # old", "*/muon/*  # old", "*/adamw/*/lockstep  # was")
    status, _, err = truestep("certify", "cpu", "--xfails", xfails)
    assert status == 1
    told = "optimizer/adamw/float32/lockstep passes, but is listed as failing: was (known.txt, line"
    assert told in err


def test_an_entry_that_matches_nothing_is_an_error(truestep: Call, runner: Any) -> None:
    """Of checks that --only leaves out it is none."""
    xfails = listed("known.txt", f"{LION}  # old", "optimizer/loin/*  # mistyped")
    status, _, err = truestep("certify", "cpu", "--only", "lion", "--xfails", xfails)
    assert status == 2
    assert "known.txt, line 2: no check matches 'optimizer/loin/*'" in err
    xfails = listed("known.txt", f"{LION}  # old", f"{MUON}  # not chosen")
    assert truestep("certify", "cpu", "--only", "lion", "--xfails", xfails)[0] == 0


def test_what_is_skipped_is_not_run(truestep: Call, runner: Any) -> None:
    """With the reason in its place."""
    skips = listed("slow.txt", "*/lion/*  # hangs", "*/muon/*  # needs a GPU")
    status, out, _ = truestep("certify", "cpu", "--skips", skips)
    assert status == 0 and "3 not run" in out
    checks = {c["id"]: c for c in read(Path("truestep-report/cpu.json"))["checks"]}
    assert (checks[LION]["verdict"], checks[LION]["message"]) == (
        "not_run", "skipped: hangs (slow.txt, line 1)",
    )  # fmt: skip


def test_a_list_that_cannot_be_read_is_told(truestep: Call, runner: Any) -> None:
    """Before anything is run: one line, status 2."""
    listed("bare.txt", LION)
    told = (
        (("--xfails", "absent.txt"), "--xfails: absent.txt: No such file or directory"),
        (("--skips", "bare.txt"), f"--skips: bare.txt, line 1: {LION!r} has no reason"),
    )
    for arguments, message in told:
        status, out, err = truestep("certify", "cpu", *arguments)
        assert (status, out, len(err.splitlines())) == (2, "", 1)
        assert message in err
    assert not runner.spec


def test_a_stopped_run_goes_on_with_its_lists(truestep: Call, runner: Any) -> None:
    """The command that is told has them."""

    def stop() -> None:
        raise KeyboardInterrupt

    runner.before_end = stop
    xfails, skips = listed("known.txt", f"{LION}  # old"), listed("slow.txt", f"{MUON}  # dies")
    status, _, err = truestep("certify", "cpu", "--xfails", xfails, "--skips", skips)
    assert status == 130
    assert "--xfails known.txt --skips slow.txt" in err
