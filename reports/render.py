"""The report: one self-contained HTML page and its Markdown summary."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from truestep.properties.judge.results import HISTOGRAM_EDGES
from truestep.properties.kinds.schedule import robbins_monro as robbins_monro_verdicts
from truestep.reports import counterexample, files, listing, numbers, pictures, plots, summary
from truestep.reports.certificate import Certificate
from truestep.reports.markdown import markdown
from truestep.reports.summary import FAILING, SYMBOLS, WORDS, Check, Group

TEMPLATES = Path(__file__).with_name("templates")


def write_report(documents: Sequence[Certificate], folder: Path, stem: str) -> Path:
    """Write stem.html and stem.md into folder; the path of the page. Raises OSError."""
    page = folder / f"{stem}.html"
    files.write_atomically(page, html(documents))
    files.write_atomically(folder / f"{stem}.md", markdown(documents))
    return page.resolve()


def html(documents: Sequence[Certificate]) -> str:
    """The page; it loads nothing."""
    found = summary.groups(documents)
    named = list(zip(summary.names(documents), documents, strict=True))
    return (
        _templates()
        .get_template("report.html")
        .render(
            named=named,
            many=len(documents) > summary.FEW,
            headline=headline(documents),
            matrices=summary.matrices(found),
            rules=summary.rules(found),
            findings=_findings(named, found),
            robbins_monro=step_sizes(found),
            gaps=[(name, summary.reasons(document["checks"], "id")) for name, document in named],
            style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
            script=Markup((TEMPLATES / "script.js").read_text(encoding="utf-8")),
        )
    )


def headline(documents: Sequence[Certificate]) -> str:
    """The verdict of the page in one sentence."""
    if len(documents) == 1:
        return summary.sentence(documents[0])
    passing = [d for d in documents if d["verdict"] == "pass"]
    if len(passing) == len(documents):
        return f"All {len(documents)} backends compute what they offer as defined."
    if not passing:
        return f"None of {len(documents)} backends passes."
    return (
        f"{len(passing)} of {len(documents)} backends {'passes' if len(passing) == 1 else 'pass'}."
    )


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        utilisation=numbers.utilisation,
        percent=numbers.percent,
        count=numbers.count,
        plural=numbers.plural,
        duration=numbers.duration,
    )
    environment.globals.update(
        symbols=SYMBOLS,
        words=WORDS,
        kinds=summary.KINDS,
        limit=f"{numbers.LIMIT:g}",
        sentence=summary.sentence,
        share=share,
        histogram=histogram,
        chart=plots.chart,
        dialect=dialect,
        laws=laws,
        worst_of=worst_of,
        holds=holds,
        headline_of=counterexample.headline,
        measured=counterexample.measured,
        program=counterexample.program,
        specification=counterexample.specification,
        text_of=counterexample.text_of,
        partial=partial,
        picture=pictures.picture,
        summary_of_rule=summary_of_rule,
    )
    return environment


def partial(kind: str) -> str:
    """The template of a kind's own part of a group."""
    name = f"kinds/{kind}.html"
    return name if (TEMPLATES / name).exists() else "kinds/other.html"


def step_sizes(found: Sequence[Group]) -> dict[str, Any] | None:
    """The conditions of Robbins and Monro and who satisfies them; None where no schedule ran."""
    if not any(group.kind == "schedule" and group.ran for group in found):
        return None
    return {
        "conditions": robbins_monro_verdicts.CONDITIONS,
        "table": robbins_monro_verdicts.table(),
    }


def holds(condition: bool | None) -> str:
    """A condition's verdict in a word."""
    return {True: "holds", False: "violated", None: "undecided"}[condition]


def share(value: float | None) -> float:
    """How full a cell's gauge is: the share of the limit, in percent."""
    if value is None or value != value:
        return 0.0
    return round(100 * min(1.0, max(0.0, value / numbers.LIMIT)), 1)


def histogram(group: Group) -> Markup | None:
    """The elements of all the group's checks by utilisation, None where none was counted."""
    bins = len(HISTOGRAM_EDGES) + 1
    counted = [c["histogram"] for c in group.checks if len(c.get("histogram", ())) == bins]
    total = [sum(column) for column in zip(*counted, strict=True)]
    return plots.histogram(total) if any(total) else None


def dialect(group: Group) -> list[str]:
    """The group's dialect in words; empty for the paper's form."""
    return listing.dialect_in_words(group.kind, group.rule, group.dialect)


def laws(group: Group) -> list[Check]:
    """Checks of algebraic laws."""
    return [check for check in group.checks if check["check"].startswith("law:")]


def worst_of(group: Group) -> Check | None:
    """The passing check that used most of its bound, with a recorded input."""
    found = [
        check
        for check in group.checks
        if check["verdict"] not in FAILING and check["worst"] and check["utilisation"] is not None
    ]
    return max(found, key=lambda check: float(check["utilisation"]), default=None)


def summary_of_rule(groups: Sequence[Group]) -> dict[str, Any]:
    """The line that stands for a rule while its section is folded."""
    checks = [check for group in groups for check in group.checks]
    return {
        "verdict": summary.worst_verdict(check["verdict"] for check in checks),
        "utilisation": summary.largest(checks),
        "passed": sum(check["verdict"] == "pass" for check in checks),
        "total": len(checks),
    }


def _findings(
    named: Sequence[tuple[str, Certificate]], found: Sequence[Group]
) -> list[dict[str, Any]]:
    anchors = {(g.backend, check["id"]): g.anchor for g in found for check in g.checks}
    shown = [
        {
            **finding,
            "backend": name,
            "links": [(i, anchors[name, i]) for i in finding["checks"] if (name, i) in anchors],
        }
        for name, document in named
        for finding in document["findings"]
    ]
    # What fails on this page comes first.
    shown.sort(key=lambda finding: not finding["links"])
    return [{**finding, "anchor": f"finding-{number}"} for number, finding in enumerate(shown)]
