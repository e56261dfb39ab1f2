"""The museum on the command line: which planted fault is caught by which check."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from click import ClickException

from truestep.properties.museum import FAULTS
from truestep.properties.museum.power import catch
from truestep.reports import certificate, numbers, terminal
from truestep.reports.certificate import Record


def show(only: str | None, as_json: bool) -> int:
    """Plant the faults that match, print what catches each; 1 if one escapes or a kernel fails."""
    names = [n for n in FAULTS if only is None or fnmatchcase(n, only) or only in n]
    if not names:
        raise ClickException(f"no planted fault matches {only!r}; one is {next(iter(FAULTS))!r}")
    rows = list(_rows(names))
    caught = sum(row["caught_by"] is not None for row in rows)
    if as_json:
        print(certificate.dumps(certificate.plain(rows)), end="")
    else:
        lines = [
            (
                row["name"],
                row["caught_by"] or "NOT CAUGHT",
                "" if row["utilisation"] is None else numbers.utilisation(row["utilisation"]),
                row["identified"],
            )
            for row in rows
        ]
        terminal.show_table(("fault", "caught by", "utilisation", "told as"), lines)
        print(f"{caught} of {numbers.plural(len(rows), 'planted fault')} caught")
    return 0 if caught == len(rows) else 1


def _rows(names: list[str]) -> Iterator[Record]:
    for name in names:
        terminal.warn(f"planting {name}")
        fault, result = FAULTS[name], catch(name).result
        yield {
            "name": name,
            "rule": fault.rule,
            "kind": fault.kind,
            "description": fault.description,
            "source": fault.source,
            "caught_by": result and result.id,
            "utilisation": result and result.utilisation,
            "identified": result.identified if result else "",
        }
