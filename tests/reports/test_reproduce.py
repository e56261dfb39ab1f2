from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from truestep.reports import certificate

Call = Callable[..., tuple[int, str, str]]
CHECK = "optimizer/adamw/float32/lockstep"


class Terminal:
    """An interactive standard input that answers one question."""

    def __init__(self, answer: str) -> None:
        self.answer = answer

    def isatty(self) -> bool:
        """As a terminal's."""
        return True

    def readline(self, size: int = -1) -> str:
        """The answer."""
        return f"{self.answer}\n"


def test_without_a_terminal_nothing_is_loaded_unless_named(
    truestep: Call, runner: Any, save: Callable[..., Path]
) -> None:
    """One line, which says what to give."""
    status, out, err = truestep("reproduce", save(spec="evil.py:Backend"))
    assert status == 2 and out == "" and len(err.splitlines()) == 1
    assert "say --backend evil.py:Backend" in err and runner.replayed == []


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 2), ("", 2)])
def test_on_a_terminal_it_asks_and_says_what_it_would_load(
    truestep: Call, runner: Any, save: Callable[..., Path], monkeypatch: pytest.MonkeyPatch,
    answer: str, status: int,
) -> None:  # fmt: skip
    """Spec and file; nothing but yes loads it."""
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: answer)
    path = save(spec="evil.py:Backend")
    found, _, err = truestep("reproduce", path, "--check", CHECK)
    assert found == status and "'evil.py:Backend'" in err
    assert str(Path("evil.py").resolve()) in err and len(runner.replayed) == (status == 0)


def test_the_named_backend_is_loaded_and_not_the_recorded_one(
    truestep: Call, runner: Any, save: Callable[..., Path]
) -> None:
    """--backend decides."""
    path = save(spec="evil.py:Backend")
    status, _, _ = truestep("reproduce", path, "--check", CHECK, "--backend", "mine.py")
    assert status == 0 and [spec for spec, _ in runner.replayed] == ["mine.py"]


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ({"param": {"shape": [1 << 20, 1 << 20]}}, "asks for 1099511627776 elements"),
        ({"text": ["x" * 900_000] * 2}, "has 1800018 characters, at most 1000000"),
    ],
)
def test_a_case_beyond_the_limits_is_not_replayed(
    truestep: Call, runner: Any, fakes: Any, save: Callable[..., Path], case: Any, told: str
) -> None:
    """The value is shown; the others are replayed."""
    results = runner.results = [fakes.result(worst={"case": case}), fakes.result("lion")]
    status, out, _ = truestep("reproduce", save(results=results), "--backend", "cpu")
    shown = " ".join(out.split())
    assert told in shown and len(runner.replayed) == 1 and status == 0


def test_a_case_nested_too_deeply_is_no_certificate(tmp_path: Path, save: Any) -> None:
    """The limit is part of what a certificate is."""
    path = save()
    document = json.loads(path.read_text())
    nested: Any = []
    for _ in range(30):
        nested = [nested]
    document["checks"][1]["worst"]["case"] = {"deep": nested}
    path.write_text(json.dumps({**document, "sha256": certificate.checksum(document)}))
    told = r"beyond 24 levels, .*checks\[1\]\.worst\.case\.deep"
    with pytest.raises(certificate.BadCertificate, match=told):
        certificate.read(path)
