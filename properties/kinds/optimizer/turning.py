"""Cases near the thresholds at which a rule turns for a whole tensor: they are found, not drawn.

What every element decides for itself, tensors of many elements meet on both sides of a threshold.
What a norm or an inner product decides, is one comparison a tensor: two forms that differ little,
as eps added to a norm or a floor of it, decide alike wherever drawn numbers lie. Here a comparison
comes out one way for one gradient and the other way for another, and of the mixtures of the two
those on either side of where it turns are judged.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from truestep.fast.protocol import OptimizerCapability
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.arithmetic.lift import stepped
from truestep.properties.arithmetic.watched import Outcome, watched
from truestep.properties.cases.hypers import continuous
from truestep.properties.cases.tensors import TensorSpec, values
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
from truestep.properties.kinds.optimizer.counts import Float
from truestep.properties.kinds.optimizer.fitting import fitted
from truestep.properties.kinds.optimizer.step import initial
from truestep.properties.kinds.optimizer.storage import rule_of

# Of few elements: a norm is as near to eps in one of many.
SHAPES = ((3, 5), (8, 8), (5, 3), (2, 3, 4), (17, 2), (33,), (4, 4), (2, 17))
_COUNTS = (0, 0, 1, 3, 9)
_PASTS = (0, 0, 2, -2)
# Gradients that are drawn, besides one along the parameter and one at right angles to its rows.
_DRAWN = 6
# Comparisons of one tensor that are taken to where they turn.
_MOST = 4
# How near, relatively: beyond the roundings of norms in float32, by which it would be open.
_NEAR = 2.0**-11
_HALVINGS = 60


@dataclass(frozen=True, slots=True)
class _Place:
    """Where gradients are tried: a group of one slot, whose gradient is another each time."""

    capability: OptimizerCapability
    group: GroupCase

    def at(self, gradient: Float) -> GroupCase:
        """The group with that gradient."""
        [slot] = self.group.slots
        rounded = format_named(self.capability.format).round(gradient)
        elements = tuple(rounded.reshape(-1).tolist())
        spec = replace(slot.grad, kind="explicit", exponent=0, elements=elements)
        return replace(self.group, slots=(replace(slot, grad=spec),))

    def outcomes(self, gradient: Float) -> list[Outcome]:
        """What comparisons of fewer numbers than there are elements say, in the lines' order."""
        rule, group = rule_of(self.capability), self.at(gradient)
        hyper, [slot] = rule.Hyper(**group.hyper), group.slots
        found: list[Outcome] = []
        begun = initial(rule, self.capability, group, slot)
        with np.errstate(all="ignore"):
            stepped(rule, hyper, begun, watched(found))
        return [x.reshape(-1) for x in found if x.size < begun.param.size]


def cases(capability: OptimizerCapability, rng: np.random.Generator) -> Iterator[OptimizerCase]:
    """Of every shape, both sides of some comparisons; none where elements decide for themselves."""
    rule = rule_of(capability)
    if rule.FACTS.elementwise or capability.storage:
        return
    groups = [group for shape in SHAPES for group in _of(capability, shape, rng)]
    for part in [[group] for group in groups] if capability.single else [groups]:
        if part:
            yield OptimizerCase(tuple(part), steps=1)


def _of(
    capability: OptimizerCapability, shape: tuple[int, ...], rng: np.random.Generator
) -> Iterator[GroupCase]:
    """Both sides of where comparisons turn of one tensor."""
    place = _place(capability, shape, rng)
    tried = _tried(place, rng)
    told = [place.outcomes(x) for x in tried]
    found = []
    for k, each in enumerate(zip(*told, strict=False)):
        if len({len(x) for x in each}) == 1 and np.any(turns := np.any(each != each[0], axis=0)):
            found.append((k, int(rng.choice(np.flatnonzero(turns)))))
    for i in rng.permutation(len(found))[:_MOST]:
        k, at = found[i]
        said = np.array([x[k][at] for x in told])
        no, yes = (tried[rng.choice(np.flatnonzero(said == x))] for x in (False, True))
        yield from map(place.at, _sides(no, yes, partial(_says, place, k, at)))


def _says(place: _Place, k: int, at: int, gradient: Float) -> bool:
    """What the k-th comparison says of that number."""
    told = place.outcomes(gradient)
    return bool(k < len(told) and at < len(told[k]) and told[k][at])


def _sides(no: Float, yes: Float, says: Callable[[Float], bool]) -> tuple[Float, Float]:
    """Mixtures of two gradients, near one another, of which one says no and one yes."""
    for _ in range(_HALVINGS):
        if np.max(np.abs(yes - no)) <= _NEAR * np.max(np.abs(yes)):
            break
        middle = (no + yes) / 2
        no, yes = (no, middle) if says(middle) else (middle, yes)
    return no, yes


def _place(
    capability: OptimizerCapability, shape: tuple[int, ...], rng: np.random.Generator
) -> _Place:
    """A parameter of that shape, of the size of eps in every second."""
    rule = rule_of(capability)
    hyper = continuous(rule, {**capability.dialect, **capability.fixed}, rng)
    t = min(int(rng.choice(_COUNTS)), capability.reach - 1)
    seeds = rng.integers(2**32, size=2)
    exponent = int(rng.choice((0, _exponent(hyper, shape))))
    slot = SlotCase(
        TensorSpec(shape, "normal", seed=int(seeds[0]), exponent=exponent),
        TensorSpec(shape, "normal", seed=int(seeds[1])),
        t=t,
        history=min(t, 2),
        past=int(rng.choice(_PASTS)),
    )
    case = fitted(OptimizerCase((GroupCase(hyper, (slot,)),), steps=1), capability)
    return _Place(capability, case.groups[0])


def _exponent(hyper: dict[str, object], shape: tuple[int, ...]) -> int:
    """The power of ten of elements whose norm is about eps; 0 where there is none."""
    eps = hyper.get("eps")
    if not isinstance(eps, float) or not eps:
        return 0
    return round(math.log10(eps / math.sqrt(max(1, math.prod(shape)))))


def _tried(place: _Place, rng: np.random.Generator) -> Sequence[Float]:
    """Gradients in all directions, along the parameter and across its rows, of two sizes."""
    [slot] = place.group.slots
    shape = slot.param.shape
    p = values(slot.param, format_named(place.capability.format))
    sizes = (1.0, 10.0 ** _exponent(dict(place.group.hyper), shape))
    size = float(rng.choice(sizes)) * 2.0 ** rng.uniform(-2, 2)
    drawn = size * rng.standard_normal((_DRAWN, *shape))
    drawn[::2] *= 10.0 ** rng.uniform(-3, 0, drawn[::2].shape)
    along = size * p / (np.sqrt(np.mean(p * p)) or 1.0)
    other = float(rng.choice(sizes)) * 2.0 ** rng.uniform(-2, 2) * rng.standard_normal(shape)
    return [*drawn, along, _across(drawn[1], p), other]


def _across(g: Float, p: Float) -> Float:
    """g without its part along each of p's rows."""
    axes = tuple(range(1, p.ndim)) or None
    squares = np.sum(p * p, axis=axes, keepdims=True)
    return np.asarray(
        g - p * np.sum(g * p, axis=axes, keepdims=True) / np.where(squares, squares, 1.0)
    )
