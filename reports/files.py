"""Writing a file so that a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truestep.reports.page import Page
    from truestep.reports.sheet import Sheet


def write_report(page: Page | Sheet, folder: Path, stem: str) -> Path:
    """Write stem.html and stem.md into folder; the path of the HTML. Raises OSError."""
    # What renders pages is not loaded to refuse a run.
    from truestep.reports.html import html
    from truestep.reports.markdown import markdown

    path = folder / f"{stem}.html"
    write_atomically(path, html(page))
    write_atomically(folder / f"{stem}.md", markdown(page))
    return path.resolve()


def write_atomically(path: Path, text: str) -> None:
    """Write text as UTF-8 through a temporary file beside path; raises OSError, leaves nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        # backslashreplace: a message may hold a lone surrogate, and must not cost the report.
        with os.fdopen(
            handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n"
        ) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def stem_of(spec: str) -> str:
    """A file name for a backend's spec: "my.pkg:B" gives "my.pkg-B", "a/b.py:B" gives "b-B"."""
    path, mark, name = spec.rpartition(".py")
    if mark and name[:1] in ("", ":"):
        spec = Path(path).name + name
    return re.sub(r"[^A-Za-z0-9._-]+", "-", spec).strip(".-") or "backend"
