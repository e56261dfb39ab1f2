"""Automatic mutants: every small change of a reference's lines, run as a kernel of its own.

What the planted faults are by hand, these are by rule, so that the power of the checks is measured
and not chosen: constants, operators, comparisons, branches, arguments, the order of statements,
hyperparameters that are not read. A mutant is judged under the dialects that execute its lines. It
is killed when a check fails, and else a survivor: equivalent, or a gap.
"""

import ast
import copy
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from itertools import pairwise
from types import FrameType, ModuleType
from typing import Any, cast

from truestep.fast.protocol import METHODS, Level
from truestep.properties.judge.results import CheckResult
from truestep.properties.museum.plant import Edit, Kernel, code
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.tables import RULES

# By how much a constant is off: a few times the roundoff of float32.
_OFF = 1e-6
_OPERATORS: Mapping[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Div, ast.Mod: ast.Add,
}  # fmt: skip
_COMPARISONS: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}  # fmt: skip
_FUNCTIONS = {
    "all": "any", "any": "all", "ceil": "floor", "cos": "sin", "floor": "ceil", "fmax": "fmin",
    "max": "sum", "maximum": "minimum", "minimum": "maximum", "sin": "cos", "sum": "max",
}  # fmt: skip
# Of what the arguments may change places.
_SYMMETRIC = {"fmax", "fmin", "hypot", "max", "maximum", "min", "minimum", "zip"}
# The checks that are run first.
_FIRST = ("strata", "early_steps", "values")


Dialect = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change of a rule's lines. lines: the first and the last that it is in. about: in words."""

    kind: str
    rule: str
    lines: tuple[int, int]
    about: str
    edit: Edit

    @property
    def name(self) -> str:
        """Kind, rule, line and change."""
        return f"{self.kind}/{self.rule}:{self.lines[0]} {self.about}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant. killed: the first failing check; None where every check passed.

    reached: whether any dialect executes its lines.
    """

    mutant: Mutant
    killed: CheckResult | None
    reached: bool


def mutants(kind: str, rule: str) -> Iterator[Mutant]:
    """Every mutant of a rule's own functions; a format that is a row of facts has none."""
    if not isinstance(RULES[kind][rule], ModuleType):
        return
    module = _module(kind, rule)
    source, defaults = code(module), _defaults(module)
    for function in ast.parse(source).body:
        if not isinstance(function, ast.FunctionDef):
            continue
        old = ast.get_source_segment(source, function)
        assert old is not None
        for at, node in enumerate(ast.walk(function)):
            for about, new in _changes(node, defaults) if at in _places(function) else ():
                text = _with(function, at, new)
                last = cast(int, getattr(node, "end_lineno", function.end_lineno))
                line = cast(int, getattr(node, "lineno", function.lineno))
                yield Mutant(kind, rule, (line, last), about, (function.name, old, text))


def judged(mutant: Mutant, *, level: Level = "standard", seed: int = 0) -> Outcome:
    """Run the checks on a mutant until one fails."""
    reached = False
    for dialect in _under(mutant):
        reached = True
        kernel = Kernel(mutant.rule, (mutant.edit,), dialect=dict(dialect))
        checks = [check for check in checks_of(kernel) if check.kind == mutant.kind]
        for check in sorted(checks, key=lambda check: check.name not in _FIRST):
            result = run_check(kernel, check, level=level, seed=seed, told=False)
            if result.verdict in ("fail", "crashed"):
                return Outcome(mutant, result, reached)
    return Outcome(mutant, None, reached)


def _under(mutant: Mutant) -> Iterator[Dialect]:
    """The dialects that execute what has changed, the reference's own first."""
    first, last = mutant.lines
    changed = set(range(first, last + 1))
    yield from (d for d, lines in _reached(mutant.kind, mutant.rule) if lines & changed)


def _module(kind: str, rule: str) -> ModuleType:
    return cast(ModuleType, RULES[kind][rule])


def _defaults(module: ModuleType) -> Mapping[str, float]:
    """The numbers that a kernel may hold in the place of a hyperparameter."""
    hyper = module.Hyper
    found = {f.name: f.default for f in fields(hyper) if f.default is not MISSING}
    return {name: x for name, x in found.items() if isinstance(x, int | float)}


@cache
def _places(function: ast.FunctionDef) -> frozenset[int]:
    """Where in the walk of a function its statements are: not what it declares, nor its errors."""
    left_out: set[int] = set()
    signature = [function.args, *function.decorator_list, *filter(None, [function.returns])]
    errors = [n for n in ast.walk(function) if isinstance(n, ast.Raise | ast.Assert)]
    for part in [*signature, *errors]:
        left_out |= {id(node) for node in ast.walk(part)}
    return frozenset(i for i, n in enumerate(ast.walk(function)) if id(n) not in left_out)


def _with(function: ast.FunctionDef, at: int, new: ast.AST) -> str:
    """The function's text with another node at that place of its walk."""
    tree = copy.deepcopy(function)
    old = next(node for i, node in enumerate(ast.walk(tree)) if i == at)

    class Replacing(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> Any:
            return copy.deepcopy(new) if node is old else self.generic_visit(node)

    return ast.unparse(ast.fix_missing_locations(Replacing().visit(tree)))


def _changes(node: ast.AST, defaults: Mapping[str, float]) -> Iterator[tuple[str, ast.AST]]:
    """What a node may become, each in words."""
    match node:
        case ast.Constant(value=bool() as x):
            yield f"{x!r} inverted", ast.Constant(not x)
        case ast.Constant(value=float() as x):
            yield f"{x!r} off by 1e-6", ast.Constant(x * (1 + _OFF) if x else _OFF)
        case ast.Constant(value=int() as x):
            yield f"{x!r} + 1", ast.Constant(x + 1)
        case ast.BinOp(op=op) if type(op) in _OPERATORS:
            new = _OPERATORS[type(op)]
            yield _words(op, new), ast.BinOp(node.left, new(), node.right)
        case ast.Compare(ops=[op]) if type(op) in _COMPARISONS:
            other = _COMPARISONS[type(op)]
            yield _words(op, other), ast.Compare(node.left, [other()], node.comparators)
        case ast.BoolOp(op=both):
            either = ast.Or if isinstance(both, ast.And) else ast.And
            yield _words(both, either), ast.BoolOp(either(), node.values)
        case ast.UnaryOp(op=ast.USub() | ast.Not()):
            yield f"without {type(node.op).__name__}", node.operand
        case ast.IfExp():
            yield "branches swapped", ast.IfExp(node.test, node.orelse, node.body)
        case ast.Attribute(value=ast.Name(id="h"), attr=name) if name in defaults:
            yield f"h.{name} held at {defaults[name]!r}", ast.Constant(defaults[name])
        case ast.Call():
            yield from _of_call(node)
        case ast.If():
            inverted = ast.UnaryOp(ast.Not(), node.test)
            yield "condition inverted", ast.If(inverted, node.body, node.orelse)
    yield from _of_statements(node)


def _words(old: ast.AST, new: type[ast.AST]) -> str:
    return f"{type(old).__name__} to {new.__name__}"


def _of_call(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name in _FUNCTIONS and isinstance(node.func, ast.Attribute):
        called = ast.Attribute(node.func.value, _FUNCTIONS[name])
        yield f"{name} to {_FUNCTIONS[name]}", ast.Call(called, node.args, node.keywords)
    first = 1 if name == "where" else 0
    if len(node.args) > first + 1 and name not in _SYMMETRIC:
        given = list(node.args)
        given[first], given[first + 1] = given[first + 1], given[first]
        if not any(isinstance(x, ast.Starred) for x in given):
            told = f"arguments {first + 1} and {first + 2} of {name} swapped"
            yield told, ast.Call(node.func, given, node.keywords)


def _of_statements(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Two assignments in a row in the other order, where one uses what the other assigns."""
    body: Sequence[ast.stmt] = getattr(node, "body", ())
    if not isinstance(body, list):  # of a lambda or a conditional expression
        return
    for i, (one, two) in enumerate(pairwise(body)):
        both = isinstance(one, ast.Assign) and isinstance(two, ast.Assign)
        if both and (_names(one, ast.Store) & _names(two) or _names(two, ast.Store) & _names(one)):
            changed = copy.copy(node)
            changed.body = [*body[:i], two, one, *body[i + 2 :]]  # type: ignore[attr-defined]
            yield f"lines {one.lineno} and {two.lineno} swapped", changed


def _names(node: ast.AST, context: type[ast.expr_context] = ast.expr_context) -> set[str]:
    found = (n for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, context))
    return {name.id for name in found}


@cache
def _reached(kind: str, rule: str) -> Sequence[tuple[Dialect, frozenset[int]]]:
    """The lines that each dialect executes: the reference's own, and every single departure."""
    dialects = _module(kind, rule).DIALECTS
    departures = [((name, choice),) for name, known in dialects.items() for choice in known]
    found = []
    for dialect in ((), *departures):
        try:
            kernel = Kernel(rule, dialect=dict(dialect))
        except ValueError:  # a choice that is none alone
            continue
        found.append((dialect, _executed(kernel)))
    return found


def _executed(kernel: Kernel) -> frozenset[int]:
    """The lines of a kernel that its first checks execute."""
    lines: set[int] = set()
    own = f"<{kernel.module.__name__}, changed>"

    def local(frame: FrameType, event: str, _: object) -> Any:
        lines.add(frame.f_lineno)
        return local

    def entered(frame: FrameType, event: str, _: object) -> Any:
        return local(frame, event, None) if frame.f_code.co_filename == own else None

    def traced(method: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any) -> Any:
            sys.settrace(entered)
            try:
                return method(*given)
            finally:
                sys.settrace(None)

        return called

    # Of the kernel alone: the judge's own lines would take most of the time.
    for name in METHODS[kernel.capability.kind]:
        setattr(kernel, name, traced(getattr(kernel, name)))
    for check in checks_of(kernel):
        if check.name in _FIRST:
            run_check(kernel, check, level="smoke", seed=0, told=False)
    return frozenset(lines)
