"""Writing a task from the command line."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from click import ClickException

from truestep.fast.locating import BrokenBackend
from truestep.fast.wrapped.submissions.asked import asked
from truestep.reports import terminal
from truestep.reports.export.torch_lines import NotWritable


def export(rule: str, collection: str, settings: Sequence[str], out: Path) -> int:
    """Write the files of a task, show their folder; the exit status."""
    if importlib.util.find_spec("torch") is None:
        raise ClickException("torch is not installed; the tasks' lines are tried in it")
    from truestep.reports.export.tasks import files

    try:
        wanted = asked(rule, settings)
        found = files(wanted, collection)
    except (BrokenBackend, ValueError) as error:
        told = f"{rule} cannot be written as a task: " if isinstance(error, NotWritable) else ""
        raise ClickException(f"{told}{error}") from error
    form = [*wanted.dialect.values(), collection]
    folder = out / "-".join([rule, *form])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in found.items():
        (folder / name).write_text(text, encoding="utf-8")
    terminal.show_path(folder)
    return 0
