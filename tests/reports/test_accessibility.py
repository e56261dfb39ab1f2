"""axe-core finds no violation on a page, in light and dark, on a desk and on a phone.

It needs Chromium, and axe-core from npm: `npm install --prefix build axe-core`, or AXE_CORE names
its axe.min.js. Without them the test is skipped, and says so.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from truestep.reports import page as pages
from truestep.reports.html import html

ROOT = Path(__file__).parents[2]
AXE = Path(os.environ.get("AXE_CORE", ROOT / "build/node_modules/axe-core/axe.min.js"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or not AXE.exists(),
    reason="needs Chromium, and axe-core: npm install --prefix build axe-core",
)

# What the page itself is asked: every card open, what axe finds, and what sticks out to the right.
ASK = """
document.querySelectorAll("details").forEach((d) => (d.open = true));
axe.run().then((found) => {
  const told = found.violations.map((v) => [v.id, v.nodes.map((n) => n.html)]);
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  document.body.innerHTML = "<pre id=found></pre>";
  document.getElementById("found").textContent = JSON.stringify([told, wide]);
});
"""


def _found(text: str, folder: Path, *, width: int, dark: bool) -> Any:
    """What axe-core finds on a page of that width, and by how many pixels it is too wide."""
    script = AXE.read_text(encoding="utf-8")
    asked = text.replace("</body>", f"<script>{script}</script><script>{ASK}</script></body>")
    if dark:
        asked = asked.replace("(prefers-color-scheme: dark)", "all")
    path = folder / "page.html"
    path.write_text(asked, encoding="utf-8")
    command = (
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000",
        f"--window-size={width},900", "--dump-dom", path.as_uri(),
    )  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    shown = re.search(r'<pre id="found">(.*?)</pre>', run.stdout, re.DOTALL)
    assert shown is not None, run.stderr[-2000:]
    return json.loads(unescape(shown[1]))


@pytest.mark.power
@pytest.mark.parametrize("dark", [False, True])
# A window of Chromium's is never narrower than 500 pixels.
@pytest.mark.parametrize("width", [1280, 500])
def test_axe_finds_nothing(
    make: Callable[..., Any], fakes: Any, tmp_path: Path, width: int, *, dark: bool
) -> None:
    """Of one backend with every verdict, and of three side by side."""
    one = make(fakes.small())
    for documents in ([one], [one, make(fakes.passing(), spec="torch"), make(fakes.small())]):
        found, wide = _found(html(pages.build(documents)), tmp_path, width=width, dark=dark)
        assert found == [] and wide == 0
