"""Every snippet of docs/ and of the README runs, and prints what the page shows."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

# A module of this folder, which is not on the path with --import-mode=importlib.
from snippets import Block, NotRun, Page, blocks, commands, missing_line, run

DOCS = Path(__file__).parents[2] / "docs"
SNIPPETS = {
    path: [
        block
        for block in blocks(path.read_text(encoding="utf-8"))
        if block.file or block.text.startswith("$ ") or block.language not in ("", "math", "text")
    ]
    for path in sorted(DOCS.rglob("*.md"))
}
PAGES: dict[Path, Page] = {}


@pytest.mark.power
@pytest.mark.parametrize(
    ("path", "position"),
    [
        pytest.param(
            path,
            i,
            id=f"{path.relative_to(DOCS).with_suffix('')}:{block.line}",
            marks=pytest.mark.xdist_group(path.stem),
        )
        for path, found in SNIPPETS.items()
        for i, block in enumerate(found)
    ],
)
def test_a_snippet_runs(
    path: Path, position: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As it stands on the page, after those above it, which may not have been asked for."""
    page = PAGES.setdefault(path, Page(tmp_path_factory.mktemp(path.stem)))
    for block in SNIPPETS[path][page.done : position]:
        with suppress(NotRun):
            run(block, page)
    page.done = position + 1
    try:
        run(SNIPPETS[path][position], page)
    except NotRun as lack:
        pytest.skip(f"not run, {lack}")


PAGE = """\
Text, and `code`.

```python
# part/value.py
VALUE = 3
```

```python
from part.value import VALUE

doubled = 2 * VALUE
```

```console
$ python -c 'print("one"); print("two  words"); print(3)'
one
...words
$ python -c 'raise SystemExit(3)'  # exit status 3
```
"""


@pytest.fixture
def page(tmp_path: Path) -> Page:
    """A page's folder, empty."""
    return Page(tmp_path)


def test_blocks_are_found_with_their_lines() -> None:
    """Language, text, line of the page, and the name of a file."""
    found = blocks(PAGE)
    assert [(b.language, b.line, b.file) for b in found] == [
        ("python", 3, "part/value.py"),
        ("python", 8, None),
        ("console", 14, None),
    ]


def test_a_page_runs_in_order(page: Page) -> None:
    """Files are written, Python shares its names, commands run in the page's folder."""
    for block in blocks(PAGE):
        run(block, page)
    assert page.names["doubled"] == 6
    assert (page.folder / "part/value.py").read_text().endswith("VALUE = 3\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("$ python -c 'print(1)'\n2\n", "not printed: '2'"),
        ("$ python -c 'print(1); print(2)'\n2\n1\n", "not printed: '1'"),
        ("$ python -c 'raise SystemExit(1)'\n", "exit status 1, due is 0"),
        ("$ python -c 'print(1)'  # exit status 1\n1\n", "exit status 0, due is 1"),
        ("$ python -c 'print(1); raise SystemExit(3)'\n1\n", "exit status 3, due is 0"),
        ("1\n", "not with a command"),
    ],
)
def test_what_a_page_says_wrongly_is_found(page: Page, text: str, told: str) -> None:
    """A line that is not printed, in another order, another exit status, no command."""
    with pytest.raises(AssertionError, match=told):
        run(Block("console", text, 1), page)


def test_python_that_fails_fails(page: Page) -> None:
    """With the error of the snippet; text that is no Python too."""
    with pytest.raises(ZeroDivisionError):
        run(Block("python", "1 / 0\n", 1), page)
    with pytest.raises(SyntaxError):
        run(Block("python", "import no_such_library\n1 +\n", 1), page)


def test_what_is_missing_is_not_run(page: Page) -> None:
    """A library, a file that needs one, a command that needs such a file, what installs."""
    for language, text, told in (
        ("python", "import no_such_library\n1 / 0\n", "needs no_such_library"),
        ("python", "# needy.py\nimport no_such_library\n", "needs no_such_library"),
        ("python", "import needy\n", "needs no_such_library"),
        ("console", "$ truestep certify needy.py:Backend\n", "needs no_such_library"),
        ("console", "$ pip install truestep\n", "not a test's to run"),
        ("console", "$ no-such-command --help\n", "needs no-such-command"),
        ("rust", "fn main() {}\n", "a piece of rust"),
    ):
        with pytest.raises(NotRun, match=told):
            run(Block(language, text, 1), page)


def test_a_command_may_go_on_in_the_next_line() -> None:
    """After a backslash; what it prints and how it ends belong to it."""
    first, second = commands("$ a \\\n  b  # exit status 2\nx\n$ c\n")
    assert (first.line, first.shown, first.status) == ("a    b", ("x",), 2)
    assert (second.line, second.shown, second.status) == ("c", (), None)
    assert (first.ends, second.ends) == ((2,), (0,))


def test_dots_stand_for_anything() -> None:
    """Within a line and as a line; blanks count as one, order counts."""
    printed = "a  b c\nd\ne\n"
    for shown in (("a ... c", "e"), ("...b c", "...", "e"), ("a b", "d", "e"), ("...",)):
        assert missing_line(shown, printed) is None
    assert missing_line(("d", "a"), printed) == "a"
