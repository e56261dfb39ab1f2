"""The page as one self-contained HTML document, which loads nothing.

Of many checks, the rules are packed: each is unfolded from a compressed text where a reader opens
it, so that a page of two hundred certificates is read as fast as one.
"""

import base64
import shlex
import zlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from truestep.properties.kinds.schedule.robbins_monro import CONDITIONS
from truestep.reports import numbers, plots
from truestep.reports import page as pages
from truestep.reports.groups import anchor_of
from truestep.reports.page import Page, Rule
from truestep.reports.rows import rows
from truestep.reports.sheet import Sheet
from truestep.reports.verdicts import CONDITION, RUNS, VERDICTS
from truestep.reports.visible import visible

TEMPLATES = Path(__file__).with_name("templates")
# Checks beyond which a page packs its rules: the largest library, with all its variants, has 4,300.
_PACKED = 6_000

# Findings of what a kernel computes instead that the first screen names.
_MOST_NAMED = 4


def html(page: Page | Sheet) -> str:
    """The page as HTML."""
    if isinstance(page, Sheet):
        return visible(_templates().get_template("sheet.html").render(sheet=page))
    packed = sum(backend.tally.checks for backend in page.backends) > _PACKED
    report = _templates().get_template("report.html")
    return visible(report.render(page=page, packed=packed, packing=lambda x: _packing(page, x)))


def _packing(page: Page, rule: Rule) -> Markup:
    """What a rule unfolds to, packed, with the names that links may lead to within it."""
    inner = _templates().get_template("rule.html").render(page=page, rule=rule)
    text = base64.b64encode(zlib.compress(visible(inner).encode())).decode()
    names = " ".join(group.anchor for group in rule.groups)
    return Markup('<div class="inside" data-names="{}" data-packed="{}"></div>').format(names, text)


def templates(*, autoescape: bool, keep_trailing_newline: bool) -> Environment:
    """The folder of templates, with the numbers, words and symbols that every one may use."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        auto_reload=False,  # no template changes within a run, and each would be looked at
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
    environment.filters["lines"] = lines
    environment.globals.update(
        anchor_of=_anchor_of,
        chart=plots.chart,
        conditions=CONDITIONS,
        histogram=plots.histogram,
        most=_MOST_NAMED,
        own={path.stem for path in (TEMPLATES / "kinds").iterdir()},
        picture=plots.picture,
        rows=rows,
        script=Markup((TEMPLATES / "script.js").read_text(encoding="utf-8")),
        share=share,
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        title=pages.title,
    )
    return environment


def _anchor_of(group: str, check: str) -> Markup:
    """It holds letters, digits and marks that need no escape, and there are very many."""
    return Markup(anchor_of(group, check))


def lines(text: str) -> Markup:
    """A text in which lines of code stand between backquotes."""
    parts = text.split("`")
    code = (
        Markup("<code>{}</code>").format(part) if i % 2 else escape(part)
        for i, part in enumerate(parts)
    )
    return Markup("").join(code)


def share(utilisation: float) -> float:
    """How full a cell's gauge is: the share of the limit, in percent; empty for nan."""
    return round(100 * min(1.0, max(0.0, utilisation / numbers.LIMIT)), 1)
