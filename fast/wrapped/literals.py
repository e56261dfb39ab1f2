"""Numbers that stand in an optimizer's own lines: a constant that it offers no argument for."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable

# Where a number is larger, a run tells it from the usual ones.
_SMALL = 1e-3


def small(made: Callable[..., object]) -> tuple[float, ...]:
    """The small positive numbers in the body of a function or class, defaults of arguments apart.

    A constant as small as an epsilon shows in few steps, and usual ones would agree as well.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(made)))
    except (OSError, SyntaxError, TypeError):  # without a source, or a line of several things
        return ()
    apart = {
        id(node)
        for each in ast.walk(tree)
        if isinstance(each, ast.arguments)
        for default in (*each.defaults, *each.kw_defaults)
        if default is not None
        for node in ast.walk(default)
    }
    found = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, float)
        and id(node) not in apart
    ]
    return tuple(dict.fromkeys(x for x in found if 0 < x < _SMALL))
