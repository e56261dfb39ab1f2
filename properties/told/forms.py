"""What a line may be by a slip of the hand: a term left out, a sign, the step before, another beta.

The museum's mutants are every small change, for measuring the checks. These are the few that people
make, each a claim about what a kernel computes.
"""

import ast
from collections.abc import Iterator, Sequence

from truestep.properties.told.lines import assigned, replaced, used

_SWAPPED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}


def forms(
    statement: ast.stmt, before: Sequence[str], numbers: Sequence[str], names: Sequence[str]
) -> Iterator[ast.stmt]:
    """The statement with one slip each.

    before: fields of the state, whose last values may stand where the new ones are due. numbers:
    fields of the Hyper that may stand in each other's place. names: tensors that may.
    """
    if not isinstance(statement, ast.Assign | ast.AugAssign):
        return
    for at, node in enumerate(ast.walk(statement)):
        for other in _of(node, before, numbers, names):
            yield replaced(statement, at, other)
    if assigned(statement) & used(statement):
        yield ast.copy_location(ast.Pass(), statement)


def _of(
    node: ast.AST, before: Sequence[str], numbers: Sequence[str], names: Sequence[str]
) -> Iterator[ast.expr]:
    match node:
        case ast.BinOp():
            yield from _of_operation(node)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            yield ast.Compare(right, [op], [left])
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            yield inner
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr=name), args=[*given]):
            choices = given[1:] if name == "where" else given[:2]
            yield from choices
        case ast.Name(id="t", ctx=ast.Load()):
            for way in (ast.Sub(), ast.Add()):
                yield ast.BinOp(ast.Name("t", ast.Load()), way, ast.Constant(1))
        case ast.Name(id=name, ctx=ast.Load()):
            if name in before:
                yield _field("s", name)
            if name in names:
                yield from (ast.Name(other, ast.Load()) for other in names if other != name)
        case ast.Attribute(value=ast.Name(id="h"), attr=name) if name in numbers:
            yield from (_field("h", other) for other in numbers if other != name)


def _of_operation(node: ast.BinOp) -> Iterator[ast.expr]:
    """Either operand alone, and the operation turned round."""
    left, op, right = node.left, node.op, node.right
    yield left
    match op:
        case ast.Sub():
            yield ast.UnaryOp(ast.USub(), right)
            yield ast.BinOp(right, op, left)
        case ast.Div():
            yield ast.BinOp(ast.Constant(1.0), op, right)
        case ast.Pow():
            return
        case _:
            yield right
    if type(op) in _SWAPPED:
        yield ast.BinOp(left, _SWAPPED[type(op)](), right)


def _field(owner: str, name: str) -> ast.Attribute:
    return ast.Attribute(ast.Name(owner, ast.Load()), name, ast.Load())
