"""Foreign text made plain: what a terminal or a page would obey, or not show, is spelled out.

Messages of backends, names, paths and whatever a certificate holds come from others. Each output
calls this once, on all that it is about to show.
"""

import re

# Controls but tab and line feed, format characters (bidirectional marks, zero widths, tags), line
# and paragraph separators, and lone surrogates, which no encoding can hold.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0001\U000e0020-\U000e007f]"
)


def visible(text: str) -> str:
    r"""The text with every hidden character as its escape: ESC becomes ``\x1b``."""
    # What is printable hides nothing, and is told so faster than searched: pages are long.
    return "\n".join(
        line if line.isprintable() else _HIDDEN.sub(_spelled_out, line) for line in text.split("\n")
    )


def _spelled_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def one_line(text: str) -> str:
    r"""The same in one line: line feeds and tabs are spelled out, too."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")
