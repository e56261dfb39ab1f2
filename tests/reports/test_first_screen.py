"""What a reader came for stands first: what the kernel computes instead, and the simplest case."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from truestep.reports import numbers, terminal
from truestep.reports import page as pages
from truestep.reports.explained import explained
from truestep.reports.html import html
from truestep.reports.markdown import markdown

EXTRA = {
    "pattern": "t, m agree; p errs, only where g < 0",
    "departs": "departs in `a = b / c`: it computes `a = b`",
    "program": "print('alone')\n",
}


def _case(elements: int, **hyper: float) -> dict[str, Any]:
    slot = {"param": {"shape": [elements]}, "grad": {"shape": [elements]}}
    return {
        "case": {"groups": [{"hyper": hyper, "slots": [slot]}], "steps": 1},
        "tensor": "p", "step": 0, "group": 0, "slot": 0, "index": [0],
        "inputs": {"p": "0x1.0000000000000p+0", "t": 0},
        "got": "0x1.8000000000000p+0", "oracle": "0x1.0000000000000p+0",
        "got_decimal": "1.5", "oracle_decimal": "1.0", "error": 0.5, "bound": 0.125,
        "utilisation": 4.0,
    }  # fmt: skip


@pytest.fixture
def failing(make: Callable[..., Any], fakes: Any) -> Any:
    """A backend that fails three checks, of which one is simplest; another that passes."""

    def fail(check: str, worst: dict[str, Any], **fields: Any) -> Any:
        shared = {"verdict": "fail", "utilisation": 4.0, "histogram": ()}
        return fakes.result("adamw", check=check, worst=worst, **shared, **fields)

    return make(
        [
            fail("lockstep", _case(64, lr=0.001)),
            fail("special_values", _case(1, lr=0.1, beta1=0.5)),
            fail("strata", _case(1, lr=0.001, beta1=0.9), extra=EXTRA),
            fakes.bitwise("adamw", check="law:resumes_bitwise_from_state"),
        ]
    )


def test_the_simplest_counterexample_comes_first(failing: Any) -> None:
    """Of fewest elements, then of default numbers; with what it computes, where, and a program."""
    page = pages.build([failing])
    shown, group = page.backends[0].simplest or (None, None)
    assert shown is not None and shown.check.check == "strata" and shown.alone == EXTRA["program"]
    assert [f.check.check for f in group.failures] == ["strata", "special_values", "lockstep"]
    text = html(page)
    first = text[: text.index("How to read this")]
    for told in ("departs in <code>a = b / c</code>: it computes <code>a = b</code>",
                 "only where g &lt; 0", "print(&#39;alone&#39;)", "ulps of float32"):  # fmt: skip
        assert told in first
    assert "print('alone')" in markdown(page)


def test_errors_are_told_in_ulps() -> None:
    """Units of the format at the number that is due, also below the normal ones and at powers."""
    assert numbers.ulps("0x1.8p+0", "0x1.0p+0", "float32") == "4.2e6"
    assert numbers.ulps(1 + 2.0**-23, 1.0, "float32") == "1.00"
    assert numbers.ulps(2.0**-149, 0.0, "float32") == "1.00"
    assert numbers.ulps(3.0, 2.0, "bfloat16") == "64.0"
    assert numbers.ulps("nan", 2.0, "float32") == numbers.ulps(1.0, 2.0, "codes") == ""


def test_every_check_has_an_address_that_leads_to_it(failing: Any) -> None:
    """A check that failed has its card, another its row; no address is used twice."""
    text = html(pages.build([failing]))
    ids = re.findall(r' id="([^"]*)"', text)
    own = [id for id in ids if id.startswith("cpu-optimizer-adamw-float32:")]
    assert sorted(own) == sorted(
        f"cpu-optimizer-adamw-float32:{check}"
        for check in ("law-resumes_bitwise_from_state", "lockstep", "special_values", "strata")
    )
    assert len(set(ids)) == len(ids)


def test_checks_are_explained_where_they_stand(failing: Any) -> None:
    """A family by what it varies, a law by what it says; a name that no table has, not at all."""
    text = html(pages.build([failing]))
    assert "<dt><code>strata</code></dt><dd>the declared input space" in text
    assert explained("optimizer", "law:resumes_bitwise_from_state") in text.replace("&#39;", "'")
    assert explained("minimizer", "law:deterministic") and explained("quantizer", "thresholds")
    assert explained("optimizer", "law:nonsense") == explained("novel", "lockstep") == ""


def test_every_check_that_there_is_is_explained() -> None:
    """Of all rules that the reference offers; a theorem shows its own statement."""
    from truestep.fast.reference_backend import Backend
    from truestep.properties.run.plan import checks_of

    kinds = {(check.kind, check.name) for check in checks_of(Backend())}
    assert {x for x in kinds if not explained(*x) and x[0] != "theorem"} == set()


def test_the_scoreboard_lists_what_fails_first(
    make: Callable[..., Any], fakes: Any, failing: Any
) -> None:
    """A row for each certificate, with addresses of its own, and its numbers for sorting."""
    passing = make(fakes.passing(), spec="torch")
    text = html(pages.build([passing, failing]))
    board = text[text.index('<table class="data board">') :].partition("</table>")[0]
    assert re.findall(r'<tr id="([^"]*)"', board) == ["backend-cpu", "backend-torch"]
    assert 'data-value="3"' in board and "departs in <code>" in board
    assert 'href="#cpu-optimizer-adamw-float32:strata">The simplest counterexample' in board
    assert 'id="scoreboard"' not in html(pages.build([passing]))


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_keeps_indents(
    failing: Any, columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A long line goes on two columns deeper than it began; none is longer than the terminal."""
    long = "  hyperparameters: " + ", ".join(f"number_{i} = 0.{i}" for i in range(20))
    for check in failing["checks"]:
        check["message"] = f"adamw (float32): p is 1\n{long}\n  declared: so"
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal.show_page(pages.build([failing]))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= columns
    start = next(i for i, line in enumerate(lines) if "hyperparameters" in line)
    end = next(i for i, line in enumerate(lines) if "declared: so" in line)
    assert lines[start].startswith("    hyperparameters: number_0")
    assert all(re.match(" {6}[n=0]", line) for line in lines[start + 1 : end]) and end > start + 1


def test_a_program_of_numpy_alone_is_printed(
    truestep: Callable[..., tuple[int, str, str]], tmp_path: Path, failing: Any
) -> None:
    """reproduce --alone loads nothing; a certificate without one says so."""
    from truestep.reports import certificate

    path = tmp_path / "c.json"
    path.write_text(certificate.dumps(failing))
    assert truestep("reproduce", path, "--alone") == (0, EXTRA["program"], "")
    status, out, err = truestep("reproduce", path, "--alone", "--check", "*lockstep")
    assert (status, out) == (2, "") and "no check among 1 has a program of NumPy alone" in err
