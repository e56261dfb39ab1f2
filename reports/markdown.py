"""The page as Markdown for a pull request: failures first, the tables folded away."""

from functools import cache

from jinja2 import Environment

from truestep.reports.html import templates
from truestep.reports.page import Page
from truestep.reports.sheet import Sheet
from truestep.reports.visible import visible

# A comment on a pull request is read on one screen; the rest is in the HTML page.
_MOST_FAILURES = 20
_LONGEST_MESSAGE = 1500


def markdown(page: Page | Sheet) -> str:
    """The page as one short Markdown text."""
    if isinstance(page, Sheet):
        return visible(_templates().get_template("sheet.md").render(sheet=page))
    return visible(_templates().get_template("report.md").render(page=page))


@cache
def _templates() -> Environment:
    # Markdown has its own escapes, which the template names.
    environment = templates(autoescape=False, keep_trailing_newline=True)
    environment.filters.update(code=_code, fenced=_fenced, html=_html, text=_text)
    environment.globals.update(most=_MOST_FAILURES)
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
