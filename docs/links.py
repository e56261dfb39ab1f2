"""Checks a built site without a network: every link inside it has its page and its heading.

    python docs/links.py build/docs

Prints what is broken and ends with 1 if anything is: a page or file that is not there, an anchor
that no element has, and whatever a page would load from elsewhere (scripts, fonts, styles, images).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself, as a link is not.
LOADED = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src"}
STYLE = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


@dataclass
class Page(HTMLParser):
    """What a page links to, what it loads, and the anchors that it has."""

    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        told = {name: value or "" for name, value in attrs}
        self.anchors.update(told[name] for name in ("id", "name") if name in told)
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
        elif LOADED.get(tag) in told:
            self.loads.append(told[LOADED[tag]])


def read(path: Path) -> Page:
    """A page of the site."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def broken(site: Path) -> Iterator[str]:
    """What is wrong with the site, one line each."""
    pages = {path: read(path) for path in sorted(site.rglob("*.html"))}
    if not pages:
        yield f"{site}: no pages"
    for path, page in pages.items():
        for target in (*page.links, *page.loads):
            if why := _fault(path, target, pages, loaded=target in page.loads):
                yield f"{path.relative_to(site)}: {target}: {why}"
    for style in sorted(site.rglob("*.css")):
        for found in STYLE.findall(style.read_text(encoding="utf-8")):
            target = found[0] or found[1]
            if urlsplit(target).scheme in ("http", "https") or target.startswith("//"):
                yield f"{style.relative_to(site)}: {target}: loaded from elsewhere"


def _fault(path: Path, target: str, pages: dict[Path, Page], *, loaded: bool) -> str:
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        elsewhere = loaded and parts.scheme != "data"
        return "loaded from elsewhere" if elsewhere else ""
    where = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    known = {page.resolve(): page for page in pages}
    if not where.is_file():
        return "not there"
    fragment = unquote(parts.fragment)
    if fragment and (page := known.get(where.resolve())) and fragment not in pages[page].anchors:
        return "no such anchor"
    return ""


if __name__ == "__main__":
    faults = list(broken(Path(sys.argv[1])))
    print("\n".join(faults) or "every link is there")
    sys.exit(bool(faults))
