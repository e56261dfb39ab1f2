"""What the terminal shows: progress on standard error, outcomes on standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import progress as bars
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.console import Group as Rows
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from truestep.properties.judge.results import CheckResult
from truestep.reports import counterexample, numbers
from truestep.reports.certificate import Record
from truestep.reports.diff import Difference
from truestep.reports.sheet import Sheet
from truestep.reports.verdicts import CONDITION, FAILING, KNOWN, RUNS, TOLD, VERDICTS
from truestep.reports.visible import visible

if TYPE_CHECKING:
    from truestep.reports.page import Backend, Page, Rule
    from truestep.reports.shown import Shown

# A terminal shows this many groups with failures; the report has them all.
_MOST_FAILURES = 10
# Columns from which on a table's stand two apart.
_WIDE = 100
# Columns that a line of a message has at least, however deep it is.
_NARROWEST = 20


class _Plain:
    """A renderable whose text is made visible piece by piece, whatever its styles."""

    def __init__(self, inner: ConsoleRenderable) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterable[Segment]:
        for segment in console.render(self._inner, options):
            plain = segment if segment.control else segment._replace(text=visible(segment.text))
            yield plain


class _Visible(RenderHook):
    """Makes all visible that a console is about to print."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Plain(each) for each in renderables]


def _out(*, stderr: bool = False) -> Console:
    console = Console(highlight=False, soft_wrap=False, stderr=stderr)
    console.push_render_hook(_Visible())
    return console


def warn(message: str) -> None:
    """A line on standard error, or several where a backend's own message has them."""
    print(f"truestep: {visible(message)}", file=sys.stderr)


def show_path(path: Path) -> None:
    """A path, alone on its line and never wrapped, so that it can be clicked or piped."""
    print(visible(str(path.resolve())))


def show_attested(told: str, *, whole: bool) -> None:
    """What verify found of one certificate."""
    print(f"{'✓' if whole else '✗'} {visible(told)}")


def show_timed(copies: float | None, elements: int) -> None:
    """How long a step took, where one was timed."""
    told = "A step was not timed, since checks fail before."
    if copies is not None:
        told = (
            f"A step on {elements} elements, there and back, takes as long as {copies:.3g} copies "
            "of its bytes."
        )
    print(told)


class Progress:
    """A bar on an interactive standard error; elsewhere a line per tenth, or nothing when quiet."""

    def __init__(self, backends: Sequence[str], *, quiet: bool) -> None:
        console = _out(stderr=True)
        self._lines = not console.is_terminal and not quiet
        self._title = backends[0] if len(backends) == 1 else f"{len(backends)} backends"
        self._total, self._done, self._bad = 0, 0, 0
        self._bar = bars.Progress(
            bars.SpinnerColumn(),
            # Names of backends and checks are no markup.
            bars.TextColumn("{task.description}", style="bold", markup=False),
            bars.BarColumn(bar_width=30),
            bars.MofNCompleteColumn(),
            bars.TextColumn("{task.fields[bad]}"),
            bars.TimeElapsedColumn(),
            bars.TextColumn("{task.fields[now]}", style="dim", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(self._title, total=None, bad="", now="")

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._bar.stop()

    def start(self, backend: str, checks: int) -> None:
        """The number of a backend's checks is known."""
        self._total += checks
        self._bar.update(self._task, total=self._total)
        if self._lines:
            warn(f"{backend}: {numbers.plural(checks, 'check')}")

    def advance(self, result: CheckResult) -> None:
        """One check has ended."""
        self._done += 1
        self._bad += result.verdict in FAILING
        bad = f"[red]{self._bad} failing" if self._bad else ""
        self._bar.update(self._task, advance=1, bad=bad, now=result.id)
        if self._lines and self._done * 10 // self._total > (self._done - 1) * 10 // self._total:
            warn(f"{self._title}: {self._done} of {self._total}, {self._bad} failing")


class Counting:
    """A bar of things that end one after another; elsewhere a line per tenth, or nothing."""

    def __init__(self, title: str, total: int, *, quiet: bool) -> None:
        console = _out(stderr=True)
        self._lines = not console.is_terminal and not quiet
        self._title, self._total, self._done = title, total, 0
        self._bar = bars.Progress(
            bars.SpinnerColumn(),
            bars.TextColumn("{task.description}", style="bold", markup=False),
            bars.BarColumn(bar_width=30),
            bars.MofNCompleteColumn(),
            bars.TimeElapsedColumn(),
            bars.TimeRemainingColumn(),
            bars.TextColumn("{task.fields[now]}", style="dim", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=total, now="")

    def __enter__(self) -> Counting:
        self._bar.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._bar.stop()

    def advance(self, now: str, number: int = 1) -> None:
        """So many more have ended; now: the last of them."""
        before, self._done = self._done, self._done + number
        self._bar.update(self._task, advance=number, now=now)
        if self._lines and self._done * 10 // self._total > before * 10 // self._total:
            warn(f"{self._title}: {self._done} of {self._total}")


def show_page(page: Page) -> None:
    """A row per rule, failures with their messages, and each backend's verdict."""
    console = _out()
    if page.rules:
        console.print(_rules_table(page.rules, narrow=console.width < _WIDE))
    for backend in page.backends:
        _show_failures(console, backend)
        tally = backend.tally
        parts = [f"{numbers.count(tally.passed)} of {numbers.plural(tally.checks, 'check')} pass"]
        parts += [
            f"{numbers.count(number)} {VERDICTS[verdict].counted}"
            for verdict, number in tally.counts.items()
            if number and verdict != "pass"
        ]
        told = (
            f"{', '.join(parts)}; {numbers.plural(tally.examples, 'example')}, "
            f"{numbers.duration(backend.run['seconds'])}, sha256 {backend.run['sha256'][:12]}"
        )
        if declaration := backend.run["backend"].get("declaration"):
            console.print(Text(declaration))
        for departure in backend.departures[:_MOST_FAILURES]:
            console.print(Text(f"Departure: {departure}", style="yellow"))
        if (more := len(backend.departures) - _MOST_FAILURES) > 0:
            console.print(f"{more} more departures are in the report")
        console.print(Text(backend.sentence, style=RUNS[backend.verdict].style))
        console.print(Text(told, style="dim"))


def _table(*, heads: bool = True) -> Table:
    return Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_header=heads)


def _rules_table(rules: Sequence[Rule], *, narrow: bool) -> Table:
    table = _table()
    table.padding = (0, 1 if narrow else 2, 0, 0)
    table.add_column("", no_wrap=True, min_width=1)
    table.add_column("rule", no_wrap=True)
    for name in ("checks", "examples", "judged ≥", "utilisation"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("where", overflow="ellipsis", no_wrap=True)
    for rule in rules:
        tally, verdict = rule.tally, VERDICTS[rule.tally.verdict]
        used = [group for group in rule.groups if group.tally.utilisation is not None]
        most = max(used, key=lambda group: group.tally.utilisation or 0.0, default=None)
        table.add_row(
            Text(verdict.symbol, style=verdict.style),
            Text(rule.name, style=verdict.style if tally.verdict != "pass" else ""),
            f"{tally.passed}/{tally.checks}",
            numbers.count(tally.examples),
            "–" if tally.judged is None else numbers.percent(tally.judged),
            numbers.utilisation(tally.utilisation),
            Text(most.label if most else "", style="dim"),
        )
    return table


def _show_failures(console: Console, backend: Backend) -> None:
    """The first failure of every group in full, the others by name."""
    for group in backend.broken[:_MOST_FAILURES]:
        first, *others = group.failures
        check = first.check
        verdict = VERDICTS[check.verdict]
        head = Text(f"{verdict.symbol} {check.id}", style=verdict.style)
        if check.utilisation is not None:
            head.append(f"  utilisation {numbers.utilisation(check.utilisation)}")
            head.append(f", {first.ulps} ulps" if first.ulps else "")
        body: list[ConsoleRenderable] = [_hanging(first.text or "no message")]
        if check.identified and check.identified not in first.text:
            body.append(Text(f"It computes: {check.identified}", style="bold"))
        if why := check.extra.get(KNOWN):
            body.append(Text(f"Listed as known: {why}", style="yellow"))
        titles = [f.record["title"] for shown in group.failures for f in shown.findings]
        body += [Text(f"Known finding: {t}", style="yellow") for t in dict.fromkeys(titles)]
        if others:
            also = ", ".join(
                f"{VERDICTS[o.check.verdict].symbol}\u00a0{o.check.check}" for o in others
            )
            body.append(Text(f"also: {also}", style="red"))
        console.print(Rows(Text(), head, Padding(Rows(*body), (0, 0, 0, 2), expand=False)))
    if (more := len(backend.broken) - _MOST_FAILURES) > 0:
        console.print(f"\n{more} more failing groups are in the report")
    console.print()


def _hanging(text: str) -> ConsoleRenderable:
    """A message whose lines keep their indents where they wrap, and go on two columns deeper."""
    rows: list[ConsoleRenderable] = []
    for line in text.splitlines():
        deep = len(line) - len(line.lstrip())
        rows.append(_Hanging(line.strip(), deep))
    return Rows(*rows)


class _Hanging:
    """One line under its indent."""

    def __init__(self, line: str, deep: int) -> None:
        self._line, self._deep = line, deep

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterable[Text]:
        room = max(options.max_width - self._deep, _NARROWEST)
        first, *others = Text(self._line).wrap(console, room) or [Text()]
        yield Text(" " * self._deep) + first
        if others:
            rest = Text(self._line[len(first.plain) :].lstrip())
            for line in rest.wrap(console, max(room - 2, _NARROWEST)):
                yield Text(" " * (self._deep + 2)) + line


def show_replay(recorded: CheckResult, found: CheckResult) -> None:
    """One replayed check: recorded outcome and outcome now."""
    console, verdict = _out(), VERDICTS[found.verdict]
    told = f"  recorded {_outcome(recorded)}, now {_outcome(found)}"
    console.print(Text.assemble((f"{verdict.symbol} ", verdict.style), recorded.id, (told, "dim")))
    if found.verdict in TOLD and found.message:
        console.print(Padding(_hanging(counterexample.text_of(found.message)), (0, 0, 0, 2)))


def show_not_replayed(recorded: CheckResult, reason: str) -> None:
    """One check that could not be replayed, with the reason."""
    told = (f"  not replayed: {reason}", "dim")
    _out().print(Text.assemble(("? ", "yellow"), recorded.id, told))


def _outcome(check: CheckResult) -> str:
    used = check.utilisation
    word = VERDICTS[check.verdict].word
    return word if used is None else f"{word} at {numbers.utilisation(used)}"


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
                print(f"  {visible(line)}")
    if not any(lines for _, lines, _ in sections[:-1]):
        console.print("No check changed.")


def show_sheet(sheet: Sheet) -> None:
    """Every table of a page with its notes, and what the page found."""
    for section in sheet.sections:
        for table in section.tables:
            rows = [(head, *(cell.text for cell in cells)) for head, cells in table.rows]
            show_table((f"{table.title}: {table.corner}", *table.columns), rows)
            for term, told in table.notes:
                print(visible(f"{term}: {told}"))
    print(visible(sheet.headline))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A plain table."""
    table = _table()
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    _out().print(table)


def show_rules(found: Sequence[Shown]) -> None:
    """The definition of each, as it is written, and its tables."""
    console = _out()
    for each in found:
        console.print(Text(f"{each.kind}/{each.name}", style="bold underline"))
        print(visible(each.definition))
        for table in each.tables:
            show_table(table.columns, table.rows)


def show_list(found: Mapping[str, Sequence[Record]]) -> None:
    """A table per topic; names in full, descriptions folded."""
    console = _out()
    for topic, items in found.items():
        console.print(Text(f"{topic} ({len(items)})", style="bold underline"))
        if max((len(item["name"]) for item in items), default=0) > console.width // 2:
            for item in items:
                console.print(Text(item["name"], style="bold"))
                console.print(Padding(Text(item["description"]), (0, 0, 0, 4)))
            continue
        table = _table(heads=False)
        table.add_column(no_wrap=True, style="bold")
        table.add_column()
        for item in items:
            lines = [
                f"{field}: {' | '.join(choices)}"
                for field, choices in item.get("dialects", {}).items()
            ]
            lines += [
                f"Robbins-Monro, {verdict['formula']}: (i) {CONDITION[verdict['sum_diverges']]}, "
                f"(ii) {CONDITION[verdict['squares_converge']]}"
                for verdict in item.get("robbins_monro", ())
            ]
            dim = [Text(line, style="dim") for line in lines]
            table.add_row(item["name"], Rows(Text(item["description"]), *dim))
        console.print(table)
