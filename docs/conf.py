"""How Sphinx builds these pages. The Markdown stands on its own, so that a forge shows it as it is.

What only a built page has is added here as the page is read: navigation, what is generated from
docstrings and from the command line, and the atlas of the libraries at hand. Nothing on a page is
loaded from elsewhere: formulas become MathML, fonts are the reader's own.
"""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

import truestep

HERE = Path(__file__).parent

project = "TrueStep"
copyright = "The TrueStep authors"
release = truestep.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_click"]
exclude_patterns = ["conf.py"]
root_doc = "index"

myst_enable_extensions = ["dollarmath"]
# GitHub and GitLab set ```math in formulas as well.
myst_fence_as_directive = {"math"}
# Links to headings, as a forge makes them.
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"TrueStep {release}"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
# Quotes of docstrings are those of strings.
smartquotes = False
pygments_dark_style = "github-dark"

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
# truestep.torch is described where torch is missing too.
autodoc_mock_imports = [] if importlib.util.find_spec("torch") else ["torch"]

# The pages in their order. What is not named comes after them, what is missing is left out.
GUIDES = (
    "certify", "no_adapter", "pytest", "ci", "report", "contract", "arithmetics", "laws",
    "own_rule", "kernels", "referee", "beyond_one_machine",
)  # fmt: skip
REFERENCE = ("reference/api", "reference/cli", "reference/atlas")

# A bar of |x|, close to what it encloses.
BAR = r'<mo stretchy="false" lspace="0" rspace="0">\1</mo>'

# Public modules, and of each what stands in its __all__ or, where it has none, its own names.
MODULES = (
    "truestep", "truestep.testing", "truestep.wrap", "truestep.torch", "truestep.fast.protocol",
    "truestep.properties.arithmetic.profiles",
)  # fmt: skip

# What the atlas is made of, where installed: libraries that load in seconds. TRUESTEP_ATLAS names
# others, by spaces.
ATLAS = {"optax": "optax", "pytorch_optimizer": "pytorch_optimizer", "torch": "torch"}


def navigation() -> str:
    """The tables of contents, as the start page ends with them."""
    found = {path.stem for path in HERE.glob("*.md")} - {"index"}
    guides = [*(name for name in GUIDES if name in found), *sorted(found - set(GUIDES))]
    return "".join(
        f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{chr(10).join(pages)}\n```\n"
        for caption, pages in (("Guides", guides), ("Reference", REFERENCE))
    )


def interface() -> str:
    """The public modules, by autodoc."""
    return "".join(
        f"\n## {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n```\n"
        for name in MODULES
    )


def command_line() -> str:
    """Every command with its options, by click."""
    shown = "   :prog: truestep\n   :nested: full\n"
    return f"\n```{{eval-rst}}\n.. click:: truestep.reports.cli:commands\n{shown}```\n"


def atlas() -> str:
    """The tables that `truestep atlas` writes of the libraries at hand."""
    named = os.environ.get("TRUESTEP_ATLAS", "").split()
    found = named or [name for name, module in ATLAS.items() if importlib.util.find_spec(module)]
    with tempfile.TemporaryDirectory() as folder:
        command = (sys.executable, "-m", "truestep.reports.cli", "atlas", *(found or ["cpu"]))
        subprocess.run(
            (*command, "--out", folder), check=True, capture_output=True, text=True, timeout=600
        )
        text = (Path(folder) / "atlas.md").read_text(encoding="utf-8")
    told = re.sub(r"^## .*\n", "", text, count=1)
    return "\n" + told.replace("\n### ", "\n## ")


ADDED: dict[str, Callable[[], str]] = {
    "index": navigation,
    "reference/api": interface,
    "reference/atlas": atlas,
    "reference/cli": command_line,
}


def completed(app: Sphinx, page: str, source: list[str]) -> None:
    """What is generated, at the end of the page it belongs to."""
    if page in ADDED:
        source[0] += ADDED[page]()


def as_text(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Docstrings are plain text with code in backticks: what reST would read in them is escaped."""
    lines[:] = plain("\n".join(lines)).splitlines()


def plain(text: str) -> str:
    """reST that shows the text as it stands, its indented blocks as code."""
    shown = []
    for block in re.split(r"\n(?:[ \t]*\n)+", text.strip("\n")):
        if block.startswith("    "):
            shown.append("::\n\n" + block)
        else:
            words = re.split(r"(`+[^`]+`+)", " ".join(block.split()))
            shown.append("".join(code(x) if x.startswith("`") else escaped(x) for x in words))
    return "\n\n".join(shown)


def code(word: str) -> str:
    """A piece of code, which reST writes with two backticks."""
    return f"``{word.strip('`')}``"


def escaped(text: str) -> str:
    """Text without what reST marks up."""
    return re.sub(r"([\\*_|`])", r"\\\1", text)


def shortened(
    app: Sphinx,
    what: str,
    name: str,
    obj: object,
    options: object,
    given: str | None,
    returned: str,
) -> tuple[str, str] | None:
    """A signature in which what is no Python (a default made at each call) does not stand."""
    return (given.replace("<factory>", "..."), returned) if given else None


def without_types(app: Sphinx, context: object, lines: list[str]) -> None:
    """Options whose defaults are paths show these as they are typed."""
    lines[:] = [re.sub(r"PosixPath\('(.*?)'\)", r"\1", line) for line in lines]


def mathml(formula: str, display: str) -> str:
    """MathML; bars are no operators with blanks on both sides."""
    made = convert(formula, display=display)
    return re.sub(r"<mo[^>]*>(&#x0007C;|&#x02016;)</mo>", BAR, made)


def inline_formula(self: HTML5Translator, node: nodes.math) -> None:
    """A formula within a line."""
    self.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def formula(self: HTML5Translator, node: nodes.math_block) -> None:
    """A formula of its own, which scrolls where the page is narrow."""
    self.body.append(f'<div class="formula">{mathml(node.astext(), "block")}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Sphinx's entry point."""
    app.add_html_math_renderer("mathml", (inline_formula, None), (formula, None))
    app.connect("source-read", completed)
    app.connect("autodoc-process-docstring", as_text)
    app.connect("autodoc-process-signature", shortened)
    app.connect("sphinx-click-process-options", without_types)
