"""Automatic mutants: every small change of a reference's lines, run as a kernel of its own.

What the planted faults are by hand, these are by rule, so that the power of the checks is measured
and not chosen: constants, operators, comparisons, branches, arguments, the order of statements,
hyperparameters that are not read. A mutant is judged under the dialects that execute its lines; one
of a module that rules share, through rules that use it. It is killed when a check fails, and else
a survivor: equivalent, or a gap.
"""

import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields
from functools import cache
from types import FrameType, ModuleType
from typing import Any, cast

from truestep.fast.protocol import METHODS, Level
from truestep.properties.museum.changes import Change, Ways, changes, parts
from truestep.properties.museum.kept import fresh
from truestep.properties.museum.plant import Edit, Kernel, StaleEdit, code
from truestep.properties.museum.sharing import SHARED, Judge
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.rules import Rule
from truestep.reference.tables import RULES

# By how much a constant is off: a few times the roundoff of float32.
_OFF = 1e-6
_REFERENCE = "truestep.reference"
# What a module declares of itself, which no kernel computes with.
_DECLARED = {
    "BLOCKS", "BLOCK_SIZES", "DIALECTS", "EXACT", "FACTS", "FORMATS", "INDEPENDENT", "INPUTS",
    "LAWS", "NONNEGATIVE", "OPTIONAL", "SCALE", "SCALES", "SIGNED", "STORES", "_LAWS", "_SHARED",
}  # fmt: skip
HANGS = "hangs"
# Its module raises when it is loaded.
BROKEN = "cannot be made"
# Of the process's own time: a check of a correct kernel takes a few.
_SECONDS = 120
# The checks that are run first.
_FIRST = ("strata", "early_steps", "values")

Dialect = tuple[tuple[str, str], ...]
# The lines of each module, by its name, that ran.
Executed = Mapping[str, frozenset[int]]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change of a module's lines.

    name: the module, its part, what is changed and how, whatever line that is in. judges: the rules
    through which it is judged.
    """

    name: str
    module: ModuleType
    change: Change
    judges: tuple[Judge, ...]

    def edit(self) -> Edit:
        """What is to be planted."""
        return self.module, self.change.part.text, self.change.text()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant.

    killed: the first failing check, HANGS, BROKEN, or "" where every one passed. reached: whether
    any dialect executes its lines.
    """

    mutant: Mutant
    killed: str
    reached: bool


def homes() -> list[str]:
    """Where there are mutants: kind/rule, or shared/module; a format that is a row has none."""
    rules = [
        f"{kind}/{rule}"
        for kind, table in RULES.items()
        for rule, module in table.items()
        if isinstance(module, ModuleType)
    ]
    return rules + [f"shared/{name}" for name in SHARED]


def mutants_of(home: str) -> Iterator[Mutant]:
    """Every mutant of a rule's own lines, or of a module that rules share."""
    kind, _, name = home.partition("/")
    shared = kind == "shared"
    judges = SHARED[name] if shared else (Judge(kind, name),)
    module = sys.modules[f"{_REFERENCE}.{name}"] if shared else cast(ModuleType, RULES[kind][name])
    source, met = code(module), Counter[str]()
    ways = Ways(_OFF, _defaults(RULES[judges[0].kind][judges[0].rule]))
    for part in parts(source):
        declared = set(part.name.strip("()").split(", ")) <= _DECLARED
        if declared or part.name.endswith("__post_init__"):
            continue
        for change in changes(part, ways):
            told = f"{home} {part.name}: {change.old}: {change.about}"
            met[told] += 1
            again = f" ({met[told]})" if met[told] > 1 else ""
            yield Mutant(told + again, module, change, judges)


def judged(mutant: Mutant, *, level: Level = "standard", seed: int = 0) -> Outcome:
    """Run the checks on a mutant until one fails."""
    reached, edit = False, mutant.edit()
    for judge, dialect in _under(mutant):
        reached = True
        try:
            kernel = _kernel(judge, edit, dialect)
        except StaleEdit:
            raise
        except Exception:
            return Outcome(mutant, BROKEN, reached)
        checks = [check for check in checks_of(kernel) if check.kind == judge.kind]
        for check in sorted(checks, key=lambda check: check.name not in _FIRST):
            try:
                with _limited():
                    result = run_check(kernel, check, level=level, seed=seed, told=False)
            except TimeoutError:
                return Outcome(mutant, HANGS, reached)
            if result.verdict in ("fail", "crashed"):
                return Outcome(mutant, check.name, reached)
    return Outcome(mutant, "", reached)


@contextmanager
def _limited() -> Iterator[None]:
    """TimeoutError once this process has computed for longer than any check of a kernel does."""

    def hangs(number: int, frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, hangs)
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _under(mutant: Mutant) -> Iterator[tuple[Judge, Dialect]]:
    """The rules and dialects that execute what has changed: every rule's own dialect first."""
    first, last = mutant.change.lines
    changed = set(range(first, last + 1))
    of_own = [(judge, dialect) for judge in mutant.judges for dialect in _dialects(judge)[:1]]
    departing = [(judge, dialect) for judge in mutant.judges for dialect in _dialects(judge)[1:]]
    for judge, dialect in (*of_own, *departing):
        if _executed(judge, mutant.module, dialect) & changed:
            yield judge, dialect


def _dialects(judge: Judge) -> list[Dialect]:
    """The rule's own, and every single departure."""
    rule = RULES[judge.kind][judge.rule]
    own = {f.name: f.default for f in fields(rule.Hyper)}
    known = [(name, choice) for name, choices in rule.DIALECTS.items() for choice in choices]
    return [(), *((one,) for one in known if one[1] != own[one[0]])]


def _kernel(judge: Judge, edit: Edit, dialect: Dialect) -> Kernel:
    declared = {"dialect": dict(dialect), **judge.declared}
    return Kernel(judge.rule, (edit,), slot=None, groups=None, noise=fresh, **declared)


def _defaults(rule: Rule) -> Mapping[str, float]:
    """The numbers that a kernel may hold in the place of a hyperparameter."""
    found = {f.name: f.default for f in fields(rule.Hyper) if f.default is not MISSING}
    return {name: x for name, x in found.items() if isinstance(x, int | float)}


@cache
def _executed(judge: Judge, module: ModuleType, dialect: Dialect) -> frozenset[int]:
    """The lines of a module that a kernel executes as it is made, and in its first checks.

    None of a dialect that cannot be alone.
    """
    lines: set[int] = set()
    own = f"<{module.__name__}, changed>"

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

    # A copy in which nothing changes, so that its lines are the kernel's alone.
    same = (module, code(module), code(module))
    try:
        kernel = traced(_kernel)(judge, same, dialect)
    except ValueError:
        return frozenset()
    # Of the kernel alone: the judge's own lines would take most of the time.
    for name in METHODS[judge.kind]:
        setattr(kernel, name, traced(getattr(kernel, name)))
    for check in checks_of(kernel):
        if check.name in _FIRST:
            run_check(kernel, check, level="smoke", seed=0, told=False)
    return frozenset(lines)
