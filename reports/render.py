"""The report: one self-contained HTML page and its Markdown summary."""

from __future__ import annotations

import json
import pprint
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from truestep.properties.results import HISTOGRAM_EDGES
from truestep.reports import files, listing, numbers, pictures, plots, summary
from truestep.reports.certificate import Certificate
from truestep.reports.markdown import markdown
from truestep.reports.summary import FAILING, SYMBOLS, WORDS, Check, Group

TEMPLATES = Path(__file__).with_name("templates")

# Numbers of a worst case that get decimal and hex side by side; everything else is specification.
_MEASURED = ("got", "oracle", "error", "bound")

# Members of a check that a replay does not need.
_NOT_REPLAYED = ("histogram", "message", "seconds", "identified", "oracle_fraction", "extra")


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
            headline=headline(documents),
            matrices=summary.matrices(found),
            rules=summary.rules(found),
            findings=_findings(named, found),
            gaps=[(name, _gaps(document)) for name, document in named],
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
        measured=measured,
        specification=specification,
        snippet=snippet,
        partial=partial,
        picture=pictures.picture,
        summary_of_rule=summary_of_rule,
    )
    return environment


def partial(kind: str) -> str:
    """The template of a kind's own part of a group."""
    name = f"kinds/{kind}.html"
    return name if (TEMPLATES / name).exists() else "kinds/other.html"


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


def measured(worst: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(name, decimal, hex) of what was got, what was right, and how far apart they may be."""
    return [(name, *numbers.both(worst[name])) for name in _MEASURED if name in worst]


def specification(worst: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The rest of a worst case: the input as a reproducible specification."""
    return [
        (str(name), value if isinstance(value, str) else json.dumps(value))
        for name, value in worst.items()
        if name not in _MEASURED and name != "snippet" and value not in (None, "", {}, [])
    ]


def snippet(spec: str, check: Check) -> str:
    """A program that re-runs the recorded case."""
    worst = check["worst"] or {}
    if isinstance(worst.get("snippet"), str):
        return str(worst["snippet"])
    entry = {key: value for key, value in check.items() if key not in _NOT_REPLAYED}
    return (
        "from truestep.properties.runner import replay\n\n"
        f"check = {pprint.pformat(entry, width=96, sort_dicts=False)}\n"
        f"print(replay({spec!r}, check).message)\n"
    )


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
    return [
        {
            **finding,
            "backend": name,
            "anchor": f"finding-{number}",
            "links": [(i, anchors[name, i]) for i in finding["checks"] if (name, i) in anchors],
        }
        for number, (name, finding) in enumerate(
            (name, finding) for name, document in named for finding in document["findings"]
        )
    ]


def _gaps(document: Certificate) -> list[tuple[str, str, list[str]]]:
    """(verdict, reason, ids) of what has no verdict, most frequent reason first."""
    found: dict[tuple[str, str], list[str]] = {}
    for check in document["checks"]:
        if check["verdict"] in ("not_judged", "unsupported", "not_run"):
            reason = check["message"].partition("\n")[0] or "no reason recorded"
            found.setdefault((check["verdict"], reason), []).append(check["id"])
    ordered = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return [(verdict, reason, ids) for (verdict, reason), ids in ordered]
