"""The Markdown summary for a pull request: failures first, the tables folded away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from truestep.properties.kinds.schedule import robbins_monro as robbins_monro_verdicts
from truestep.reports import numbers, summary
from truestep.reports.certificate import Certificate
from truestep.reports.counterexample import text_of
from truestep.reports.summary import FAILING, SYMBOLS

# A comment on a pull request is read on one screen; the rest is in the HTML page.
_MOST_FAILURES = 20
_LONGEST_MESSAGE = 1500


def markdown(documents: Sequence[Certificate]) -> str:
    """All certificates as one short Markdown text."""
    lines = ["## TrueStep accuracy report", ""]
    for name, document in zip(summary.names(documents), documents, strict=True):
        lines += _backend(name, document)
    return "\n".join([*lines, *_tables(documents), *_step_sizes(documents), *_legend()]) + "\n"


def _backend(name: str, document: Certificate) -> list[str]:
    counted = document["summary"]
    symbol = {"pass": "✓", "fail": "✗"}.get(document["verdict"], "?")
    lines = [
        f"**{symbol} {_escape(summary.sentence(document))}**",
        "",
        "| pass | fail | crashed | not judged | unsupported | not run | examples | utilisation |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|",
        f"| {counted['pass']} | {counted['fail']} | {counted['crashed']} | {counted['not_judged']} "
        f"| {counted['unsupported']} | {counted['not_run']} | {counted['examples']} "
        f"| {numbers.utilisation(counted['utilisation'])} |",
        "",
    ]
    failing = [check for check in document["checks"] if check["verdict"] in FAILING]
    if failing:
        lines += ["### Failing", "", "| check | utilisation | it computes |", "|---|--:|---|"]
        lines += [
            f"| {SYMBOLS[c['verdict']]} `{_code(c['id'])}` "
            f"| {numbers.utilisation(c['utilisation'])} | {_escape(c.get('identified', ''))} |"
            for c in failing[:_MOST_FAILURES]
        ]
        if len(failing) > _MOST_FAILURES:
            lines.append(f"| ... and {len(failing) - _MOST_FAILURES} more | | |")
        lines.append("")
        groups = [group for group in summary.groups([document]) if group.failing]
        for group in groups[:_MOST_FAILURES]:
            lines += _failure(group.failing[0])
    explaining = [finding for finding in document["findings"] if finding["checks"]]
    lines += [f"- Known finding: **{_escape(finding['title'])}**" for finding in explaining]
    if explaining:
        lines.append("")
    run = (
        f"Backend `{_code(name)}`, level {document['level']}, seed {document['seed']}, suite "
        f"{document['suite']['version']}, sha256 `{document['sha256'][:16]}`."
    )
    return [*lines, run, ""]


def _failure(check: Mapping[str, Any]) -> list[str]:
    message = text_of(check["message"]) or "no message"
    if len(message) > _LONGEST_MESSAGE:
        message = message[:_LONGEST_MESSAGE] + "\n... (the rest is in the certificate)"
    fence = "```"
    while fence in message:
        fence += "`"
    return [
        f"<details><summary><code>{_html(check['id'])}</code></summary>",
        "",
        fence + "text",
        message,
        fence,
        "",
        f"`truestep reproduce CERTIFICATE --check {_code(check['id'])}`",
        "",
        "</details>",
        "",
    ]


def _tables(documents: Sequence[Certificate]) -> list[str]:
    lines = []
    for table in summary.matrices(summary.groups(documents)):
        several = len(documents) > 1
        heads = [
            f"{backend} {label}".strip() if several else label for backend, label in table.columns
        ]
        lines += [
            f"<details><summary>{_html(table.title)}: {numbers.plural(len(table.rows), 'rule')}"
            "</summary>",
            "",
            f"| rule | {' | '.join(map(_escape, heads))} |",
            "|---|" + "--:|" * len(heads),
        ]
        for rule, cells in table.rows:
            lines.append(f"| {_escape(rule)} | {' | '.join(map(_cell, cells))} |")
        lines += ["", "</details>", ""]
    return lines


def _step_sizes(documents: Sequence[Certificate]) -> list[str]:
    """Which step sizes satisfy the conditions of Robbins and Monro, where a schedule ran."""
    kinds = {group.kind for group in summary.groups(documents) if group.ran}
    if "schedule" not in kinds:
        return []
    word = {True: "holds", False: "violated", None: "undecided"}
    return [
        "<details><summary>Step sizes and the conditions of Robbins and Monro</summary>",
        "",
        "| step sizes | sum a = ∞ | sum a² < ∞ | proof |",
        "|---|---|---|---|",
        *(
            f"| {_escape(v.formula)} | {word[v.sum_diverges]} | {word[v.squares_converge]} "
            f"| {_escape(f'{remark} {v.proof}')} |"
            for v, remark in robbins_monro_verdicts.table()
            if remark
        ),
        "",
        "</details>",
        "",
    ]


def _cell(group: summary.Group | None) -> str:
    if group is None:
        return ""
    used = group.utilisation
    return SYMBOLS[group.verdict] + ("" if used is None else f" {numbers.utilisation(used)}")


def _legend() -> list[str]:
    return [
        f"<sub>Utilisation is the largest |got - oracle| / bound; up to {numbers.LIMIT:g} passes. "
        + ", ".join(f"{symbol} {summary.WORDS[verdict]}" for verdict, symbol in SYMBOLS.items())
        + ".</sub>"
    ]


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _code(text: str) -> str:
    return text.replace("`", "'").replace("|", "\\|").replace("\n", " ")


def _escape(text: str) -> str:
    text = _html(text).replace("\\", "\\\\")
    for mark in "|*_`[]":
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.split())
