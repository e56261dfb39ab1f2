"""The input space of a step as axes with strata, each of which is visited with every seed.

Drawn cases leave out whatever chance leaves out: a rank, a count, a third group, a rate of zero.
Here every stratum of every axis stands in some tensor, those of different axes met at random, and
the hyperparameters of every group are its own: drawn continuously, so that none is at its default,
and one of them in turn at each of its corners or far from what is usual.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, islice, repeat, takewhile

import numpy as np

from truestep.fast.protocol import OptimizerCapability
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.cases import strata
from truestep.properties.cases.hypers import continuous, corners, defaults, siblings
from truestep.properties.cases.strata import SIDES, by_row, spread
from truestep.properties.cases.tensors import ALL_LAYOUTS, LAYOUTS, TensorSpec
from truestep.properties.kinds.optimizer import turning
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
from truestep.properties.kinds.optimizer.fitting import fitted
from truestep.properties.kinds.optimizer.storage import held_storage, rule_of
from truestep.reference.declared import Real
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.rules import Optimizer

NAME = "strata"

# Loops over axes end at five in some kernels.
SHAPES = (*strata.SHAPES, (1, 2, 1, 3, 1, 2))
# Every small number of steps, so that whatever happens at one of them or every so many happens.
COUNTS = (
    *range(18), 20, 24, 31, 32, 39, 50, 63, 64, 99, 100, 127, 128, 199, 250, 255, 256, 499, 511,
    999, 1000, 1023, 1999, 4095, 4999, 9999,
)  # fmt: skip
# Kinds of gradients with their exponents of ten, and of parameters.
GRADIENTS = (
    ("normal", 0), ("normal", -3), ("normal", -8), ("normal", 3), ("sparse", 0), ("constant", -1),
    ("zeros", 0), ("spread", 0), ("spread", -4),
)  # fmt: skip
# Subnormal ones in float32, of rules that divide by nothing made of gradients: what has underflowed
# is as large after a division as the order of evaluation has it.
SUBNORMAL = ("normal", -39)
PARAMS = (("normal", 0), ("normal", -5), ("normal", 2), ("zeros", 0), ("spread", 0))
# Exponents of ten by which past gradients were larger: state above and below the present. With
# those of the same size the parameter has moved.
PASTS = (0, 2, -2, 4, 0)
# What is added to numbers to keep them from 0 is usually less, and may be less by far.
_SMALL = 1e-8
# Groups in one call, in turn: one, some, and more than a kernel's arguments may have room for.
_CALLS = (8, 1, 2, 5, 20, 12)
_ROWS = sum(_CALLS)
# Elements of one tensor: around the blocks and chunks that launches are cut into, and whole ones.
SIZES = (1023, 1024, 1025, 4096, 10_000, 2**16, 2**17 + 2)
# Up to which a rule is evaluated whose elements depend on one another.
_MOST = 2**16
_LATE = (((33,), 0), ((5, 8), 7), ((3,), 0), ((8, 8), 50))
# Tensors that have come a long way, in so many steps.
_FAR = ((33,), (5, 8), (3,), (1,), (17, 2), (64,), (8, 8), (2, 3, 4))
_WAY = 12
# Steps that groups have made together.
_ALIKE = 5
# What is judged by replicates costs dozens of evaluations a tensor.
_ROWS_SAMPLED = 16
_SIBLINGS_SAMPLED = 4


def cases(capability: OptimizerCapability, seed: int) -> Sequence[OptimizerCase]:
    """Cases of one to twenty groups with one tensor each, then large tensors in one group."""
    rng = np.random.default_rng(seed)
    sampled = rule_of(capability).FACTS.observables
    rows = _ROWS_SAMPLED if sampled else _ROWS
    groups = _groups(capability, rows, rng)
    calls = repeat(1) if capability.single else cycle(_CALLS)
    parts = (tuple(islice(groups, size)) for size in calls)
    made = [OptimizerCase(part, steps=1 + i % 2) for i, part in enumerate(takewhile(bool, parts))]
    if not capability.single:
        made.insert(0, OptimizerCase((_late(capability, rng),), steps=2))
    if not sampled:
        made += _large(capability, rng)
    made += _steady(capability, rng)
    found = [*(fitted(case, capability) for case in made), *turning.cases(capability, rng)]
    if not sampled:
        found += [fitted(case, capability) for case in _sides(capability, rng)]
    if not capability.single:
        found.append(fitted(_alike(capability, rng), capability))
    return found


def _large(capability: OptimizerCapability, rng: np.random.Generator) -> Iterator[OptimizerCase]:
    """Tensors of every size."""
    most = SIZES[-1] if rule_of(capability).FACTS.elementwise else _MOST
    return _of(capability, [(size,) for size in SIZES if size <= most], LAYOUTS, rng, {})


def _sides(capability: OptimizerCapability, rng: np.random.Generator) -> Iterator[OptimizerCase]:
    """Tensors of long sides: what rows, columns and axes are made of, wherever they lie."""
    usual = defaults(rule_of(capability), {**capability.dialect, **capability.fixed})
    return _of(capability, SIDES, ALL_LAYOUTS, rng, usual)


def _of(
    capability: OptimizerCapability,
    shapes: Sequence[tuple[int, ...]],
    layouts: Sequence[str],
    rng: np.random.Generator,
    at: Mapping[str, object],
) -> Iterator[OptimizerCase]:
    """Tensors of these shapes, each at a count of its own: what repeats is evaluated once alone."""
    rule = rule_of(capability)
    given = {**capability.dialect, **capability.fixed}
    kind = "tiled" if rule.FACTS.elementwise else "normal"
    slots = [
        SlotCase(
            TensorSpec(shape, kind, seed=int(rng.integers(2**32)), layout=layout),
            TensorSpec(shape, kind, seed=int(rng.integers(2**32)), layout=layout),
            t=min(int(t), capability.reach - 1),
            history=1,
        )
        for shape, t, layout in zip(
            shapes, rng.permutation(COUNTS[1:18]), spread(layouts, len(shapes), rng), strict=False
        )
    ]
    for part in [[slot] for slot in slots] if capability.single else [slots]:
        hyper = {**continuous(rule, given, rng, **at), **held_storage(capability)}
        yield OptimizerCase((GroupCase(hyper, tuple(part)),), steps=1)


def _steady(capability: OptimizerCapability, rng: np.random.Generator) -> Iterator[OptimizerCase]:
    """Long ways in one direction, of a rule that carries a point: what it makes of them grows."""
    rule = rule_of(capability)
    if not any(behaviour.moves for behaviour in rule.State.BEHAVIOUR.values()):
        return
    given = {**capability.dialect, **capability.fixed}
    groups = []
    for shape in _FAR:
        seeds = rng.integers(2**32, size=2)
        slot = SlotCase(
            TensorSpec(shape, "normal", seed=int(seeds[0])),
            TensorSpec(shape, "positive", seed=int(seeds[1])),
            t=_WAY,
            history=_WAY,
            travels=True,
        )
        hyper = {**continuous(rule, given, rng), **held_storage(capability)}
        groups.append(GroupCase(hyper, (slot,)))
    for part in [[group] for group in groups] if capability.single else [groups]:
        yield OptimizerCase(tuple(part), steps=2)


def _alike(capability: OptimizerCapability, rng: np.random.Generator) -> OptimizerCase:
    """Groups that have all hyperparameters but one in common, as with decay and without.

    They count alike, and what is merged by some hyperparameters has the others of the first.
    Gradients are of all sizes, so that every eps shows.
    """
    given = {**capability.dialect, **capability.fixed}
    rule, held = rule_of(capability), held_storage(capability)
    first, *others = siblings(rule, given, rng)
    if rule.FACTS.observables:
        others = [others[i] for i in rng.permutation(len(others))[:_SIBLINGS_SAMPLED]]
    groups = []
    for fields in (first, *others):
        seeds = rng.integers(2**32, size=2)
        slot = SlotCase(
            TensorSpec((33,), "spread", seed=int(seeds[0])),
            TensorSpec((33,), "spread", seed=int(seeds[1])),
            t=min(_ALIKE, capability.reach - 1),
            history=2,
        )
        groups.append(GroupCase({**fields, **held}, (slot,)))
    return OptimizerCase(tuple(groups), steps=1)


def _late(capability: OptimizerCapability, rng: np.random.Generator) -> GroupCase:
    """A group in which some parameters get their first gradient when others have had many."""
    given = {**capability.dialect, **capability.fixed}
    hyper = {**continuous(rule_of(capability), given, rng), **held_storage(capability)}
    seeds = rng.integers(2**32, size=(len(_LATE), 2))
    return GroupCase(
        hyper,
        tuple(
            SlotCase(
                TensorSpec(shape, "normal", seed=int(one)),
                TensorSpec(shape, "normal", seed=int(other)),
                t=t,
                history=min(t, 3),
            )
            for (shape, t), (one, other) in zip(_LATE, seeds, strict=True)
        ),
    )


def _below(rule: Optimizer, at: Mapping[str, object]) -> int | None:
    """An exponent of ten below all usual values of a field that is 0; None where these are large.

    Beside gradients of the usual size an eps of 0 is as good as any.
    """
    for name, value in at.items():
        limits = rule.Hyper.RANGES[name]
        usual = [x for x in limits.usual if x > 0] if isinstance(limits, Real) else []
        if value == 0 and usual and min(usual) < _SMALL:
            return math.floor(math.log10(min(usual))) - 2
    return None


def _groups(
    capability: OptimizerCapability, rows: int, rng: np.random.Generator
) -> Iterator[GroupCase]:
    rule = rule_of(capability)
    given = {**capability.dialect, **capability.fixed}
    special = list(corners(rule, given))
    count = max(rows, min(len(special), 2 * rows))
    plain = OPTIMIZERS[capability.rule]
    # Of which the squares are normal numbers.
    least = math.ceil(math.log10(format_named(capability.format).least_normal) / 2)
    adds = plain.FACTS.elementwise and all(x.odd for x in plain.State.BEHAVIOUR.values())
    gradients = (*GRADIENTS, SUBNORMAL) if adds else GRADIENTS
    axes = zip(
        spread(SHAPES, count, rng), spread(COUNTS, count, rng), spread(LAYOUTS, count, rng),
        spread(gradients, count, rng), spread(PARAMS, count, rng), spread(PASTS, count, rng),
        spread(by_row(special, rows), count, rng),
        strict=True,
    )  # fmt: skip
    for shape, t, layout, (kind, exponent), (param, scale), past, at in axes:
        if at:
            # What is special about a hyperparameter shows where there is something to compute.
            shape = (33,) if 0 in shape else shape
            kind = "normal" if kind in ("zeros", "sparse") else kind
            if (smaller := _below(rule, at)) is not None:
                # And none that a decay makes of a parameter, which stays where it is.
                kind, exponent, param, past = "normal", max(smaller, least), "zeros", past or 2
        if (kind, exponent) == SUBNORMAL:
            param, past = "zeros", 0  # beside anything larger nothing of them would show
        seeds = rng.integers(2**32, size=2)
        slot = SlotCase(
            TensorSpec(shape, param, seed=int(seeds[0]), exponent=scale, layout=layout),
            TensorSpec(shape, kind, seed=int(seeds[1]), exponent=exponent, layout=layout),
            t=min(t, capability.reach - 2),
            history=min(t, 3),
            past=past,
            travels=past == 0,
        )
        hyper = continuous(rule, given, rng, **at)
        yield GroupCase({**hyper, **held_storage(capability)}, (slot,))
