"""Interchange on the command line: what one library has stored, another reads."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from truestep.properties.kinds.quantizer.interchange import Read, matrix
from truestep.properties.run.remote import Remote
from truestep.reports import certificate, files, libraries, numbers, terminal
from truestep.reports.sheet import Cell, Section, Sheet, Table

_ABOUT = (
    "Rows have stored the same numbers; columns read them. ✓: every number is, bit for bit, what "
    "the format says of what was stored. ✗: of how many it is not; the first of them is told below "
    "its table. –: refused.",
    "A number that its writer has encoded wrong is still to be read right: how well libraries "
    "encode is in their certificates.",
)


def show(specs: Sequence[str], out: Path | None, as_json: bool) -> int:
    """Let every backend read what every other has stored; 1 if a number is read wrong."""
    backends: dict[str, Remote] = {}
    try:
        for name in libraries.chosen(specs):
            if found := libraries.started(name):
                backends[name] = found
        reads = list(matrix(backends))
    finally:
        for backend in backends.values():
            backend.close()
    if as_json:
        print(certificate.dumps(certificate.plain([asdict(read) for read in reads])), end="")
    elif out:
        terminal.show_path(files.write_report(sheet(reads), out, "interchange"))
    else:
        terminal.show_sheet(sheet(reads))
    return int(any(read.differ for read in reads))


def sheet(reads: Sequence[Read]) -> Sheet:
    """The page: a matrix of writers and readers for every format."""
    rules = dict.fromkeys(read.rule for read in reads)
    tables = [_table(rule, [read for read in reads if read.rule == rule]) for rule in rules]
    tables.sort(key=lambda table: not table.notes)  # what fails comes first
    right = sum(not table.notes for table in tables)
    headline = (
        f"Of {numbers.plural(len(tables), 'format')} that several libraries have, "
        f"{right} {'is' if right == 1 else 'are'} read alike by all of them."
    )
    return Sheet("TrueStep interchange", headline, _ABOUT, [Section("Formats", tables)])


def _table(rule: str, reads: Sequence[Read]) -> Table:
    readers = list(dict.fromkeys(read.reader for read in reads))
    rows = []
    for writer in dict.fromkeys(read.writer for read in reads):
        cells = {read.reader: _cell(read) for read in reads if read.writer == writer}
        rows.append((writer, [cells[reader] for reader in readers]))
    notes = [(f"{read.reader} of {read.writer}", read.told) for read in reads if read.differ]
    return Table(rule, "", "stored by, read by", readers, rows, notes)


def _cell(read: Read) -> Cell:
    if read.differ < 0:
        return Cell("– refused", "warn")
    if not read.differ:
        return Cell("✓", "good")
    return Cell(f"✗ {numbers.count(read.differ)} of {numbers.count(read.elements)}", "bad")
