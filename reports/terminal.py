"""What the terminal shows: progress on standard error, outcomes on standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from rich import progress as bars
from rich.console import Console
from rich.console import Group as Rows
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from truestep.reports import counterexample, numbers, summary
from truestep.reports.certificate import Certificate
from truestep.reports.diff import Difference
from truestep.reports.summary import FAILING, SYMBOLS, WORDS

_STYLES = {
    "pass": "green",
    "fail": "bold red",
    "crashed": "bold red",
    "not_judged": "yellow",
    "unsupported": "dim",
    "not_run": "dim",
}

# A terminal shows this many groups with failures; the report has them all.
_MOST_FAILURES = 10


def _out() -> Console:
    return Console(highlight=False, soft_wrap=False)


def warn(message: str) -> None:
    """One line on standard error."""
    print(f"truestep: {message}", file=sys.stderr)


class Progress:
    """A bar on an interactive standard error; elsewhere a line per tenth, or nothing when quiet."""

    def __init__(self, title: str, *, quiet: bool) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._shown = self._console.is_terminal
        self._lines = not self._shown and not quiet
        self._title, self.total, self._done, self._bad = title, 0, 0, 0
        self._bar = bars.Progress(
            bars.SpinnerColumn(),
            bars.TextColumn("[bold]{task.description}"),
            bars.BarColumn(bar_width=30),
            bars.MofNCompleteColumn(),
            bars.TextColumn("{task.fields[bad]}"),
            bars.TimeElapsedColumn(),
            bars.TextColumn("[dim]{task.fields[now]}"),
            console=self._console,
            transient=True,
            disable=not self._shown,
        )
        self._task = self._bar.add_task(title, total=None, bad="", now="")

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def start(self, total: int) -> None:
        """The number of checks is known."""
        self.total = total
        self._bar.update(self._task, total=total)
        if self._lines and total:
            warn(f"{self._title}: {numbers.plural(total, 'check')}")

    def advance(self, result: Any) -> None:
        """One check has ended."""
        self._done += 1
        self._bad += result.verdict in FAILING
        bad = f"[red]{self._bad} failing" if self._bad else ""
        self._bar.update(self._task, advance=1, bad=bad, now=result.id)
        if self._lines and self.total and _tenth(self._done, self.total):
            warn(f"{self._title}: {self._done} of {self.total}, {self._bad} failing")


def _tenth(done: int, total: int) -> bool:
    return done * 10 // total > (done - 1) * 10 // total


def show_certificate(document: Certificate, page: Path | None) -> None:
    """A row per rule, failures with their messages, the verdict; last the path of the report."""
    console = _out()
    found = summary.groups([document])
    if found:
        console.print(_rules_table(found))
    _show_failures(console, found, document)
    counted = document["summary"]
    parts = [
        f"{numbers.count(counted[v])} {'fail' if v == 'fail' else WORDS[v]}"
        for v in WORDS
        if counted[v] and v != "pass"
    ]
    parts.insert(
        0, f"{numbers.count(counted['pass'])} of {numbers.plural(counted['checks'], 'check')} pass"
    )
    style = {"pass": "bold green", "fail": "bold red"}.get(document["verdict"], "bold yellow")
    console.print(Text(summary.sentence(document), style=style))
    console.print(
        Text(
            f"{', '.join(parts)}; {numbers.plural(counted['examples'], 'example')}, "
            f"{numbers.duration(document['seconds'])}, sha256 {document['sha256'][:12]}",
            style="dim",
        )
    )
    if page is not None:
        # Plain print: rich would wrap a long path, and a wrapped path cannot be clicked or piped.
        print(page)


def _rules_table(found: Sequence[summary.Group]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    table.add_column("rule", no_wrap=True)
    for name in ("checks", "examples", "judged", "utilisation"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("where", overflow="ellipsis", no_wrap=True)
    for _, rule, members in summary.rules(found):
        checks = [check for group in members for check in group.checks]
        verdict = summary.worst_verdict(check["verdict"] for check in checks)
        passed = sum(check["verdict"] == "pass" for check in checks)
        used = [group for group in members if group.utilisation is not None]
        most = max(used, key=lambda group: group.utilisation or 0.0, default=None)
        table.add_row(
            Text(SYMBOLS[verdict], style=_STYLES[verdict]),
            Text(rule, style=_STYLES[verdict] if verdict != "pass" else ""),
            f"{passed}/{len(checks)}",
            numbers.count(sum(check["examples"] for check in checks)),
            judged(checks),
            numbers.utilisation(most.utilisation) if most else "–",
            Text(most.label if most else "", style="dim"),
        )
    return table


def judged(checks: Iterable[Mapping[str, Any]]) -> str:
    """The smallest judged fraction among checks that were judged."""
    shares = [c["judged_fraction"] for c in checks if c["verdict"] in ("pass", "fail")]
    return numbers.percent(min(shares)) if shares else "–"


def _show_failures(console: Console, found: Sequence[summary.Group], document: Certificate) -> None:
    """The first failure of every group in full, the others by name."""
    explained: dict[str, list[str]] = {}
    for finding in document["findings"]:
        for name in finding["checks"]:
            explained.setdefault(name, []).append(finding["title"])
    broken = [group for group in found if group.failing]
    for group in broken[:_MOST_FAILURES]:
        first, *others = group.failing
        head = Text(f"{SYMBOLS[first['verdict']]} {first['id']}", style="bold red")
        if first["utilisation"] is not None:
            head.append(f"  utilisation {numbers.utilisation(first['utilisation'])}")
        message = counterexample.text_of(first["message"]) or "no message"
        body = [Text(message)]
        identified = first.get("identified", "")
        if identified and identified not in message:
            body.append(Text(f"It computes: {identified}", style="bold"))
        titles = [title for check in group.failing for title in explained.get(check["id"], ())]
        body += [Text(f"Known finding: {t}", style="yellow") for t in dict.fromkeys(titles)]
        if others:
            also = ", ".join(f"{SYMBOLS[c['verdict']]} {c['check']}" for c in others)
            body.append(Text(f"also: {also}", style="red"))
        console.print(Rows(Text(), head, Padding(Rows(*body), (0, 0, 0, 2))))
    if len(broken) > _MOST_FAILURES:
        console.print(f"\n{len(broken) - _MOST_FAILURES} more failing groups are in the report")
    console.print()


def show_replay(recorded: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """One replayed check: recorded outcome and outcome now."""
    console = _out()
    console.print(
        Text.assemble(
            (f"{SYMBOLS[found['verdict']]} ", _STYLES[found["verdict"]]),
            recorded["id"],
            (f"  recorded {_outcome(recorded)}, now {_outcome(found)}", "dim"),
        )
    )
    if found["verdict"] in FAILING and found["message"]:
        console.print(Padding(Text(counterexample.text_of(found["message"])), (0, 0, 0, 2)))


def show_not_replayed(recorded: Mapping[str, Any], reason: str) -> None:
    """One check that could not be replayed, with the reason."""
    _out().print(
        Text.assemble(("? ", "yellow"), recorded["id"], (f"  not replayed: {reason}", "dim"))
    )


def _outcome(check: Mapping[str, Any]) -> str:
    used = check["utilisation"]
    return WORDS[check["verdict"]] + ("" if used is None else f" at {numbers.utilisation(used)}")


def show_difference(found: Difference) -> None:
    """Headings with their checks; one line when nothing changed."""
    console = _out()
    sections = (
        ("Worse", found.worse, "bold red"),
        ("Missing", found.missing, "red"),
        ("Better", found.better, "bold green"),
        ("New", found.new, "cyan"),
        ("Changed", found.other, "yellow"),
        ("More of the bound used", found.looser, "yellow"),
        ("Less of the bound used", found.tighter, "green"),
        ("The runs differ in", found.notes, "dim"),
    )
    for title, lines, style in sections:
        if lines:
            console.print(Text(f"{title} ({len(lines)})", style=style))
            for line in lines:
                print(f"  {line}")
    if not any(lines for _, lines, _ in sections[:-1]):
        console.print("No check changed.")


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A plain table."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    _out().print(table)


def show_list(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """A table per topic; names in full, descriptions folded."""
    console = _out()
    for topic, items in found.items():
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        table.add_column(no_wrap=True, style="bold")
        table.add_column()
        for item in items:
            lines = [Text(item["description"])]
            for field, choices in item.get("dialects", {}).items():
                lines.append(Text(f"{field}: {' | '.join(choices)}", style="dim"))
            for verdict in item.get("robbins_monro", ()):
                word = {True: "holds", False: "violated", None: "undecided"}
                told = (
                    f"Robbins-Monro, {verdict['formula']}: (i) {word[verdict['sum_diverges']]}, "
                    f"(ii) {word[verdict['squares_converge']]}"
                )
                lines.append(Text(told, style="dim"))
            table.add_row(item["name"], Rows(*lines))
        console.print(Text(f"{topic} ({len(items)})", style="bold underline"))
        console.print(table)
