"""The lines of a reference's function, run one by one, so that what is between them can be seen.

Branches are decided as they are reached: what is told of a run are the lines that it took.
"""

import ast
import copy
import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from types import CodeType
from typing import TypeVar, cast

from truestep.reference.silence import SILENCE

Function = Callable[..., object]
Tree = TypeVar("Tree", bound=ast.AST)
Names = dict[str, object]
# after(statement, names): what is done once a statement has run; it may put other values there.
After = Callable[[ast.stmt, Names], None]


@cache
def function_of(function: Function) -> ast.FunctionDef:
    """The syntax of a function, what it returns with names.

    `return State(t=t, m=m), p - u` becomes `p_new = p - u`, `return State(t=t, m=m), p_new`. Raises
    ValueError where the text is not at hand.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError, TypeError) as error:
        raise ValueError(f"the text of {function!r} is not at hand") from error
    made = ast.fix_missing_locations(_Naming().visit(tree)).body[0]
    if not isinstance(made, ast.FunctionDef):
        raise ValueError(f"{function!r} is no function with lines of its own")
    return made


class _Naming(ast.NodeTransformer):
    """Gives what is returned names, and leaves out annotations."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    def visit_Return(self, node: ast.Return) -> list[ast.stmt]:
        before: list[ast.stmt] = []

        def named(value: ast.expr, name: str) -> ast.expr:
            if isinstance(value, ast.Name | ast.Attribute):
                return value
            line = ast.Assign([ast.Name(name, ast.Store())], value)
            before.append(ast.copy_location(line, node))
            return ast.Name(name, ast.Load())

        match node.value:
            case ast.Tuple(elts=[ast.Call() as state, p]):
                for given in state.keywords:
                    if given.arg and given.arg != "t":
                        given.value = named(given.value, f"{given.arg}_new")
                node.value.elts[1] = named(p, "p_new")
            case ast.Tuple() | None:
                pass
            case ast.expr() as value:
                node.value = named(value, "value")
        return [*before, node]


def outputs(end: ast.Return, fields: Sequence[str]) -> dict[str, ast.expr]:
    """What a step's return gives, by name: "p", and the fields of the state."""
    match end.value:
        case ast.Tuple(elts=[ast.Call() as state, p]):
            by_place = dict(zip(fields, state.args, strict=False))
            by_name = {given.arg: given.value for given in state.keywords if given.arg}
            return {"p": p, **by_place, **by_name}
    raise ValueError("no step returns that")


def run(
    function: Function,
    given: Mapping[str, object],
    after: After = lambda *_: None,
    instead: Mapping[ast.stmt, ast.stmt] = {},
) -> tuple[ast.Return, Names]:
    """Run a function's lines up to a return: that, and what every name then stands for.

    given: its arguments. instead: statements in the place of others. Raises ValueError where it
    ends without a return, and what the lines raise.
    """
    names: Names = {**getattr(function, "__globals__", {}), **given}
    with SILENCE:
        end = _until_return(function_of(function).body, names, after, instead)
    if end is None:
        raise ValueError("the lines end without a return")
    return end, names


def taken(function: Function, given: Mapping[str, object]) -> tuple[list[ast.stmt], ast.Return]:
    """The statements that ran, branches left out, and the return that they ended with."""
    ran: list[ast.stmt] = []
    end, _ = run(function, given, lambda statement, _: ran.append(statement))
    return ran, end


def evaluated(node: ast.expr, names: Names) -> object:
    """An expression among these names."""
    return eval(_code_of(node), names)


def text(node: ast.AST) -> str:
    """A node in one line."""
    return " ".join(ast.unparse(node).split())


def assigned(node: ast.AST) -> set[str]:
    """The names that a statement gives values to."""
    return {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def used(node: ast.AST) -> set[str]:
    """The names that a statement reads; what it adds to is read as well."""
    read = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return read | (assigned(node.target) if isinstance(node, ast.AugAssign) else set())


def needed(statements: Sequence[ast.stmt], names: set[str]) -> list[ast.stmt]:
    """Of statements in a row, those on which the names depend at their end."""
    wanted, kept = set(names), []
    for statement in reversed(statements):
        if made := assigned(statement) & wanted:
            # A loop may leave a name as it was.
            if isinstance(statement, ast.Assign):
                wanted -= made
            wanted |= used(statement)
            kept.append(statement)
    return kept[::-1]


def replaced(tree: Tree, at: int, new: ast.AST) -> Tree:
    """A copy of a tree with another node at that place of its walk."""
    made = copy.deepcopy(tree)
    old: ast.AST = next(node for i, node in enumerate(ast.walk(made)) if i == at)

    class Replacing(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return copy.deepcopy(new) if node is old else self.generic_visit(node)

    return cast(Tree, ast.fix_missing_locations(Replacing().visit(made)))


def _until_return(
    body: Sequence[ast.stmt], names: Names, after: After, instead: Mapping[ast.stmt, ast.stmt]
) -> ast.Return | None:
    for statement in body:
        if isinstance(statement, ast.Return):
            return statement
        if isinstance(statement, ast.If):
            branch = statement.body if evaluated(statement.test, names) else statement.orelse
            if (end := _until_return(branch, names, after, instead)) is not None:
                return end
        elif not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            exec(_code_of(instead.get(statement, statement)), names)
            after(statement, names)
    return None


# Syntax trees are equal where they are the same, and these keep theirs alive.
@lru_cache(maxsize=4096)
def _code_of(node: ast.stmt | ast.expr) -> CodeType:
    if isinstance(node, ast.expr):
        return compile(ast.Expression(node), "<a reference's line>", "eval")
    return compile(ast.Module([node], []), "<a reference's line>", "exec")
