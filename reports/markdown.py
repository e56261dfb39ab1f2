"""The page as Markdown for a pull request: failures first, the tables folded away."""

from __future__ import annotations

from collections.abc import Sequence

from truestep.reports import numbers
from truestep.reports.counterexample import Counterexample
from truestep.reports.page import Backend, Cell, Page
from truestep.reports.verdicts import CONDITION, RUNS, VERDICTS

# A comment on a pull request is read on one screen; the rest is in the HTML page.
_MOST_FAILURES = 20
_LONGEST_MESSAGE = 1500


def markdown(page: Page) -> str:
    """The page as one short Markdown text."""
    lines = ["## TrueStep accuracy report", ""]
    for backend in page.backends:
        lines += _backend(backend)
    return "\n".join([*lines, *_tables(page), *_step_sizes(page), *_legend()]) + "\n"


def _backend(backend: Backend) -> list[str]:
    tally, run = backend.tally, backend.run
    heads = [*(verdict.counted for verdict in VERDICTS.values()), "examples", "utilisation"]
    cells = [*tally.counts.values(), tally.examples, numbers.utilisation(tally.utilisation)]
    lines = [
        f"**{RUNS[backend.verdict].symbol} {_escape(backend.sentence)}**",
        "",
        f"| {' | '.join(heads)} |",
        "|" + "--:|" * len(heads),
        f"| {' | '.join(map(str, cells))} |",
        "",
    ]
    failures = sorted(
        (shown for group in backend.broken for shown in group.failures), key=lambda f: f.check.id
    )
    if failures:
        lines += ["### Failing", "", "| check | utilisation | it computes |", "|---|--:|---|"]
        lines += [
            f"| {VERDICTS[c.verdict].symbol} `{_code(c.id)}` "
            f"| {numbers.utilisation(c.utilisation)} | {_escape(c.identified)} |"
            for c in (shown.check for shown in failures[:_MOST_FAILURES])
        ]
        if len(failures) > _MOST_FAILURES:
            lines.append(f"| ... and {len(failures) - _MOST_FAILURES} more | | |")
        lines.append("")
        for group in backend.broken[:_MOST_FAILURES]:
            lines += _failure(group.failures[0])
    explaining = [finding.record for finding in backend.findings if finding.record["checks"]]
    lines += [f"- Known finding: **{_escape(record['title'])}**" for record in explaining]
    if explaining:
        lines.append("")
    made = (
        f"Backend `{_code(backend.name)}`, level {run['level']}, seed {run['seed']}, suite "
        f"{run['suite']['version']}, sha256 `{run['sha256'][:16]}`."
    )
    return [*lines, made, ""]


def _failure(shown: Counterexample) -> list[str]:
    message = shown.text or "no message"
    if len(message) > _LONGEST_MESSAGE:
        message = message[:_LONGEST_MESSAGE] + "\n... (the rest is in the certificate)"
    fence = "```"
    while fence in message:
        fence += "`"
    body = [fence + "text", message, fence, ""]
    body.append(f"`truestep reproduce CERTIFICATE --check {_code(shown.check.id)}`")
    return _folded(f"<code>{_html(shown.check.id)}</code>", body)


def _tables(page: Page) -> list[str]:
    lines = []
    for table in page.matrices:
        heads = [
            _escape(f"{backend} {label}".strip() if len(page.backends) > 1 else label)
            for backend, label in table.columns
        ]
        rows = [f"| {_escape(rule)} | {' | '.join(map(_cell, row))} |" for rule, row in table.rows]
        head = [f"| rule | {' | '.join(heads)} |", "|---|" + "--:|" * len(heads)]
        title = f"{_html(table.title)}: {numbers.plural(len(rows), 'rule')}"
        lines += _folded(title, [*head, *rows])
    return lines


def _step_sizes(page: Page) -> list[str]:
    """Which step sizes satisfy the conditions of Robbins and Monro, where a schedule ran."""
    rows = [
        f"| {_escape(v.formula)} | {CONDITION[v.sum_diverges]} | {CONDITION[v.squares_converge]} "
        f"| {_escape(f'{remark} {v.proof}')} |"
        for v, remark in page.step_sizes
        if remark
    ]
    head = ["| step sizes | sum a = ∞ | sum a² < ∞ | proof |", "|---|---|---|---|"]
    title = "Step sizes and the conditions of Robbins and Monro"
    return _folded(title, [*head, *rows]) if rows else []


def _folded(title: str, body: Sequence[str]) -> list[str]:
    return [f"<details><summary>{title}</summary>", "", *body, "", "</details>", ""]


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return ""
    used, symbol = cell.tally.utilisation, VERDICTS[cell.tally.verdict].symbol
    return symbol if used is None else f"{symbol} {numbers.utilisation(used)}"


def _legend() -> list[str]:
    return [
        f"<sub>Utilisation is the largest |got - oracle| / bound; up to {numbers.LIMIT:g} passes. "
        + ", ".join(f"{verdict.symbol} {verdict.word}" for verdict in VERDICTS.values())
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
