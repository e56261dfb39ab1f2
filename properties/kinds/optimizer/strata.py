"""The input space of a step as axes with strata, each of which is visited with every seed.

Drawn cases leave out whatever chance leaves out: a rank, a count, a third group, a rate of zero.
Here every stratum of every axis stands in some tensor, those of different axes met at random, and
the hyperparameters of every group are its own: drawn continuously, so that none is at its default,
and one of them in turn at each of its corners or far from what is usual.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from truestep.fast.protocol import OptimizerCapability
from truestep.properties.cases.hypers import continuous, corners
from truestep.properties.cases.strata import SHAPES, by_row, spread
from truestep.properties.cases.tensors import LAYOUTS, TensorSpec
from truestep.properties.kinds.optimizer.cases import GroupCase, OptimizerCase, SlotCase
from truestep.properties.kinds.optimizer.fitting import fitted
from truestep.properties.kinds.optimizer.storage import held_storage, rule_of

NAME = "strata"

# Every small number of steps, so that whatever happens at one of them or every so many happens.
COUNTS = (*range(18), 20, 24, 31, 32, 50, 63, 64, 99, 100, 127, 128, 250, 255, 256, 499, 999, 1000)
# Kinds of gradients with their exponents of ten, and of parameters.
GRADIENTS = (
    ("normal", 0), ("normal", -3), ("normal", -8), ("normal", 3), ("sparse", 0), ("constant", -1),
    ("zeros", 0), ("spread", 0), ("spread", -4),
)  # fmt: skip
PARAMS = (("normal", 0), ("normal", -5), ("normal", 2), ("zeros", 0), ("spread", 0))
# Exponents of ten by which past gradients were larger: state above and below the present. With
# those of the same size the parameter has moved.
PASTS = (0, 2, -2, 4, 0)
_GROUPS = 8
_ROWS = 40
_LATE = (((33,), 0), ((5, 8), 7), ((3,), 0), ((8, 8), 50))
# What is judged by replicates costs dozens of evaluations a tensor.
_ROWS_SAMPLED = 16


def cases(capability: OptimizerCapability, seed: int) -> Sequence[OptimizerCase]:
    """Cases of eight groups with one tensor each, or of one where no more are taken."""
    rng = np.random.default_rng(seed)
    sampled = rule_of(capability).FACTS.observables
    rows = _ROWS_SAMPLED if sampled else _ROWS
    groups = list(_groups(capability, rows, rng))
    size = 1 if capability.single else _GROUPS
    made = [
        OptimizerCase(tuple(groups[i : i + size]), steps=1 + (i // size) % 2)
        for i in range(0, len(groups), size)
    ]
    if not capability.single:
        made.insert(0, OptimizerCase((_late(capability, rng),), steps=2))
    return [fitted(case, capability) for case in made]


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


def _groups(
    capability: OptimizerCapability, rows: int, rng: np.random.Generator
) -> Iterator[GroupCase]:
    rule = rule_of(capability)
    given = {**capability.dialect, **capability.fixed}
    special = list(corners(rule, given))
    count = max(rows, min(len(special), 2 * rows))
    axes = zip(
        spread(SHAPES, count, rng), spread(COUNTS, count, rng), spread(LAYOUTS, count, rng),
        spread(GRADIENTS, count, rng), spread(PARAMS, count, rng), spread(PASTS, count, rng),
        spread(by_row(special, rows), count, rng),
        strict=True,
    )  # fmt: skip
    for shape, t, layout, (kind, exponent), (param, scale), past, at in axes:
        if at and (0 in shape or kind in ("zeros", "sparse")):
            # What is special about a hyperparameter shows where there is something to compute.
            shape, kind = (33,), "normal"
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
