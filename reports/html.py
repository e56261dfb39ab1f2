"""The page as one self-contained HTML document, which loads nothing."""

import shlex
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from truestep.properties.kinds.schedule.robbins_monro import CONDITIONS
from truestep.reports import numbers, plots
from truestep.reports import page as pages
from truestep.reports.page import Page
from truestep.reports.verdicts import CONDITION, RUNS, VERDICTS
from truestep.reports.visible import visible

TEMPLATES = Path(__file__).with_name("templates")


def html(page: Page) -> str:
    """The page as HTML."""
    return visible(_templates().get_template("report.html").render(page=page))


def templates(*, autoescape: bool, keep_trailing_newline: bool) -> Environment:
    """The folder of templates, with the numbers, words and symbols that every one may use."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=autoescape,
        keep_trailing_newline=keep_trailing_newline,
    )
    names = ("count", "duration", "percent", "plural", "utilisation")
    environment.filters.update({name: getattr(numbers, name) for name in names})
    environment.filters["shell"] = shlex.quote
    limit = f"{numbers.LIMIT:g}"
    environment.globals.update(condition=CONDITION, limit=limit, runs=RUNS, verdicts=VERDICTS)
    return environment


@cache
def _templates() -> Environment:
    environment = templates(autoescape=True, keep_trailing_newline=False)
    environment.globals.update(
        chart=plots.chart,
        conditions=CONDITIONS,
        histogram=plots.histogram,
        picture=plots.picture,
        script=Markup((TEMPLATES / "script.js").read_text(encoding="utf-8")),
        share=share,
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        title=pages.title,
    )
    return environment


def share(utilisation: float) -> float:
    """How full a cell's gauge is: the share of the limit, in percent; empty for nan."""
    return round(100 * min(1.0, max(0.0, utilisation / numbers.LIMIT)), 1)
