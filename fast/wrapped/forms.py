"""The forms of a rule, and how far each is from what an optimizer computed."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from truestep.fast.protocol import Array
from truestep.fast.wrapped.trials import Named, Trial
from truestep.reference.advance import advanced
from truestep.reference.declared import Count, Flag, Real, fields_of
from truestep.reference.rules import Optimizer
from truestep.reference.silence import SILENCE

# Forms of one rule that are all tried; of a rule that has more, those so many choices away. So few
# forms are tried even where every rule is.
_MOST_FORMS, _FEW_FORMS = 4000, 200
_FARTHEST = 3
# Values of a number that the optimizer does not offer.
_MOST_VALUES = 5
# A form that is farther off after one step is not followed any more.
_HOPELESS = 3e-3

Walk = list[tuple[Named, Array]]


def choices(
    rule: Optimizer,
    mapped: Mapping[str, object],
    hints: Sequence[float] = (),
    literals: Sequence[float] = (),
) -> dict[str, tuple[object, ...]]:
    """What may differ between forms, by field of Hyper: the most likely value first.

    mapped: fields of which the optimizer has a number of its own. hints: numbers that a field which
    it does not offer may be fixed at. literals: such as stand in its source.
    """
    default = rule.Hyper()
    dialects = {
        field: _first(getattr(default, field), values)
        for field, values in rule.Hyper.CHOICES.items()
    }
    fixed = {
        field: _values(field, limits, getattr(default, field), hints, literals)
        for field, limits in rule.Hyper.RANGES.items()
        if field not in mapped
    }
    return {**dialects, **fixed}


def _first(first: object, values: Sequence[object]) -> tuple[object, ...]:
    return first, *(x for x in values if x != first)


def _values(
    field: str, limits: object, default: object, hints: Sequence[float], literals: Sequence[float]
) -> tuple[object, ...]:
    if field == "maximize":
        return (False,)
    if field == "weight_decay":
        return tuple(dict.fromkeys((0.0, *hints)))
    if isinstance(limits, Flag):
        return _first(default, (False, True))
    if isinstance(limits, (Count, Real)) and not limits.of:
        usual = tuple(dict.fromkeys((*hints, *literals, 0, 1, *limits.usual)))
        return _first(default, [x for x in usual if _takes(limits, x)])[:_MOST_VALUES]
    return (default,)


def _takes(limits: Count | Real, x: object) -> bool:
    try:
        limits.check("", x)
    except (TypeError, ValueError):
        return False
    return True


def forms(open_: Mapping[str, Sequence[object]], farthest: int | None = None) -> Iterator[Named]:
    """Every form, by the number of choices in which it differs from the first of all.

    farthest: the largest such number, of a rule that has many forms.
    """
    several = sorted(name for name, values in open_.items() if len(values) > 1)
    count = math.prod(len(open_[name]) for name in several)
    most = len(several) if count <= _MOST_FORMS else _FARTHEST
    near = most if farthest is None or count <= _FEW_FORMS else farthest
    first = {name: values[0] for name, values in open_.items()}
    for distance in range(min(most, near) + 1):
        for names in itertools.combinations(several, distance):
            for values in itertools.product(*(open_[name][1:] for name in names)):
                yield {**first, **dict(zip(names, values, strict=True))}


def walked(rule: Optimizer, hyper: Named, trial: Trial, within: float) -> tuple[float, Walk]:
    """How far the rule is from a trial, and its states and parameters after every step.

    How far: the largest difference after any step, by the largest change that the step made.
    Infinite, and without a walk, where the rule does not take these numbers or tensors. within:
    what counts as agreement.
    """
    worst, walk = 0.0, []
    try:
        h = rule.Hyper(**hyper)
        p = trial.params[0]
        with SILENCE:
            s = rule.init(h, p)
            for g, before, after in zip(
                trial.grads, trial.params[:-1], trial.params[1:], strict=True
            ):
                s, p = advanced(rule, h, s, p, g)
                walk.append((fields_of(s), np.asarray(p)))
                worst = max(worst, apart(p, after, np.max(np.abs(after - before))))
                if worst > max(_HOPELESS, within):
                    return worst, []
    except (ArithmeticError, LookupError, TypeError, ValueError, np.linalg.LinAlgError):
        return math.inf, []
    return worst, walk


def apart(x: Array, y: Array, size: Array) -> float:
    """The largest difference by a size; infinite where one is not finite."""
    difference = float(np.max(np.abs(x - y), initial=0.0))
    if difference == 0:
        return 0.0
    return difference / float(size) if np.isfinite(difference) and size > 0 else math.inf
