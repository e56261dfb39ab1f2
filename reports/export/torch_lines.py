"""A reference's lines as plain torch: one dialect, its other branches left out.

The step function takes p, g, the rule's inputs and state, the number of the step (the first is 1)
and the hyperparameters, and returns p and the state, all new.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType

from truestep.reference.declared import Count, Flag, Hyper, Real
from truestep.reference.rules import Optimizer
from truestep.reports.export.torch_functions import CONSTANTS, FUNCTIONS, RENAMED, prelude


class NotWritable(ValueError):
    """The rule's lines use something that is not written in torch here."""


@dataclass(frozen=True, slots=True)
class Lines:
    """body: the function one_step and what it calls, of a module that has imported math and torch.

    inputs: what a step takes besides the gradient. numbers: hyperparameters by name, with what the
    task starts from.
    """

    body: str
    inputs: Sequence[str]
    state: Sequence[str]
    numbers: Mapping[str, object]

    @property
    def source(self) -> str:
        """A whole module."""
        return f"import math\n\nimport torch\n\n\n{self.body}"

    @property
    def arguments(self) -> list[str]:
        """The step function's, in order."""
        return ["p", "g", *self.inputs, *self.state, "step", *self.numbers]


def written(rule: Optimizer, hyper: Hyper) -> Lines:
    """The rule's step in the dialect, and with the switches, of hyper; raises NotWritable."""
    limits = rule.Hyper.RANGES
    numbers = {
        name: getattr(hyper, name)
        for name, x in limits.items()
        if isinstance(x, (Count, Real)) and not isinstance(getattr(hyper, name), tuple)
    }
    folded = {
        name: getattr(hyper, name) for name in (*rule.Hyper.CHOICES, *limits) if name not in numbers
    }
    if whole := [
        n for n, x in rule.Hyper.RANGES.items() if n in folded and not isinstance(x, Flag)
    ]:
        raise NotWritable(f"its {whole[0]} is no number")
    state = [name for name in rule.State.__dataclass_fields__ if name != "t"]
    used: dict[str, str] = {}
    body = _Lines(rule, state, numbers, folded, used).function(rule.step)
    found = Lines("", list(rule.FACTS.inputs), state, numbers)
    body.name = "one_step"
    body.args = ast.parse(f"lambda {', '.join(found.arguments)}: 0", mode="eval").body.args  # type: ignore[attr-defined]
    step = ast.unparse(ast.fix_missing_locations(body))
    parts = [*prelude(used), *_helpers(used), step]
    return Lines("\n\n\n".join(parts) + "\n", found.inputs, state, numbers)


def _helpers(used: Mapping[str, str]) -> list[str]:
    return [source for name, source in used.items() if name not in FUNCTIONS]


def _unlike(name: str, others: Container[str]) -> str:
    """The name, lengthened until it is none of the others."""
    return _unlike(f"{name}_", others) if name in others else name


class _Lines(ast.NodeTransformer):
    """used: NumPy's functions and the rule's own that the lines call, with the source of these."""

    def __init__(
        self, rule: Optimizer, state: Sequence[str], numbers: Mapping[str, object],
        folded: Mapping[str, object], used: dict[str, str],
    ) -> None:  # fmt: skip
        self.rule, self.state, self.numbers = rule, state, numbers
        self.folded, self.used = folded, used
        self.renamed: dict[str, str] = {}
        self.own: set[str] = set()
        self.module: Mapping[str, object] = {}

    def function(self, function: object) -> ast.FunctionDef:
        """A function's syntax in torch, without docstring and annotations."""
        if not isinstance(function, FunctionType):
            raise NotWritable(f"{function!r} is no plain function")
        [tree] = ast.parse(textwrap.dedent(inspect.getsource(function))).body
        if not isinstance(tree, ast.FunctionDef):
            raise NotWritable(f"{function.__name__} is no plain function")
        self.module = function.__globals__
        self.own = {argument.arg for argument in tree.args.args}
        functions = {RENAMED.get(name, name) for name in FUNCTIONS}
        taken = {*self.state, *self.numbers, "step", *functions} - self.own
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        stored = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        there = {node.id for node in names}
        self.renamed = {name: _unlike(f"new_{name}", there) for name in stored & taken}
        if ast.get_docstring(tree):
            tree.body = tree.body[1:]
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                node.returns = None
            elif isinstance(node, ast.arg):
                node.annotation = None
        tree.args.args = [x for x in tree.args.args if x.arg not in ("h", "s")]
        tree.args.args += [ast.arg(name) for name in self._spread(self.own)]
        tree.body = self.block(tree.body)
        return tree

    def _spread(self, names: Container[str]) -> list[str]:
        """What stands in the place of the hyperparameters and of the state among arguments."""
        numbers = self.numbers if "h" in names else ()
        return [*(("step", *self.state) if "s" in names else ()), *numbers]

    def block(self, lines: Sequence[ast.stmt]) -> list[ast.stmt]:
        """Lines without the branches that another dialect takes."""
        out: list[ast.stmt] = []
        for line in lines:
            new = self.visit(line)
            out += new if isinstance(new, list) else [new] if new is not None else []
        return out

    def visit_If(self, node: ast.If) -> ast.stmt | list[ast.stmt]:
        """One branch where the dialect decides."""
        test = self.visit(node.test)
        if isinstance(test, ast.Constant):
            return self.block(node.body if test.value else node.orelse)
        node.test, node.body = test, self.block(node.body)
        node.orelse = self.block(node.orelse)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        """One value where the dialect decides."""
        test = self.visit(node.test)
        if isinstance(test, ast.Constant):
            value: ast.expr = self.visit(node.body if test.value else node.orelse)
            return value
        return ast.IfExp(test, self.visit(node.body), self.visit(node.orelse))

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """Decided where both sides are known."""
        self.generic_visit(node)
        sides = [node.left, *node.comparators]
        if all(isinstance(x, (ast.Constant, ast.Tuple)) for x in sides) and len(sides) == 2:
            left, right = (ast.literal_eval(x) for x in sides)
            [operator] = node.ops
            decided: dict[type[ast.cmpop], bool] = {
                ast.Eq: left == right,
                ast.NotEq: left != right,
                ast.In: isinstance(right, tuple) and left in right,
                ast.NotIn: isinstance(right, tuple) and left not in right,
            }
            if type(operator) in decided:
                return ast.Constant(decided[type(operator)])
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        """Without the parts that are known."""
        values = [self.visit(x) for x in node.values]
        stops = isinstance(node.op, ast.Or)
        known = [x for x in values if isinstance(x, ast.Constant)]
        if any(bool(x.value) == stops for x in known):
            return ast.Constant(stops)
        left = [x for x in values if x not in known]
        if len(left) < 2:
            return left[0] if left else ast.Constant(not stops)
        return ast.BoolOp(node.op, left)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        """Decided where its operand is."""
        self.generic_visit(node)
        if isinstance(node.op, ast.Not) and isinstance(node.operand, ast.Constant):
            return ast.Constant(not node.operand.value)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        """Without the type."""
        assert node.value is not None
        return self._assigned(ast.Assign([self.visit(node.target)], self.visit(node.value)))

    def visit_Assign(self, node: ast.Assign) -> ast.stmt | None:
        """Without the count, which is an argument."""
        if ast.unparse(node) == "t = s.t + 1":
            return None
        return self._assigned(self.generic_visit(node))

    @staticmethod
    def _assigned(node: ast.AST) -> ast.stmt:
        assert isinstance(node, ast.Assign)
        node.lineno = 0
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """Hyperparameters and state by their names alone."""
        if isinstance(node.value, ast.Name):
            owner, name = node.value.id, node.attr
            if owner == "h":
                if name not in self.folded:
                    return ast.Name(name, ast.Load())
                return ast.parse(repr(self.folded[name]), mode="eval").body
            if owner == "s":
                told = "(step - 1)" if name == "t" else name
                return ast.parse(told, mode="eval").body
            if owner == "np":
                if name in CONSTANTS:
                    return ast.parse(f"math.{name}", mode="eval").body
                if name not in FUNCTIONS:
                    raise NotWritable(f"numpy.{name} is not written in torch")
                self.used.setdefault(name, "")
                return ast.Name(RENAMED.get(name, name), ast.Load())
        self.generic_visit(node)
        if node.attr == "size":
            return ast.Call(ast.Attribute(node.value, "numel", ast.Load()), [], [])
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """What a function of the references does comes along."""
        if isinstance(node.func, ast.Name) and node.func.id in self.module:
            name = node.func.id
            if name != "State":
                node.func.id = self._helper(name)
        plain = [x.id if isinstance(x, ast.Name) else "" for x in node.args]
        node.args = [x for x, name in zip(node.args, plain, strict=True) if name not in ("h", "s")]
        self.generic_visit(node)
        node.args += [ast.Name(name, ast.Load()) for name in self._spread(plain)]
        return node

    def _helper(self, name: str) -> str:
        """What a function of the rule's is called here, where no function of NumPy's is."""
        called = _unlike(name, {*FUNCTIONS, *RENAMED.values()})
        if called not in self.used:
            inner = _Lines(self.rule, self.state, self.numbers, self.folded, self.used)
            tree = inner.function(self.module[name])
            tree.name = called
            self.used[called] = ast.unparse(ast.fix_missing_locations(tree))
        return called

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Apart from the arguments of that name; a module's numbers as they are."""
        if isinstance(value := self.module.get(node.id), int | float) and node.id.isupper():
            return ast.Constant(value)
        if node.id == "t" and "t" not in self.own:
            return ast.Name("step", node.ctx)
        return ast.Name(self.renamed.get(node.id, node.id), node.ctx)

    def visit_Return(self, node: ast.Return) -> ast.stmt:
        """p, and the state in its order."""
        value = node.value
        if isinstance(value, ast.Tuple) and isinstance(made := value.elts[0], ast.Call):
            fields = self.rule.State.__dataclass_fields__
            named = {name: self.visit(x) for name, x in zip(fields, made.args, strict=False)}
            named |= {k.arg: self.visit(k.value) for k in made.keywords if k.arg}
            if missing := [name for name in self.state if name not in named]:
                raise NotWritable(f"its {missing[0]} is not written in its last line")
            state = [named[name] for name in self.state]
            return ast.Return(ast.Tuple([self.visit(value.elts[1]), *state], ast.Load()))
        self.generic_visit(node)
        return node
