"""A page of tables, worked out once: what the atlas and the page of interchange show.

HTML, Markdown and the terminal are functions of it alone, as they are of the report's page.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from truestep.reports.certificate import Record


@dataclass(frozen=True, slots=True)
class Cell:
    """tone: "good", "bad" or "warn", which is told besides by the text or by its weight."""

    text: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table under its title. corner: what the heads of rows are.

    notes: terms and what is said of each, below it; folded: the line under which they are folded
    away, "" where they are in view. chart: a picture above it, as ``plots.chart`` takes it.
    """

    title: str
    about: str
    corner: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    notes: Sequence[tuple[str, str]] = ()
    folded: str = ""
    chart: Record | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Tables of one sort."""

    title: str
    tables: Sequence[Table]


@dataclass(frozen=True, slots=True)
class Sheet:
    """The page: its kind in a word or two, what it found, how to read it, and the tables."""

    eyebrow: str
    headline: str
    about: Sequence[str]
    sections: Sequence[Section]
