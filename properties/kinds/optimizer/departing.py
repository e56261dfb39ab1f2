"""The line of a rule in which a kernel departs, found from its own outputs.

A state tensor that a kernel gives back says what its lines up to there came to. With the kernel's
own values in the place of the reference's, the first output that is still beyond its bound departs
by itself, in one of the lines between it and the outputs before it; what errs behind it alone
follows from it. Of these lines, one with a slip of the hand may give all of the kernel's outputs.
"""

import ast
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from truestep.fast.protocol import Slot, Stepped
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.lift import Outputs, bounded
from truestep.properties.arithmetic.profiles import Arithmetic
from truestep.properties.judge.contracts import utilisations
from truestep.properties.judge.results import SLACK
from truestep.properties.told import lines
from truestep.properties.told.forms import forms
from truestep.reference.declared import Hyper
from truestep.reference.rules import Optimizer
from truestep.reference.validation import Array

# A line, and what stands in its place.
Slip = tuple[ast.stmt, ast.stmt]
# What was found of a kernel: nothing yet, or one, or that there is none.
Slips = list[Slip | None]

# Slips that are tried, and lines that are named where none agrees.
_MOST_SLIPS, _MOST_LINES = 400, 4
_UNUSABLE = (ArithmeticError, AttributeError, LookupError, NameError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of one slot: what the kernel made of it, and what is due, twice."""

    hyper: Hyper
    slot: Slot
    new: Stepped
    expected: Outputs
    oracle: Outputs

    def got(self, name: str) -> Array:
        """What the kernel gave of a tensor."""
        return np.asarray(self.new.param if name == "p" else self.new.state[name])

    def ratios(self, name: str) -> Array:
        """The utilisation of every element of a tensor."""
        return utilisations(self.got(name), self.expected[name], self.oracle[name])

    def beyond(self) -> set[str]:
        """The tensors with an element beyond what passes."""
        judged = (n for n, due in self.expected.items() if isinstance(due, Bounded))
        return {name for name in judged if (self.ratios(name) > SLACK).any()}


def departing(
    rule: Optimizer, steps: Sequence[Step], arithmetic: Arithmetic, slips: Slips | None
) -> str:
    """The line in words, "" where the text of the rule says nothing; steps: the failing one first.

    slips: what is known of the kernel's; None: none is looked for.
    """
    try:
        found = _Lines(rule, steps[0], arithmetic)
        own = found.departing()
        if own is None:
            return ""
        tensor, among = own
        slip = None if slips is None else found.slip(among, steps, slips)
    except _UNUSABLE:
        return ""
    follow = sorted(steps[0].beyond() - {tensor} - found.beyond)
    verb = "follow" if len(follow) > 1 else "follows"
    behind = f"; {', '.join(follow)} {verb} from it" if follow else ""
    if slip:
        line, other = slip
        instead = "nothing" if isinstance(other, ast.Pass) else f"`{lines.text(other)}`"
        return f"departs in `{lines.text(line)}`: it computes {instead}{behind}"
    told = [f"`{lines.text(line)}`" for line in among]
    if len(told) == 1:
        return f"departs in {told[0]}{behind}"
    before = ", ".join(found.agreeing(tensor))
    given = f"given its own {before}, " if before else ""
    named = ", ".join(told[:_MOST_LINES]) + (", ..." if len(told) > _MOST_LINES else "")
    return f"{given}{tensor} departs in one of {named}{behind}"


class _Lines:
    """The lines of a step as they ran, and the last that gave each output its value."""

    def __init__(self, rule: Optimizer, step: Step, arithmetic: Arithmetic) -> None:
        self.rule, self.step, self.arithmetic = rule, step, arithmetic
        self.fields = [f.name for f in dataclasses.fields(rule.State)]
        self.ran: list[ast.stmt] = []
        self.counts: set[ast.stmt] = set()
        self.end, _ = lines.run(rule.step, self.given(step), self._note)
        self.outputs = lines.outputs(self.end, self.fields)
        # By the number of the line, the outputs whose value it gives.
        self.last: dict[int, list[str]] = {}
        for name, value in self.outputs.items():
            if isinstance(value, ast.Name) and name in step.expected:
                at = [i for i, line in enumerate(self.ran) if value.id in lines.assigned(line)]
                if at and isinstance(step.expected[name], Bounded):
                    self.last.setdefault(at[-1], []).append(name)
        self.beyond: set[str] = set()

    def given(self, step: Step) -> dict[str, object]:
        """The arguments of the step, in the kernel's arithmetic."""
        lift = bounded(self.arithmetic)
        return {
            "h": lift.hyper(step.hyper),
            "s": lift.state(self.rule.State, step.slot.state),
            "p": lift.tensor(step.slot.param),
            "g": lift.tensor(step.slot.grad),
            **{name: lift.tensor(x) for name, x in step.slot.inputs.items()},
        }

    def _note(self, line: ast.stmt, names: lines.Names) -> None:
        self.ran.append(line)
        if all(isinstance(names.get(name), int) for name in lines.assigned(line)):
            self.counts.add(line)

    def departing(self) -> tuple[str, list[ast.stmt]] | None:
        """The first output that departs by itself, and the lines that it may depart in."""
        place, wrong = -1, self.step.beyond()

        def after(_: ast.stmt, names: lines.Names) -> None:
            nonlocal place
            place += 1
            for name in self.last.get(place, ()):
                value = self.outputs[name]
                assert isinstance(value, ast.Name)
                due = names[value.id]
                if isinstance(due, Bounded):
                    stored = due.stored(name)
                    exactly = stored.like(stored.v, np.zeros_like(stored.e), stored.format)
                    ratio = utilisations(self.step.got(name), stored, exactly)
                    if name in wrong and (ratio > SLACK).any():
                        self.beyond.add(name)
                    names[value.id] = self._own(name)

        with np.errstate(all="ignore"):
            lines.run(self.rule.step, self.given(self.step), after)
        for at in sorted(self.last):
            for name in self.last[at]:
                if name in self.beyond:
                    return name, self._among(at, name)
        return None

    def _own(self, name: str) -> Bounded:
        """The kernel's output, as it goes on with it: perhaps as it was before its store."""
        made, store = (
            Bounded.exact(self.step.got(name), self.arithmetic),
            self.arithmetic.stored(name),
        )
        if store.u > self.arithmetic.format.u:
            made.e = made.e + store.u * np.abs(made.v) + self.arithmetic.eta(store)
        return made

    def _among(self, at: int, name: str) -> list[ast.stmt]:
        """The lines on which an output depends and no output before it that is right."""
        right = [(i, one) for i in self.last for one in self.last[i] if i < at]
        known = {
            line
            for i, one in right
            if one not in self.beyond
            for line in lines.needed(self.ran[: i + 1], lines.used(self.outputs[one]))
        }
        needed = lines.needed(self.ran[: at + 1], lines.used(self.outputs[name]))
        kept = [line for line in needed if line not in known | self.counts]
        return kept or [self.ran[at]]

    def agreeing(self, tensor: str) -> list[str]:
        """The outputs before this one that are what they should be."""
        names = [name for at in sorted(self.last) for name in self.last[at]]
        return [name for name in names[: names.index(tensor)] if name not in self.beyond]

    def slip(self, among: Sequence[ast.stmt], steps: Sequence[Step], known: Slips) -> Slip | None:
        """A line and the slip in it that gives all outputs of all steps, the first that does."""
        if not known:
            tried = islice(self._slips(among), _MOST_SLIPS)
            agree = (slip for slip in tried if all(self._agrees(slip, step) for step in steps))
            known.append(next(agree, None))
        [slip] = known
        return slip if slip and slip[0] in among and self._agrees(slip, self.step) else None

    def _slips(self, among: Sequence[ast.stmt]) -> Iterator[Slip]:
        ranges, hyper = self.rule.Hyper.RANGES, self.step.hyper
        numbers = [name for name in ranges if isinstance(getattr(hyper, name), float)]
        names = ["p", "g", *self.step.slot.inputs]
        for line in among:
            yield from ((line, other) for other in forms(line, self.fields[1:], numbers, names))
            names += lines.assigned(line)

    def _agrees(self, slip: Slip, step: Step) -> bool:
        with np.errstate(all="ignore"):
            try:
                end, names = lines.run(self.rule.step, self.given(step), instead=dict([slip]))
                found = list(self._ratios(step, end, names))
            except _UNUSABLE:
                return False
        return bool(found) and all(not (ratio > SLACK).any() for ratio in found)

    def _ratios(self, step: Step, end: ast.Return, names: lines.Names) -> Iterator[Array]:
        for name, value in lines.outputs(end, self.fields).items():
            due = step.expected.get(name)
            if isinstance(due, Bounded):
                found = lines.evaluated(value, names)
                if not isinstance(found, Bounded) or found.v.shape != due.v.shape:
                    raise ValueError(f"{name} is no tensor any more")
                yield utilisations(step.got(name), found.stored(name), step.oracle[name])
