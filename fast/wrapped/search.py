"""Finds which rule an optimizer computes, in which form, and where it keeps the rule's state."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

import numpy as np

from truestep.fast.locating import BrokenBackend, require_optimizer
from truestep.fast.protocol import Array, Fixed, Shapes
from truestep.fast.wrapped import counted, forms, matching, trials
from truestep.fast.wrapped.matching import Place
from truestep.fast.wrapped.names import paired, renamed
from truestep.fast.wrapped.trials import MATRIX, VECTOR, WIDE, Named, Subject, Trial
from truestep.reference.advance import advanced
from truestep.reference.declared import Flag, fields_of
from truestep.reference.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    from truestep.reference.rules import Optimizer

# How far a form that agrees may be off, by the largest change of a step: float64, and float32
# inside or throughout. The nearest wrong forms are off by 1e-3 and more.
WITHIN = 1e-4
# Of several that agree, those that are so many times farther off than the nearest do not, unless
# they are nearer than the other number: a small number is told from none so.
_NEARLY, _SHARP = 10.0, 1e-6
# Of rules that iterate on matrices, which some do in bfloat16: no form nearer, and none beside it.
# Five rounds of Muon's iteration in bfloat16 end up to 0.22 off, since small singular values grow.
_COARSE, _NEXT = 0.25, 2.0
# Steps of the run by which a form is confirmed where the rule was not given: most of what an
# optimizer does from some step on, or every so many, is done by then. Rounding has had so many
# times the steps of a trial to add up, and numbers near 1 lose more of their distance to it.
_LONG, _TIMES = 40, 5
# Forms that agree, between which probes decide.
_MOST_TIED = 200
# Of how many candidates an error tells, and what more than them is not worth telling.
_MOST_TOLD = 3
_FAR = 1e3
# Choices between forms where the rule is not given.
_NEAR = 3


@dataclass(frozen=True, slots=True)
class Found:
    """What an optimizer computes.

    numbers: the rule's fields and the optimizer's names. state, counter: where the rule's state is
    kept. distance: the number of choices in which the form differs from the rule's own. left: its
    numbers that no field of the rule stands for. error: how far it is off, by the largest change.
    unseen: fields of the rule's state that were zero throughout, so that none could be paired.
    beside: what it keeps besides, and changes, for which the rule has no field.
    """

    rule: str
    numbers: Mapping[str, str]
    hyper: Named
    state: Mapping[str, Place]
    counter: Place | None
    distance: int
    left: int
    error: float
    fixed: Mapping[str, Fixed] = field(default_factory=dict)
    shapes: Shapes = "any"
    single: bool = False
    unseen: Sequence[str] = ()
    beside: Sequence[str] = ()

    @property
    def reshaped(self) -> int:
        """How many tensors of the state have another shape than the optimizer's."""
        places = self.state.values()
        return sum(p.shape != np.shape(p.like) for p in places if p.like is not None)

    @property
    def dialect(self) -> dict[str, str]:
        """The choices that differ from the rule's own."""
        module = OPTIMIZERS[self.rule]
        own = module.Hyper()
        return {f: self.hyper[f] for f in module.DIALECTS if self.hyper[f] != getattr(own, f)}


@dataclass(slots=True)
class Tried:
    """A rule whose forms were tried.

    found: those that agree. best: the least error, and of which form. walk, grads: of the first
    form that agrees, its last trial.
    """

    name: str
    found: list[Found]
    best: tuple[float, str] = (math.inf, "")
    walk: forms.Walk = field(default_factory=list)
    grads: Sequence[Array] = ()


def tried(subject: Subject, name: str, farthest: int | None = None) -> Tried:
    """Every form of a rule that agrees with the optimizer, the nearest first."""
    numbers = paired(OPTIMIZERS[name], subject.offered)
    out = _tried(subject, name, numbers, farthest)
    if not out.found and (heard := _heard(subject, name, numbers)) != numbers:
        out = _tried(subject, name, heard, farthest)
    return out


def _heard(subject: Subject, name: str, numbers: Mapping[str, str]) -> dict[str, str]:
    """The numbers without switches that change nothing, as those of a base class may be."""
    rule, (p, grads) = OPTIMIZERS[name], trials.drawn(MATRIX, seed=0)
    values = trials.alive(rule)

    def ends(field: str, on: bool) -> bytes:
        given = renamed(numbers, {**values, field: on})
        return subject.trial(given, p, grads).params[-1].tobytes()

    switches = [f for f in numbers if isinstance(rule.Hyper.RANGES[f], Flag)]
    deaf = [f for f in switches if ends(f, True) == ends(f, False)]
    return {f: theirs for f, theirs in numbers.items() if f not in deaf}


def _tried(subject: Subject, name: str, numbers: Mapping[str, str], farthest: int | None) -> Tried:
    out = _within(subject, name, numbers, farthest, WITHIN)
    if not out.found and OPTIMIZERS[name].FACTS.observables and out.best[0] > WITHIN:
        coarse = _within(subject, name, numbers, farthest, _COARSE)
        least = min((each.error for each in coarse.found), default=0.0)
        coarse.found = [each for each in coarse.found if each.error <= _NEXT * least]
        out = coarse if coarse.found else out
    least = min((each.error for each in out.found), default=0.0)
    out.found = [each for each in out.found if each.error <= max(_SHARP, _NEARLY * least)]
    # What agrees on vectors too comes first, what explains the state, and needs the fewest changes.
    out.found.sort(
        key=lambda each: (each.shapes == "matrices", len(each.beside), each.distance, each.reshaped)
    )
    return out


def _within(
    subject: Subject, name: str, numbers: Mapping[str, str], farthest: int | None, within: float
) -> Tried:
    rule = OPTIMIZERS[name]
    values = trials.alive(rule)
    shapes = (MATRIX, WIDE if rule.FACTS.matrices else VECTOR)
    theirs = renamed(numbers, values)
    runs = [subject.trial(theirs, *trials.drawn(shape, seed=i)) for i, shape in enumerate(shapes)]
    out, open_ = Tried(name, []), forms.choices(rule, numbers, subject.hints, subject.literals)
    counter, left = matching.counter(runs[0]), _left(subject, numbers)
    for changes in forms.forms(open_, farthest):
        hyper = {**{f: values[f] for f in numbers}, **changes}
        error, walks = _walked(rule, hyper, runs, within)
        if error > within:
            out.best = min(out.best, (error, _told(name, changes, open_)))
            continue
        initial = [_initial(rule, hyper, run) for run in runs]
        state, missing = matching.places(walks, runs, WITHIN, initial)
        if missing:
            told = f"{_told(name, changes, open_)} but for its state {', '.join(missing)}"
            out.best = min(out.best, (error, told))
            continue
        if rule.FACTS.matrices and len(walks) < len(runs):
            continue
        everywhere = len(walks) == len(runs) and not rule.FACTS.matrices
        distance = sum(value != open_[f][0] for f, value in changes.items())
        shape: Shapes = "any" if everywhere else "matrices"
        last = walks[0][-1][0]
        unseen = [f for f, x in last.items() if f not in ("t", *state) and np.size(x)]
        found = Found(name, numbers, hyper, state, counter, distance, left, error)
        known = [*state.values(), *([counter] if counter else [])]
        beside = matching.unexplained(runs[0], known)
        beside = [n for n in beside if not counted.follows(runs[0], n, hyper)]
        out.found.append(replace(found, shapes=shape, unseen=unseen, beside=beside))
        if everywhere or not out.walk:
            out.walk, out.grads = walks[-1], runs[len(walks) - 1].grads
        if len(out.found) >= _MOST_TIED:
            break
    return out


def _walked(
    rule: Optimizer, hyper: Named, runs: Sequence[Trial], within: float
) -> tuple[float, list[forms.Walk]]:
    """The error on the matrix, or on both tensors where the form agrees on the vector too."""
    error, walk = forms.walked(rule, hyper, runs[0], within)
    if error > within:
        return error, []
    walks = [walk]
    for run in runs[1:]:
        again, walk = forms.walked(rule, hyper, run, within)
        if again <= within:
            walks.append(walk)
    return error, walks


def _initial(rule: Optimizer, hyper: Named, run: Trial) -> Named:
    return fields_of(rule.init(rule.Hyper(**hyper), run.params[0]))


def _left(subject: Subject, numbers: Mapping[str, str]) -> int:
    taken = {name.removeprefix("-") for name in numbers.values()}
    kinds = (int, float, tuple)
    return sum(
        isinstance(x, kinds) and not isinstance(x, bool) and name not in taken
        for name, x in subject.offered.items()
    )


def _told(name: str, changes: Mapping[str, object], open_: Mapping[str, Sequence[object]]) -> str:
    """A rule and how its form differs, in words."""
    words = [f"{f} {x}" for f, x in sorted(changes.items()) if x != open_[f][0]]
    return ", ".join([name, *words])


def candidates(subject: Subject) -> list[Tried]:
    """Every rule that needs no input besides the gradient, tried; those that cannot be left out.

    Rules of matrix functions, whose forms take long, only where none of the others agrees.
    """
    every: list[Tried] = []
    remembered = trials.Remembered(subject)
    for matrices in (False, True):
        for name, rule in OPTIMIZERS.items():
            if not rule.FACTS.inputs and (rule.FACTS.observables is not None) == matrices:
                with suppress(BrokenBackend):
                    every.append(tried(remembered, name, _NEAR))
        if any(each.found for each in every):
            break
    return every


def best(subject: Subject, name: str | None) -> Tried:
    """The rule's forms that agree; without a name those of the rule that explains the most."""
    if name is not None:
        require_optimizer(name)
    if name is not None and OPTIMIZERS[name].FACTS.inputs:
        inputs = ", ".join(OPTIMIZERS[name].FACTS.inputs)
        raise BrokenBackend(f"{subject.name}: {name} takes {inputs} too: write an adapter for it")
    every = [tried(subject, name)] if name else [*candidates(subject), *_namesake(subject)]
    agreeing = _nearest([each for each in every if each.found])
    for chosen in sorted(agreeing, key=lambda each: _rank(subject, each.found[0])):
        agreed = chosen.found
        if name is None and _confirmed(subject, chosen) and len(chosen.found) < _MOST_TIED:
            # Forms farther away may agree as well, and be told apart by the probes.
            chosen = tried(subject, chosen.name)
            _confirmed(subject, chosen)
        if not chosen.found and chosen.name == _called(subject):
            # What is called like a rule, and is it for some steps, is to be that rule later too.
            chosen.found = agreed
        if chosen.found:
            # Once more with this rule's numbers: what the subject keeps is of its last trial.
            numbers = renamed(chosen.found[0].numbers, trials.alive(OPTIMIZERS[chosen.name]))
            run = subject.trial(numbers, *trials.drawn(MATRIX, seed=0))
            if all(np.array_equal(p, run.params[0]) for p in run.params):
                # A rule whose steps are short enough would agree.
                raise BrokenBackend(f"{subject.name}: {len(run.grads)} steps change no parameter")
            return chosen
    called = _called(subject)
    told = [
        f"{form} ({'infinitely' if error > _FAR else f'{error:.1g}'} off)"
        # What it is called like first: that is what it was meant to be.
        for _, error, form in sorted({(each.name != called, *each.best) for each in every})
        if form
    ]
    nearest = "; ".join(told[:_MOST_TOLD]) or "none could be run"
    what = name or "any rule"
    raise BrokenBackend(
        f"{subject.name}: does not compute {what} in any form; the nearest, and by how much of the "
        f"largest change of a step each is off: {nearest}{_needing(subject)}"
    )


def _nearest(agreeing: list[Tried]) -> list[Tried]:
    """Those that are not much farther off than the nearest, as of one rule's forms."""
    errors = [min(form.error for form in each.found) for each in agreeing]
    limit = max(_SHARP, _NEARLY * min(errors, default=0.0))
    return [each for each, error in zip(agreeing, errors, strict=True) if error <= limit]


def _namesake(subject: Subject) -> list[Tried]:
    """The rule that is called like the optimizer, in all forms: rules have more than are near."""
    rule = _called(subject)
    if rule is None or OPTIMIZERS[rule].FACTS.inputs:
        return []
    try:
        return [tried(subject, rule)]
    except BrokenBackend:
        return []


def _called(subject: Subject) -> str | None:
    """The rule with the longest name that is in the optimizer's: muon of SingleDeviceMuon."""
    name = _plain(subject.name.rpartition(".")[2])
    return max((rule for rule in OPTIMIZERS if _plain(rule) in name), key=len, default=None)


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def _needing(subject: Subject) -> str:
    """What an adapter would have to give, where the optimizer is called like a rule with inputs."""
    rule = _called(subject)
    if rule is None or not (inputs := OPTIMIZERS[rule].FACTS.inputs):
        return ""
    return f"; if it is {rule}, which takes {', '.join(inputs)} too, it needs an adapter"


def _confirmed(subject: Subject, tried: Tried) -> bool:
    """Keep the forms that agree over many steps with usual numbers, and say if there are any."""
    rule, numbers = OPTIMIZERS[tried.name], tried.found[0].numbers
    if tried.found[0].error > WITHIN:  # by coarse iterations, of which no run can be long
        return True
    usual = {field: getattr(rule.Hyper(), field) for field in numbers}
    try:
        run = subject.trial(renamed(numbers, usual), *trials.drawn(MATRIX, seed=0, steps=_LONG))
    except BrokenBackend:  # it takes other numbers only
        return True
    kept = []
    for each in tried.found:
        hyper = {**each.hyper, **usual}
        error, walk = forms.walked(rule, hyper, run, _TIMES * max(WITHIN, each.error))
        if walk:
            kept.append(each)
        tried.best = min(tried.best, (error, f"{tried.name} after {_LONG} steps"))
    tried.found = kept
    return bool(kept)


def _rank(subject: Subject, found: Found) -> tuple[object, ...]:
    rule = OPTIMIZERS[found.rule]
    unnamed = sum(f not in found.numbers for f in rule.Hyper.RANGES)
    names = _plain(found.rule), _plain(subject.name.rpartition(".")[2])
    likeness = SequenceMatcher(None, *names).ratio()
    explains = found.shapes == "matrices", len(found.beside), found.left, unnamed
    return *explains, -likeness, found.distance, found.rule


def mixes(found: Found) -> bool:
    """Whether an element of the result depends on another element, as where a norm is taken."""
    rule = OPTIMIZERS[found.rule]
    if rule.FACTS.elementwise:
        return False
    if rule.FACTS.matrices or found.shapes == "matrices":
        return True
    p, grads = trials.drawn(VECTOR, seed=0)
    steps = []
    for sizes in ((1.0, 1.0), (3.0, 0.5)):
        h = rule.Hyper(**found.hyper)
        s, q = rule.init(h, p), p
        for g, size in zip(grads, itertools.cycle(sizes), strict=False):
            s, q = advanced(rule, h, s, q, np.array([*g[:-1], size * g[-1]]))
        steps.append(q[:-1])
    return not np.array_equal(steps[0], steps[1])


def evaluated(found: Found, hyper: Named, state: Named, p: Array, g: Array) -> tuple[Named, Array]:
    """One step of a found form with other numbers; raises ValueError where it takes them not."""
    rule: Any = OPTIMIZERS[found.rule]
    s, q = advanced(rule, rule.Hyper(**{**found.hyper, **hyper}), rule.State(**state), p, g)
    return fields_of(s), np.asarray(q)
