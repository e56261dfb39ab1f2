"""The museum on the command line: which planted fault is caught by which check."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from click import ClickException

from truestep.reports import certificate as certificates
from truestep.reports import numbers, terminal


def show(only: str | None, as_json: bool) -> int:
    """Plant the faults that match, print what catches each; 1 if one escapes or a kernel fails."""
    rows = list(_rows(only))
    if as_json:
        print(certificates.dumps(certificates.plain(rows)), end="")
    else:
        terminal.show_table(
            ("fault", "caught by", "utilisation", "told as"),
            [
                (
                    row["name"],
                    row["caught_by"] or "NOT CAUGHT",
                    "" if row["utilisation"] is None else numbers.utilisation(row["utilisation"]),
                    row["identified"],
                )
                for row in rows
            ],
        )
        caught = sum(row["caught_by"] is not None for row in rows)
        print(f"{caught} of {numbers.plural(len(rows), 'planted fault')} caught")
    return 0 if all(row["caught_by"] for row in rows) else 1


def _rows(only: str | None) -> Iterator[dict[str, Any]]:
    from truestep.properties.museum import FAULTS
    from truestep.properties.museum.power import catch

    names = [n for n in FAULTS if only is None or fnmatchcase(n, only) or only in n]
    if not names:
        raise ClickException(f"no planted fault matches {only!r}; one is {next(iter(FAULTS))!r}")
    for name in names:
        terminal.warn(f"planting {name}")
        result = catch(name).result
        yield {
            "name": name,
            "rule": FAULTS[name].rule,
            "kind": FAULTS[name].kind,
            "description": FAULTS[name].description,
            "source": FAULTS[name].source,
            "caught_by": None if result is None else result.id,
            "utilisation": None if result is None else result.utilisation,
            "identified": "" if result is None else result.identified,
        }
