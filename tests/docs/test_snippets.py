"""Every snippet of docs/ and of the README runs, and prints what the page shows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from snippets import Block, NotRun, Page, blocks, commands, missing_line, run  # noqa: E402

DOCS = Path(__file__).parents[2] / "docs"
SNIPPETS = [
    pytest.param(
        path,
        block,
        id=f"{path.relative_to(DOCS).with_suffix('')}:{block.line}",
        # The blocks of a page build upon one another.
        marks=[pytest.mark.power, pytest.mark.xdist_group(str(path))],
    )
    for path in sorted(DOCS.rglob("*.md"))
    for block in blocks(path.read_text(encoding="utf-8"))
    if block.language not in ("math", "text")
]
PAGES: dict[Path, Page] = {}


@pytest.mark.parametrize(("path", "block"), SNIPPETS)
def test_a_snippet_runs(
    path: Path, block: Block, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As it stands on the page, after those above it."""
    page = PAGES.setdefault(path, Page(tmp_path_factory.mktemp(path.stem)))
    try:
        run(block, page)
    except NotRun as lack:
        pytest.skip(f"not run, {lack}")
