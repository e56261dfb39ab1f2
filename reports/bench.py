"""The benchmarks on the command line: ratios to memory traffic alone and to installed libraries."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from click import ClickException

from truestep.fast.ours import bench
from truestep.fast.ours.bench import BLOCK_SIZE, NotMeasured, Row
from truestep.properties.costs.costs import costs
from truestep.reference.declared import Hyper
from truestep.reports import certificate, environment, files, terminal
from truestep.reports.certificate import Record
from truestep.reports.sheet import Cell, Section, Sheet, Table

_ABOUT = (
    "How many times as long as our step the other takes, the median over rounds in which each has "
    "its turn, in one process, and the least and the greatest. Above 1 we are faster.",
    "Memory traffic alone goes through the same arrays with next to no arithmetic: what a step can "
    "cost at best. Below 1 is the share of it that our step reaches.",
    "GB/s: of what the rule's own lines have to read and write, each number once.",
)
_HEADS = ("the other takes (median)", "over the rounds", "our step")
_COMPARED = "ours, against"


def show(
    rounds: int, as_json: bool, rules: Sequence[str] = (), *, sweep: bool = False, out: Path | None
) -> int:
    """Measure and print every comparison; a contender that is missing is listed as not run.

    sweep: one tensor of 10^3 to 10^8 elements, in the place of the usual comparisons. out: also
    write a page there.
    """
    try:
        bench.timed_rules(rules)
    except ValueError as error:
        raise ClickException(str(error)) from error
    found: list[Row | NotMeasured] = []
    for row in (bench.swept if sweep else bench.rows)(roofline, rounds, rules):
        found.append(row)
        terminal.warn(f"{row.name}: {row.against}")
    told = bench.environment()
    if out is not None:
        terminal.show_path(files.write_report(sheet(found, rounds), out, "bench"))
    if as_json:
        where = {**environment.environment(), **told}
        rows = [dataclasses.asdict(row) for row in found]
        document = {"environment": where, "rounds": rounds, "rows": rows}
        print(certificate.dumps(certificate.plain(document)), end="")
    elif out is None:
        shown = [(row.name, row.against, *_told(row)) for row in found]
        terminal.show_table(("ours", "against", *_HEADS), shown)
        print(f"instruction set {told['instruction_set']}, {rounds} interleaved rounds")
    return 0


def roofline(rule: str, hyper: Hyper, coded: bool) -> float:
    """Bytes that a step of the rule must move for each parameter, by its reference's lines."""
    found = costs(rule, hyper)
    how = found.coded("dynamic_8bit", block_size=BLOCK_SIZE) if coded else {}
    return found.moved(how)


def _told(row: Row | NotMeasured) -> tuple[str, str, str]:
    if isinstance(row, NotMeasured):
        return "not run", row.reason, ""
    spread = f"{row.low:.2f} to {row.high:.2f}"
    rate = row.bytes / row.ours_ms / 1e6
    return f"{row.median_ratio:.2f} times as long", spread, f"{row.ours_ms:.3g} ms, {rate:.0f} GB/s"


def sheet(found: Sequence[Row | NotMeasured], rounds: int) -> Sheet:
    """The page: a table of every rule, and a plot where it was measured at several sizes."""
    by_rule: dict[str, list[Row | NotMeasured]] = {}
    for row in found:
        by_rule.setdefault(row.rule, []).append(row)
    told = f"instruction set {bench.environment()['instruction_set']}, {rounds} interleaved rounds"
    tables = [_table(rule, rows) for rule, rows in by_rule.items()]
    headline = f"{len(by_rule)} rules against memory traffic and other libraries"
    return Sheet("TrueStep bench", headline, (*_ABOUT, told), [Section("Rules", tables)])


def _table(rule: str, rows: Sequence[Row | NotMeasured]) -> Table:
    cells = [
        (f"{row.name} against {row.against}", [Cell(text) for text in _told(row)]) for row in rows
    ]
    measured = [row for row in rows if isinstance(row, Row)]
    sizes = {row.elements for row in measured}
    return Table(
        rule, "", _COMPARED, _HEADS, cells, chart=_chart(rule, measured) if len(sizes) > 2 else None
    )


def _chart(rule: str, rows: Sequence[Row]) -> Record:
    return {
        "label": f"{rule}: elements per microsecond by the number of elements",
        "x_label": "elements",
        "y_label": "elements per microsecond",
        "log_x": True,
        "log_y": True,
        "series": list(_series(rows)),
    }


def _series(rows: Sequence[Row]) -> Iterator[Record]:
    roles = {"memory traffic alone": "bound"}
    by_other: dict[str, list[Row]] = {}
    for row in rows:
        by_other.setdefault(row.against, []).append(row)
    ours = {row.elements: row.elements / row.ours_ms / 1e3 for row in rows}
    yield {"label": "ours", "x": list(ours), "y": list(ours.values()), "role": "measured"}
    for other, of in by_other.items():
        x = [row.elements for row in of]
        y = [row.elements / row.other_ms / 1e3 for row in of]
        yield {"label": other, "x": x, "y": y, "role": roles.get(other, "control")}
