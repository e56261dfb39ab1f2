from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest

from truestep.reports import terminal
from truestep.reports.certificate import dumps
from truestep.reports.html import html
from truestep.reports.markdown import markdown
from truestep.reports.page import build
from truestep.reports.visible import one_line, visible

HOSTILE = "\x1b[2Jred\u202e\udc80\r\x07"
SPELLED = r"\x1b[2Jred\u202e\udc80\r\x07"


def test_every_hidden_character_is_spelled_out_and_no_other() -> None:
    """Those of Unicode's categories for controls, formats, separators and surrogates."""
    hidden = ("Cc", "Cf", "Cs", "Zl", "Zp")
    for character in map(chr, range(0x110000)):
        category = unicodedata.category(character)
        if visible(character) != character:
            # What this Python's Unicode has not assigned yet may be a format of a later one.
            assert category in (*hidden, "Cn"), ascii(character)
        else:
            assert category not in hidden or character in "\n\t", ascii(character)


def test_one_line_has_no_line_breaks() -> None:
    """Line feeds and tabs are spelled out as well."""
    assert one_line("a\n\tb\r\x85\u2028") == r"a\n\tb\r\x85\u2028"


@pytest.fixture
def hostile(make: Callable[..., Any], fakes: Any) -> Any:
    """A certificate in which every text that others write is hostile."""
    result = fakes.result(
        verdict="fail", variant=HOSTILE, message=HOSTILE, identified=HOSTILE, dialect={"a": HOSTILE}
    )
    document = make([result], spec=HOSTILE)
    return {**document, "environment": {**document["environment"], "cpu": HOSTILE}}


def test_no_output_holds_a_hidden_character(
    hostile: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTML, Markdown, JSON and terminal show the escapes instead."""
    monkeypatch.setenv("COLUMNS", "120")
    page = build([hostile])
    terminal.show_page(page)
    terminal.warn(HOSTILE)
    captured = capsys.readouterr()
    for text in (html(page), markdown(page), dumps(hostile), captured.out, captured.err):
        assert visible(text) == text
        text.encode("utf-8")
    assert SPELLED in html(page) and SPELLED in captured.err
    # Rich itself leaves out carriage returns and bells.
    assert SPELLED.removesuffix(r"\r\x07") in captured.out


def test_markup_in_names_is_shown_as_it_is(capsys: pytest.CaptureFixture[str], fakes: Any) -> None:
    """A backend's name in square brackets neither styles the progress bar nor breaks it."""
    with terminal.Progress(["[/b][red]x"], quiet=False) as progress:
        progress.start("[/b][red]x", 1)
        progress.advance(fakes.result(variant="[/dim]"))
    assert "[/b][red]x: 1 check" in capsys.readouterr().err
