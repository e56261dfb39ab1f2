"""The page as Markdown for a pull request: failures first, the tables folded away."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from truestep.reports import numbers
from truestep.reports.html import TEMPLATES
from truestep.reports.page import Page
from truestep.reports.verdicts import CONDITION, RUNS, VERDICTS

# A comment on a pull request is read on one screen; the rest is in the HTML page.
_MOST_FAILURES = 20
_LONGEST_MESSAGE = 1500


def markdown(page: Page) -> str:
    """The page as one short Markdown text."""
    return _templates().get_template("report.md").render(page=page)


@cache
def _templates() -> Environment:
    # Markdown has its own escapes, which the template names.
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=False, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters.update(
        code=_code, fenced=_fenced, html=_html, plural=numbers.plural, text=_text,
        utilisation=numbers.utilisation,
    )  # fmt: skip
    environment.globals.update(
        condition=CONDITION, limit=f"{numbers.LIMIT:g}", most=_MOST_FAILURES, runs=RUNS,
        verdicts=VERDICTS,
    )  # fmt: skip
    return environment


def _fenced(message: str) -> str:
    if len(message) > _LONGEST_MESSAGE:
        message = message[:_LONGEST_MESSAGE] + "\n... (the rest is in the certificate)"
    fence = "```"
    while fence in message:
        fence += "`"
    return f"{fence}text\n{message or 'no message'}\n{fence}"


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _code(text: str) -> str:
    return text.replace("`", "'").replace("|", "\\|").replace("\n", " ")


def _text(text: str) -> str:
    text = _html(text).replace("\\", "\\\\")
    for mark in "|*_`[]":
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.split())
