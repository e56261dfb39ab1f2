"""How much there is to a rule: the text of its step, its hyperparameters and its branches."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType, ModuleType

from truestep.reference.optimizers import OPTIMIZERS

_OURS = "truestep.reference."


@dataclass(frozen=True, slots=True)
class Complexity:
    """lines: statements of a step, and of what it calls in the reference, a line each.

    hyperparameters: numbers and switches. choices: on which libraries differ. branches: conditions
    and loops of those lines. by_choice: of them, how many ask the hyperparameters alone.
    """

    lines: int
    hyperparameters: int
    choices: int
    branches: int
    by_choice: int


def complexity(name: str) -> Complexity:
    """The complexity of a rule's reference, by its text."""
    rule = OPTIMIZERS[name]
    trees = [_tree(function) for function in reached(rule.step)]  # type: ignore[arg-type]
    tests = [test for tree in trees for test in _tests(tree)]
    return Complexity(
        lines=sum(len(ast.unparse(tree).splitlines()) for tree in trees),
        hyperparameters=len(rule.Hyper.RANGES),
        choices=len(rule.Hyper.CHOICES),
        branches=len(tests),
        by_choice=sum(_asks_choices(test) for test in tests),
    )


def reached(function: FunctionType) -> list[FunctionType]:
    """The function, and every one of the references that it calls, however far."""
    found, waiting = {function: None}, [function]
    while waiting:
        for other in _called(waiting.pop()):
            if other not in found:
                found[other] = None
                waiting.append(other)
    return list(found)


def _called(function: FunctionType) -> Iterator[FunctionType]:
    for node in ast.walk(_tree(function)):
        named: object = None
        if isinstance(node, ast.Name):
            named = function.__globals__.get(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = function.__globals__.get(node.value.id)
            named = getattr(module, node.attr, None) if isinstance(module, ModuleType) else None
        if isinstance(named, FunctionType) and named.__module__.startswith(_OURS):
            yield named


def _tree(function: FunctionType) -> ast.FunctionDef:
    """The function's text without its docstring, its decorators and its annotations."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    if ast.get_docstring(tree) is not None:
        tree.body = tree.body[1:]
    tree.decorator_list, tree.returns = [], None
    for argument in tree.args.args:
        argument.annotation = None
    return tree


def _tests(tree: ast.FunctionDef) -> Iterator[ast.expr]:
    """What is asked at each branch: conditions, and what loops go through."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.If, ast.IfExp, ast.While)):
            yield node.test
        elif isinstance(node, ast.For):
            yield node.iter
        elif isinstance(node, ast.comprehension):
            yield from (node.iter, *node.ifs)


def _asks_choices(test: ast.expr) -> bool:
    """Whether the hyperparameters, h, decide it alone."""
    names = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
    return names == {"h"}
