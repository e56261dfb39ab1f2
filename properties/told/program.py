"""A counterexample as a program that needs NumPy alone: the reference's lines on the numbers of it.

The lines are those that the reference took, its branches and choices decided; functions of its own
that they call stand before them. What the kernel gave stands where its call belongs.
"""

import ast
import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType

import numpy as np

from truestep.properties.told.lines import (
    Function,
    Tree,
    assigned,
    function_of,
    needed,
    taken,
    used,
)

# Arguments whose fields are numbers of the program.
_RECORDS = ("h", "s")
# Numbers that a program may hold: more are no dozen lines.
MOST_NUMBERS = 24
# Modules that a program may import, by the names they go by.
_IMPORTS = {"math": (math, "import math"), "np": (np, "import numpy as np")}


@dataclass(frozen=True, slots=True)
class Failure:
    """What a program is about: the rule, what is wrong in words ("p[3]"), and its numbers.

    index: the element of what the lines give. arithmetic: by whose roundings the bound is.
    """

    rule: str
    words: str
    index: tuple[int, ...]
    got: float
    bound: float
    arithmetic: str
    slack: float


def program(
    function: Function,
    given: Mapping[str, object],
    result: Callable[[ast.Return], ast.expr],
    failure: Failure,
) -> str:
    """The text of the program, "" where the lines cannot stand alone.

    given: the function's arguments by name; h is a Hyper, s a State. result: what of the return is
    compared.
    """
    try:
        return _Writer(function, given).written(result, failure)
    except (_NotAlone, ArithmeticError, LookupError, TypeError, ValueError):
        return ""


class _NotAlone(Exception):
    """The lines need what is neither a number nor a function of theirs."""


class _Writer:
    """Collects what the lines need: numbers of h and s, constants, functions, modules."""

    def __init__(self, function: Function, given: Mapping[str, object]) -> None:
        self.function, self.given = function, given
        self.hyper: dict[str, int | float] = {}
        self.inputs: dict[str, object] = {}
        self.constants: dict[str, float] = {}
        self.functions: dict[str, str] = {}
        self.imports = {"np"}

    def written(self, result: Callable[[ast.Return], ast.expr], failure: Failure) -> str:
        statements, end = taken(self.function, self.given)
        due = result(end)
        kept = needed(statements, used(due))
        arguments = {name for name in self.given if name not in _RECORDS}
        made = set().union(*(assigned(statement) for statement in kept))
        lines = [self.alone(node, self.function, made | arguments) for node in (*kept, due)]
        # What is read before it is given a value is an argument.
        for node in (*kept, due):
            for name in sorted(used(node) & arguments):
                self.inputs.setdefault(name, self.given[name])
        return "\n".join(self._text(lines, failure)) + "\n"

    def alone(self, node: ast.AST, home: Function, local: set[str]) -> str:
        """A piece of a function's lines as text, all that it needs noted."""
        changed = ast.fix_missing_locations(_Alone(self, local).visit(_copied(node)))
        scope = getattr(home, "__globals__", {})
        for name in sorted(used(changed) - local - self.hyper.keys() - self.inputs.keys()):
            self._note(name, scope)
        return ast.unparse(changed)

    def _note(self, name: str, scope: Mapping[str, object]) -> None:
        if name not in scope or name in self.functions:
            return  # a builtin, or noted already
        value = scope[name]
        if name in _IMPORTS and value is _IMPORTS[name][0]:
            self.imports.add(name)
        elif isinstance(value, bool | int | float):
            self.constants[name] = value
        elif isinstance(value, FunctionType):
            self.functions[name] = ""  # one that calls itself is noted once
            self.functions[name] = self._function(value)
        else:
            raise _NotAlone(name)

    def _function(self, function: FunctionType) -> str:
        node = _copied(function_of(function))
        node.decorator_list, node.returns = [], None
        node.args.args = [ast.arg(a.arg) for a in node.args.args if a.arg not in _RECORDS]
        node.body = [s for s in node.body if not _is_docstring(s)]
        local = {a.arg for a in node.args.args} | assigned(node)
        return self.alone(node, function, local)

    def number(self, owner: str, field: str, local: set[str]) -> ast.expr:
        """What stands for h.field or s.field."""
        value = getattr(self.given[owner], field)
        if owner == "s":
            self.inputs[f"{field}0"] = value
            return ast.Name(f"{field}0", ast.Load())
        if isinstance(value, int | float) and not isinstance(value, bool):
            name = f"{field}_" if field in local else field
            self.hyper[name] = value
            return ast.Name(name, ast.Load())
        if not isinstance(value, bool | str | tuple | None):
            raise _NotAlone(field)
        return ast.parse(repr(value), mode="eval").body

    def _text(self, lines: Sequence[str], failure: Failure) -> Iterator[str]:
        *steps, due = lines
        place = "".join(f"[{', '.join(map(str, failure.index))}]" for _ in failure.index[:1])
        yield f'"""{failure.rule}: {failure.words} is {failure.got!r}. This needs NumPy alone."""'
        yield ""
        yield from (_IMPORTS[name][1] for name in sorted(self.imports))
        yield ""
        yield 'np.seterr(all="ignore")'
        yield from (f"{name} = {value!r}" for name, value in self.constants.items())
        if self.hyper:
            yield f"{', '.join(self.hyper)} = {', '.join(map(_literal, self.hyper.values()))}"
        yield from _numbers({name: x for name, x in self.inputs.items() if name not in self.given})
        yield from _numbers({name: x for name, x in self.inputs.items() if name in self.given})
        yield ""
        yield from (line for text in self.functions.values() for line in (*_lines(text), ""))
        yield ""
        yield "def kernel():"
        yield f"    return {_literal(failure.got)}  # what it gave: put its call here"
        yield ""
        yield ""
        yield f"# the definition's lines, as {failure.rule} has them"
        yield from (
            line for line in steps if line.count(" = ") != 1 or len({*line.split(" = ")}) > 1
        )
        yield f"due, got = float({due}{place}), kernel()"
        yield f"# a faithful kernel in {failure.arithmetic} errs by at most"
        yield f"bound = {_literal(failure.bound)}  # and passes up to {failure.slack:g} times that"
        yield 'print(f"due {due!r}, got {got!r}, error {abs(got - due):.4g}, bound {bound:.4g}")'


def _lines(text: str) -> list[str]:
    return ["", *text.splitlines()]


class _Alone(ast.NodeTransformer):
    """Puts numbers in the place of h and s, and decides what hangs on h alone."""

    def __init__(self, writer: _Writer, local: set[str]) -> None:
        self._writer, self._local = writer, local

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name) and node.value.id in _RECORDS:
            return self._writer.number(node.value.id, node.attr, self._local)
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name == "either" or name.startswith("require_"):
            # The form that is written, of two; what is checked.
            first: ast.expr = self.visit(node.args[0])
            return first
        node.args = [x for x in node.args if not (isinstance(x, ast.Name) and x.id in _RECORDS)]
        self.generic_visit(node)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        if (decided := self._decided(node.test)) is None:
            self.generic_visit(node)
            return node
        chosen: ast.expr = self.visit(node.body if decided else node.orelse)
        return chosen

    def visit_If(self, node: ast.If) -> ast.stmt | list[ast.stmt]:
        if (decided := self._decided(node.test)) is None:
            self.generic_visit(node)
            return node
        branch = node.body if decided else node.orelse
        return [made for statement in branch for made in _listed(self.visit(statement))]

    def _decided(self, test: ast.expr) -> bool | None:
        """Whether a test holds that reads nothing but h, None where it reads more."""
        if used(test) != {"h"}:
            return None
        code = compile(ast.Expression(_copied(test)), "<a test>", "eval")
        return bool(eval(code, {"h": self._writer.given["h"]}))


def _listed(made: ast.stmt | list[ast.stmt] | None) -> list[ast.stmt]:
    return made if isinstance(made, list) else [] if made is None else [made]


def _copied(node: Tree) -> Tree:
    return copy.deepcopy(node)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _numbers(numbers: Mapping[str, object]) -> Iterator[str]:
    """Assignments: integers and arrays a line each, single numbers together, as NumPy's."""
    single = {}
    for name, value in numbers.items():
        if isinstance(value, int):
            yield f"{name} = {int(value)}"
        elif isinstance(value, float):
            single[name] = value
        elif (x := np.asarray(value, np.float64)).ndim == 0:
            single[name] = float(x)
        else:
            yield f"{name} = np.array({_nested(x.tolist())})"
    if single:
        values = ", ".join(map(_literal, single.values()))
        alone = len(single) == 1
        yield f"{', '.join(single)} = " + (
            f"np.float64({values})" if alone else f"np.array([{values}])"
        )


def _nested(values: list[object]) -> str:
    inner = (_nested(x) if isinstance(x, list) else _literal(x) for x in values)
    return f"[{', '.join(inner)}]"


def _literal(value: object) -> str:
    number = value if isinstance(value, int) else float(str(value))
    if math.isfinite(number):
        return repr(number)
    return f'float("{number}")'
