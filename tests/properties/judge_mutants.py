"""Mutants of the judge itself: the suite's own tests must notice each, or a reason says why not.

python tests/properties/judge_mutants.py [--only GLOB] [--every K] [MODULE...] runs those of modules
of properties, as judge/contracts, or of all in TESTS, and prints what survives; 1 if anything does
that judge_survivors.toml does not list. Tests are collected once; each mutant is a process of its
own, in which one function has other code, and in which the tests run that execute it, the quickest
first, until one fails. A test that computes for longer than PATIENT seconds is left out.
"""

from __future__ import annotations

import ast
import gc
import importlib
import inspect
import json
import os
import resource
import sys
import textwrap
import time
import tomllib
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest

from truestep.properties.museum.changes import Change, Part, Ways, changes, parts

HERE = Path(__file__).parent
# Threefold constants, statements left out, comparisons turned round.
WAYS = Ways(2.0, {}, removed=True, guards=True)
# Seconds of a test that may be run for a mutant.
PATIENT = 6.0
# How many times as long as without a mutant its tests may compute, and how many seconds anyway.
SLOWER, ANYWAY = 3, 5
# The tests of every module that decides: what stands beside it, and what it was written for.
TESTS: dict[str, tuple[str, ...]] = {
    "arithmetic/bounded/bounded": (
        "arithmetic/test_bounded_operations.py", "arithmetic/test_certainty.py",
    ),
    "arithmetic/bounded/certainty": ("arithmetic/test_certainty.py",),
    "arithmetic/bounded/elementary": (
        "arithmetic/test_bounded_operations.py", "arithmetic/test_bounds.py",
    ),
    "arithmetic/bounded/estimate": (
        "arithmetic/test_bounded_operations.py", "arithmetic/test_certainty.py",
    ),
    "arithmetic/bounded/functions": (
        "arithmetic/test_bounded_functions.py", "arithmetic/test_bounded_operations.py",
        "arithmetic/test_bounds.py",
    ),
    "arithmetic/bounded/operations": (
        "arithmetic/test_bounded_operations.py", "arithmetic/test_bounds.py",
    ),
    "arithmetic/decision": ("arithmetic/test_decision.py",),
    "arithmetic/exact": ("arithmetic/test_exact.py",),
    "arithmetic/lift": ("arithmetic/test_lift.py",),
    "arithmetic/sampled/decompositions": (
        "arithmetic/test_decompositions.py", "arithmetic/test_sampled.py",
    ),
    "arithmetic/sampled/functions": (
        "arithmetic/test_sampled.py", "arithmetic/test_sampled_sizes.py",
    ),
    "arithmetic/sampled/operations": (
        "arithmetic/test_sampled.py", "arithmetic/test_sampled_sizes.py",
    ),
    "arithmetic/sampled/replicates": ("arithmetic/test_replicates.py",),
    "arithmetic/sampled/rows": (
        "arithmetic/test_sampled.py", "arithmetic/test_sampled_sizes.py",
    ),
    "arithmetic/sampled/sampled": ("arithmetic/test_sampled.py", "arithmetic/test_sampling.py"),
    "arithmetic/sampled/sums": (
        "arithmetic/test_sampled.py", "arithmetic/test_sampled_sizes.py",
    ),
    "judge/calls": ("judge/test_calls.py",),
    "judge/contracts": (
        "judge/test_contracts.py", "judge/test_exact_contracts.py",
        "judge/test_sampled_contract.py",
    ),
    "judge/records": ("judge/test_records.py", "run/test_replay.py"),
    "judge/remembered": ("judge/test_remembered.py",),
    "judge/results": ("judge/test_exact_contracts.py", "judge/test_records.py"),
    "judge/tally": ("judge/test_tally.py",),
    "judge/truth": ("judge/test_truth.py",),
    "cases/dice": ("cases/test_dice.py", "cases/test_independent.py"),
    "cases/strata": ("cases/test_dice.py",),
    "kinds/optimizer/direction": ("kinds/optimizer/test_counts.py",),
    "kinds/optimizer/likeness": ("kinds/optimizer/test_likeness.py",),
    "kinds/optimizer/joint": ("kinds/optimizer/test_step.py",),
    "kinds/optimizer/noise": ("kinds/optimizer/test_counts.py",),
    "kinds/optimizer/sampling": ("arithmetic/test_sampling.py", "kinds/optimizer/test_counts.py"),
    "kinds/optimizer/step": (
        "kinds/optimizer/test_step.py", "kinds/optimizer/test_storage.py",
    ),
    "kinds/optimizer/storage": (
        "kinds/optimizer/test_storage.py", "kinds/optimizer/test_stored_steps.py",
    ),
    "kinds/optimizer/stored": ("kinds/optimizer/test_stored_steps.py",),
    "kinds/quantizer/rounding_statistics": ("kinds/quantizer/test_rounding_statistics.py",),
    "kinds/quantizer/statements": (
        "kinds/quantizer/test_further_faults.py", "kinds/quantizer/test_quantizer_laws.py",
    ),
    "kinds/quantizer/step": ("kinds/quantizer/test_step.py",),
    "kinds/schedule/step": ("kinds/schedule/test_step.py",),
    "kinds/training/step": (
        "kinds/training/test_step.py", "kinds/training/test_training_checks.py",
    ),
    "kinds/life/claims": ("kinds/life/test_claims_of_lives.py", "kinds/life/test_lives.py"),
    "kinds/life/laws": ("kinds/life/test_claims_of_lives.py", "kinds/life/test_lives.py"),
    "kinds/minimizer/step": ("kinds/minimizer/test_minimizer_checks.py",),
    "laws/claims": ("laws/test_claims.py",),
    "laws/entries": ("laws/test_claims.py",),
    "search/arithmetics": ("search/test_arithmetics.py",),
    "search/exploration": ("search/test_exploration.py",),
    "search/identification": ("search/test_identification.py", "kinds/test_adding_a_kind.py"),
    "search/likeness": ("search/test_identification.py", "kinds/optimizer/test_likeness.py"),
    "search/recalled": ("search/test_recalled.py",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change of a part of a module. name: the module, the part, what is changed and how."""

    name: str
    module: ModuleType
    part: Part
    change: Change


def mutants(name: str) -> Iterator[Mutant]:
    """Every mutant of a module of properties."""
    module = importlib.import_module(f"truestep.properties.{name.replace('/', '.')}")
    met = Counter[str]()
    for part in parts(inspect.getsource(module)):
        if isinstance(part.node, ast.Assign) and not _is_number(part.node.value):
            continue
        for change in changes(part, WAYS):
            if change.about == "left out" and change.old == ast.unparse(part.node):
                continue  # a number without which nothing could be imported
            told = f"{name} {part.name}: {change.old}: {change.about}"
            met[told] += 1
            again = f" ({met[told]})" if met[told] > 1 else ""
            yield Mutant(told + again, module, part, change)


def _is_number(node: ast.expr) -> bool:
    return all(
        isinstance(one, ast.Constant | ast.BinOp | ast.operator | ast.UnaryOp | ast.unaryop)
        for one in ast.walk(node)
    )


def plant(mutant: Mutant) -> None:
    """Give the functions of this process the mutant's code, or all modules its number.

    So too what the part has made when its module was loaded, as the operations of a table.
    """
    part, file = mutant.part.node, str(mutant.module.__file__)
    if isinstance(part, ast.Assign):
        _give(mutant, mutant.change.text())
        return
    whole = inspect.getsource(mutant.module)
    lines, last = whole.splitlines(keepends=True), part.end_lineno or part.lineno
    before, after = "".join(lines[: part.lineno - 1]), "".join(lines[last:])
    old = _inner(compile(whole, file, "exec", dont_inherit=True), mutant.part.name)
    text = textwrap.indent(_holding(mutant.change.text(), old), " " * part.col_offset) + "\n"
    changed = compile(before + text + after, file, "exec", dont_inherit=True)
    becomes = dict(_pairs(old, _inner(changed, mutant.part.name)))
    found = [
        one
        for one in gc.get_objects()
        if type(one) is FunctionType  # asking what is loaded lazily for its class would load it
        and one.__code__.co_filename == file
        and one.__code__ in becomes
    ]
    if not found:
        raise LookupError(f"nothing is called {mutant.part.name} in {file}")
    for function in found:
        function.__code__ = becomes[function.__code__]


def _pairs(old: Sequence[CodeType], new: Sequence[CodeType]) -> Iterator[tuple[CodeType, CodeType]]:
    """What has the same name, and as often."""
    for name in {code.co_qualname for code in old}:
        was, made = ([x for x in of if x.co_qualname == name] for of in (old, new))
        if len(was) == len(made):
            yield from zip(was, made, strict=True)


def _holding(text: str, old: Sequence[CodeType]) -> str:
    """The text, whose functions in functions name what they named: code fits what is closed over.

    By a statement that is never executed.
    """
    tree = ast.parse(textwrap.dedent(text))
    free = {code.co_name: code.co_freevars for code in old[1:]}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node is not tree.body[0] and free.get(node.name):
            node.body.append(ast.parse(f"if 0: {', '.join(free[node.name])}").body[0])
    return ast.unparse(tree)


def _inner(code: CodeType, name: str) -> list[CodeType]:
    """The code of that name, and that of the functions in it."""
    within = f"{name}.<locals>."
    return [x for x in _codes(code) if x.co_qualname == name or x.co_qualname.startswith(within)]


def _give(mutant: Mutant, text: str) -> None:
    name = mutant.part.name
    old = vars(mutant.module)[name]
    exec(text, vars(mutant.module))
    new = vars(mutant.module)[name]
    for module in list(sys.modules.values()):
        if vars(module).get(name) is old:
            setattr(module, name, new)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield one
            yield from _codes(one)


class Runner:
    """In the place of pytest's loop: which lines each test executes, then the mutants."""

    def __init__(self, made: Sequence[Mutant]) -> None:
        self.made = made
        self.survived: list[str] = []
        self.counts: Counter[str] = Counter()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the mutants."""
        files = {str(mutant.module.__file__) for mutant in self.made}
        covered = json.loads(_in_a_process(lambda: json.dumps(_covered(session.items, files)))[1])
        items = {item.nodeid: item for item in session.items}
        for mutant in self.made:
            file, (first, last) = str(mutant.module.__file__), mutant.change.lines
            lines = set(range(first, last + 1))
            through = [
                (seconds, name)
                for name, (seconds, of) in covered.items()
                if isinstance(mutant.part.node, ast.Assign) or lines & set(of.get(file, ()))
            ]
            enough = ANYWAY + SLOWER * round(sum(seconds for seconds, _ in through))
            word = _fate(mutant, [items[name] for _, name in sorted(through)], enough)
            self.counts[word] += 1
            if word in ("survives", "not planted", "not reached"):
                self.survived.append(mutant.name)
                print(f"{word}: {mutant.name}", flush=True)
        return True


def _covered(items: Sequence[pytest.Item], files: set[str]) -> dict[str, Any]:
    """Of every passing test: its seconds, and by file the lines that it executes."""
    found: dict[str, Any] = {}
    for item in items:
        lines: dict[str, set[int]] = {}

        def local(frame: FrameType, event: str, _: object, lines: Any = lines) -> Any:
            lines.setdefault(frame.f_code.co_filename, set()).add(frame.f_lineno)
            return local

        def entered(frame: FrameType, event: str, _: object, local: Any = local) -> Any:
            return local(frame, event, None) if frame.f_code.co_filename in files else None

        begun = time.process_time()
        sys.settrace(entered)
        reports = _reports(item)
        sys.settrace(None)
        seconds = time.process_time() - begun
        if any(report.failed for report in reports):
            print(f"fails without any mutant: {item.nodeid}", flush=True)
        elif lines and seconds < PATIENT:
            found[item.nodeid] = (seconds, {file: sorted(of) for file, of in lines.items()})
    return found


def _reports(item: pytest.Item) -> Sequence[pytest.TestReport]:
    """What running a test gives, without a word on the terminal."""
    runner = item.config.pluginmanager.get_plugin("runner")
    found: Sequence[pytest.TestReport] = runner.runtestprotocol(item, log=False, nextitem=None)
    return found


def _fate(mutant: Mutant, items: Sequence[pytest.Item], enough: int) -> str:
    """What becomes of a mutant: killed, hangs, survives, not planted or not reached.

    enough: the seconds that its tests may compute.
    """
    if not items:
        return "not reached"

    def tried() -> str:
        resource.setrlimit(resource.RLIMIT_CPU, (enough, enough))
        plant(mutant)
        for item in items:
            if any(report.failed for report in _reports(item)):
                return "killed"
        return "survives"

    status, told = _in_a_process(tried)
    if status == 0:
        return told
    return "hangs" if os.WIFSIGNALED(status) else "not planted"


def _in_a_process(work: Any) -> tuple[int, str]:
    """How a copy of this process ends that does the work, and the text it gives."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        status = 1
        try:
            with os.fdopen(theirs, "w") as out:
                out.write(work())
            status = 0
        finally:
            os._exit(status)
    os.close(theirs)
    with os.fdopen(ours) as told:
        text = told.read()
    return os.waitpid(child, 0)[1], text


def listed() -> dict[str, str]:
    """The reasons by the mutants' names."""
    table = tomllib.loads((HERE / "judge_survivors.toml").read_text("utf-8"))
    return {
        f"{home} {name}": reason
        for home, reasons in table.items()
        for reason, names in reasons.items()
        for name in names
    }


def main() -> int:
    """Run what the command line asks for."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", default=list(TESTS))
    parser.add_argument("--only", default="*")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="those too that a reason is given for")
    given = parser.parse_args()
    known = listed()
    made = [
        one for name in given.modules for one in mutants(name) if fnmatchcase(one.name, given.only)
    ]
    made = [one for one in made if given.all or one.name not in known][:: given.every]
    files = sorted({str(HERE / file) for name in given.modules for file in TESTS[name]})
    runner = Runner(made)
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-s",
        f"--rootdir={HERE.parents[1]}",
    ]
    status = pytest.main([*options, *files], plugins=[runner])
    print(f"{len(made)} mutants: {dict(runner.counts)}")
    wrong = [name for name in runner.survived if name not in known]
    return 1 if wrong or status else 0


if __name__ == "__main__":
    raise SystemExit(main())
