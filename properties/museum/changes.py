"""Small changes of a module's lines: what each node of their syntax may become, in words."""

import ast
import copy
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import cast

from truestep.properties.told.lines import replaced

_OPERATORS: Mapping[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr,
    ast.Div: ast.Mult, ast.FloorDiv: ast.Div, ast.LShift: ast.RShift, ast.Mod: ast.Add,
    ast.Mult: ast.Div, ast.Pow: ast.Mult, ast.RShift: ast.LShift, ast.Sub: ast.Add,
}  # fmt: skip
_COMPARISONS: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.In: ast.NotIn, ast.Is: ast.IsNot,
    ast.IsNot: ast.Is, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.NotEq: ast.Eq, ast.NotIn: ast.In,
}  # fmt: skip
_FUNCTIONS = {
    "all": "any", "any": "all", "ceil": "floor", "cos": "sin", "floor": "ceil", "fmax": "fmin",
    "max": "sum", "maximum": "minimum", "minimum": "maximum", "sin": "cos", "sum": "max",
}  # fmt: skip
# Of what the first argument stays where it is, and of what all may change places.
_FIRST_KEPT = {"clip", "where"}
_SYMMETRIC = {"fmax", "fmin", "hypot", "max", "maximum", "min", "minimum", "zip"}

Changed = tuple[str, ast.AST]


@dataclass(frozen=True, slots=True)
class Part:
    """A function by its name, with its class's before it, or what a name of the module is given.

    text: from its def or its name on.
    """

    name: str
    node: ast.FunctionDef | ast.Assign
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a part. lines: the first and the last that it is in. about: in words.

    old: what is changed, in one line. at: its place in the walk of the part. new: what it becomes.
    """

    part: Part
    lines: tuple[int, int]
    about: str
    old: str
    at: int
    new: ast.AST

    def text(self) -> str:
        """The text of the whole part with the change."""
        return _with(self.part.node, self.at, self.new)


@dataclass(frozen=True, slots=True)
class Ways:
    """What becomes of a number: off: by how much a float grows, relatively; 0 becomes that.

    held: the numbers that may stand in the place of a hyperparameter. removed: whether statements
    are left out, and comparisons turned round. guards: whether the conditions of errors change.
    """

    off: float
    held: Mapping[str, float]
    removed: bool = False
    guards: bool = False


def parts(source: str) -> Iterator[Part]:
    """The functions of a module, the methods of its classes, and what its names are given."""
    for node in ast.parse(source).body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        before = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for one in inner:
            text = ast.get_source_segment(source, one)
            if isinstance(one, ast.FunctionDef):
                yield Part(before + one.name, one, cast(str, text))
            elif isinstance(one, ast.Assign) and not before and not _is_range(one.value):
                yield Part(ast.unparse(one.targets[0]), one, cast(str, text))


def _is_range(value: ast.expr) -> bool:
    """Whether it is a type that declares a range, of which kernels compute nothing."""
    return isinstance(value, ast.Subscript) and ast.unparse(value.value) == "Annotated"


def changes(part: Part, ways: Ways) -> Iterator[Change]:
    """Every change of the part's statements."""
    tree = part.node
    for at, node in enumerate(ast.walk(tree)):
        if at not in _places(tree, ways.guards):
            continue
        last = cast(int, getattr(node, "end_lineno", tree.end_lineno))
        # A def is executed with its module.
        first = node.body[0] if isinstance(node, ast.FunctionDef) else node
        line = cast(int, getattr(first, "lineno", tree.lineno))
        for about, new in _of(node, ways):
            yield Change(part, (line, last), about, _told(node), at, new)


@cache
def _places(tree: ast.FunctionDef | ast.Assign, guards: bool) -> frozenset[int]:
    """Where in the walk of a part its statements are: not what it declares, nor its errors."""
    left_out = {id(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)}
    left_out |= {id(size) for node in ast.walk(tree) for size in _found_out(node)}
    declared: list[ast.AST] = [n for n in ast.walk(tree) if isinstance(n, ast.Raise | ast.Assert)]
    if not guards:
        declared += [node for node in ast.walk(tree) if _refuses(node)]
    if isinstance(tree, ast.FunctionDef):
        declared += [tree.args, *tree.decorator_list, *filter(None, [tree.returns])]
    for one in declared:
        left_out |= {id(node) for node in ast.walk(one)}
    return frozenset(i for i, n in enumerate(ast.walk(tree)) if id(n) not in left_out)


def _refuses(node: ast.AST) -> bool:
    """Whether it says when an error is raised: by if, or of a zip of sequences unlike in length."""
    if isinstance(node, ast.If):
        return not node.orelse and len(node.body) == 1 and isinstance(node.body[0], ast.Raise)
    return isinstance(node, ast.keyword) and node.arg == "strict"


def _found_out(node: ast.AST) -> Iterator[ast.AST]:
    """The 1 of a size of -1 that reshape works out: it takes any negative size for that."""
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "reshape":
        for size in (n for arg in node.args for n in ast.walk(arg)):
            if isinstance(size, ast.UnaryOp) and isinstance(size.op, ast.USub):
                yield size.operand


def _told(node: ast.AST) -> str:
    """A node in one line: of one with statements in it, what these depend on."""
    match node:
        case ast.FunctionDef():
            return node.name
        case ast.If() | ast.While():
            return ast.unparse(node.test)
        case ast.For():
            return f"for {ast.unparse(node.target)} in {ast.unparse(node.iter)}"
        case ast.With() | ast.Try():
            return type(node).__name__.lower()
    return " ".join(ast.unparse(node).split())


def _with(part: ast.FunctionDef | ast.Assign, at: int, new: ast.AST) -> str:
    """The part's text with another node at that place of its walk."""
    changed = replaced(part, at, new)
    if isinstance(changed, ast.FunctionDef):
        changed.decorator_list = []  # above the def
    return textwrap.indent(ast.unparse(changed), " " * part.col_offset).lstrip()


def _of(node: ast.AST, ways: Ways) -> Iterator[Changed]:
    match node:
        case ast.Constant(value=bool() as x):
            yield f"{x!r} inverted", ast.Constant(not x)
        case ast.Constant(value=float() as x):
            yield f"{x!r} off by {ways.off:g}", ast.Constant(x * (1 + ways.off) if x else ways.off)
        case ast.Constant(value=int() as x):
            yield f"{x!r} + 1", ast.Constant(x + 1)
        case ast.BinOp(op=op) if type(op) in _OPERATORS:
            new = _OPERATORS[type(op)]
            yield _words(op, new), ast.BinOp(node.left, new(), node.right)
        case ast.AugAssign(op=op) if type(op) in _OPERATORS:
            new = _OPERATORS[type(op)]
            yield _words(op, new), ast.AugAssign(node.target, new(), node.value)
        case ast.Compare():
            yield from _of_comparison(node, ways)
        case ast.BoolOp(op=both):
            either = ast.Or if isinstance(both, ast.And) else ast.And
            yield _words(both, either), ast.BoolOp(either(), node.values)
        case ast.UnaryOp(op=ast.Invert() | ast.Not() | ast.USub()):
            yield f"without {type(node.op).__name__}", node.operand
        case ast.IfExp():
            yield "branches swapped", ast.IfExp(node.test, node.orelse, node.body)
        case ast.Attribute(value=ast.Name(id="h"), attr=name) if name in ways.held:
            yield f"h.{name} held at {ways.held[name]!r}", ast.Constant(ways.held[name])
        case ast.Call():
            yield from _of_call(node)
        case ast.If():
            inverted = ast.UnaryOp(ast.Not(), node.test)
            yield "condition inverted", ast.If(inverted, node.body, node.orelse)
    yield from _of_statements(node)
    if ways.removed and isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.For):
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        yield from () if docstring else [("left out", ast.Pass())]


def _words(old: ast.AST, new: type[ast.AST]) -> str:
    return f"{type(old).__name__} to {new.__name__}"


def _of_comparison(node: ast.Compare, ways: Ways) -> Iterator[Changed]:
    for i, op in enumerate(node.ops):
        other = _COMPARISONS[type(op)]
        ops = [*node.ops[:i], other(), *node.ops[i + 1 :]]
        yield _words(op, other), ast.Compare(node.left, ops, node.comparators)
    if ways.removed and isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE):
        yield "turned round", ast.Compare(node.comparators[0], node.ops[:1], [node.left])


def _of_call(node: ast.Call) -> Iterator[Changed]:
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name in _FUNCTIONS and isinstance(node.func, ast.Attribute):
        called = ast.Attribute(node.func.value, _FUNCTIONS[name])
        yield f"{name} to {_FUNCTIONS[name]}", ast.Call(called, node.args, node.keywords)
    first = 1 if name in _FIRST_KEPT else 0
    if len(node.args) > first + 1 and name not in _SYMMETRIC:
        given = list(node.args)
        given[first], given[first + 1] = given[first + 1], given[first]
        if not any(isinstance(x, ast.Starred) for x in given):
            told = f"arguments {first + 1} and {first + 2} of {name} swapped"
            yield told, ast.Call(node.func, given, node.keywords)


def _of_statements(node: ast.AST) -> Iterator[Changed]:
    """Two assignments in a row in the other order, where one uses what the other assigns."""
    body = getattr(node, "body", ())
    if not isinstance(body, list):  # of a lambda or a conditional expression
        return
    for i, (one, two) in enumerate(pairwise(body)):
        both = isinstance(one, ast.Assign) and isinstance(two, ast.Assign)
        if both and (_names(one, ast.Store) & _names(two) or _names(two, ast.Store) & _names(one)):
            changed = copy.copy(node)
            changed.body = [*body[:i], two, one, *body[i + 2 :]]  # type: ignore[attr-defined]
            names = " and ".join(ast.unparse(x.targets[0]) for x in (one, two))
            yield f"{names} assigned in the other order", changed


def _names(node: ast.AST, context: type[ast.expr_context] = ast.expr_context) -> set[str]:
    found = (n for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, context))
    return {name.id for name in found}
