"""Interchange on the command line: what one library has stored, another reads."""

from collections.abc import Sequence
from dataclasses import asdict

from click import ClickException

from truestep.fast.discovery import BrokenBackend, UnknownBackend, available
from truestep.fast.protocol import BackendUnavailable
from truestep.properties.kinds.quantizer.interchange import Read, matrix
from truestep.properties.run.remote import PATIENCE, Remote
from truestep.reports import certificate, numbers, terminal

# Backends of which the formats are no library's.
_NOT = ("cuda", "cuda_on_cpu", "reference")


def show(specs: Sequence[str], as_json: bool) -> int:
    """Let every backend read what every other has stored; 1 if a number is read wrong."""
    names = specs or [name for name, lacks in available().items() if not lacks and name not in _NOT]
    backends: dict[str, Remote] = {}
    try:
        for name in names:
            try:
                backends[name] = Remote(name, PATIENCE["standard"])
            except BackendUnavailable as reason:
                terminal.warn(f"{name}: {reason}")
            except (BrokenBackend, UnknownBackend) as error:
                raise ClickException(str(error)) from error
        found = list(matrix(backends))
    finally:
        for backend in backends.values():
            backend.close()
    if as_json:
        print(certificate.dumps(certificate.plain([asdict(read) for read in found])), end="")
    else:
        _print(found)
    return int(any(read.differ for read in found))


def _print(found: Sequence[Read]) -> None:
    for rule in dict.fromkeys(read.rule for read in found):
        mine = [read for read in found if read.rule == rule]
        readers = list(dict.fromkeys(read.reader for read in mine))
        rows = []
        for writer in dict.fromkeys(read.writer for read in mine):
            cells = {read.reader: _cell(read) for read in mine if read.writer == writer}
            rows.append((writer, *(cells[reader] for reader in readers)))
        terminal.show_table((f"{rule}: stored by", *(f"read by {x}" for x in readers)), rows)
    wrong = [read for read in found if read.differ]
    for read in wrong:
        print(f"{read.rule}: {read.reader} reads of {read.writer}: {read.told}")
    print(f"{numbers.plural(len(found), 'way')} from one to another, {len(wrong)} with differences")


def _cell(read: Read) -> str:
    if read.differ < 0:
        return "refused"
    return f"{read.differ} of {read.elements}" if read.differ else "every bit"
