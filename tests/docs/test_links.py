"""The check of a built site finds what is broken in it, and nothing else."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[2] / "docs/links.py"


def faults(site: Path) -> list[str]:
    """What the check finds."""
    spec = importlib.util.spec_from_file_location("links", CHECK)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["links"] = module  # dataclasses ask for it
    spec.loader.exec_module(module)
    return list(module.broken(site))


def site(folder: Path, body: str) -> Path:
    """Two pages, a style and a picture; the first page has this body."""
    (folder / "sub").mkdir()
    (folder / "index.html").write_text(body)
    (folder / "sub/other.html").write_text('<h2 id="there">x</h2><a href="../index.html">up</a>')
    (folder / "style.css").write_text("a { background: url(dot.svg); color: red }")
    (folder / "dot.svg").write_text("<svg/>")
    return folder


def test_a_whole_site_has_no_faults(tmp_path: Path) -> None:
    """Pages, anchors, files, data, and links that lead elsewhere without being loaded."""
    body = (
        '<link rel="stylesheet" href="style.css"><h1 id="a b">x</h1><a href="#a%20b">x</a>'
        '<a href="sub/other.html#there">x</a><a href="https://example.org/x#y">x</a>'
        '<img src="data:image/gif;base64,AA"><a href="dot.svg">x</a>'
    )
    assert faults(site(tmp_path, body)) == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('<a href="gone.html">x</a>', "index.html: gone.html: not there"),
        ('<a href="#gone">x</a>', "index.html: #gone: no such anchor"),
        ('<a href="sub/other.html#gone">x</a>', "sub/other.html#gone: no such anchor"),
        ('<img src="gone.png">', "index.html: gone.png: not there"),
        ('<script src="https://cdn.example/x.js"></script>', "loaded from elsewhere"),
        ('<link href="//fonts.example/x.css">', "loaded from elsewhere"),
    ],
)
def test_each_fault_is_found(tmp_path: Path, body: str, told: str) -> None:
    """One line names the page, the target and what is wrong."""
    (found,) = faults(site(tmp_path, body))
    assert told in found


def test_fonts_of_elsewhere_are_found(tmp_path: Path) -> None:
    """In a style as well; an empty site is none."""
    folder = site(tmp_path, "")
    (folder / "style.css").write_text("@import 'https://fonts.example/x.css'")
    (found,) = faults(folder)
    assert found.endswith("loaded from elsewhere")


def test_as_a_command_it_ends_with_1(tmp_path: Path) -> None:
    """With the lines on standard output."""
    done = subprocess.run([sys.executable, CHECK, tmp_path], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, f"{tmp_path}: no pages\n")
