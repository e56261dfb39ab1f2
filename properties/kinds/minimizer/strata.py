"""The input space of a minimizer as axes with strata, each of which is visited with every seed.

Every kind of problem at every condition and scale, shapes of every rank, fresh and filled memories;
hyperparameters drawn continuously, one of them in turn at each of its corners.
"""

from collections.abc import Sequence

import numpy as np

from truestep.fast.protocol import MinimizerCapability
from truestep.properties.cases.hypers import continuous, corners
from truestep.properties.cases.strata import by_row, spread
from truestep.properties.cases.tensors import TensorSpec
from truestep.properties.kinds.minimizer.cases import PROBLEMS, MinimizerCase, ProblemSpec
from truestep.reference.optimizers import FROM_FUNCTION

NAME = "strata"

SHAPES = ((2,), (5,), (1,), (3, 4), (17,), (), (1, 6), (6, 1), (2, 3, 2), (2, 1, 2, 2), (35,))
# Exponents of ten of the function, of the start, and of the least curvature.
SCALES, STARTS, CONDITIONS = (0, -1, 1, -4, 4), (0, -1, 1, -3), (0, 1, 2, 4)
# Steps made before, and pairs kept.
HISTORIES, MEMORIES = (0, 1, 2, 4, 7, 12, 40, 270), (1, 2, 3, 5, 10)
# After so many steps a minimum may be reached, and nothing shows any more.
_SOON = 4
_ROWS = 22


def made(capability: MinimizerCapability, seed: int) -> Sequence[MinimizerCase]:
    """The cases of one seed."""
    rng = np.random.default_rng(seed)
    rule = FROM_FUNCTION[capability.rule]
    given = {**capability.dialect, **capability.fixed}
    special = list(corners(rule, given))
    others = max(_ROWS - len(SHAPES), len(special))
    count = len(SHAPES) + others
    # Every shape first where something moves.
    soon = [n for n in HISTORIES if n <= _SOON]
    histories = [*spread(soon, len(SHAPES), rng), *spread(HISTORIES, others, rng)]
    scales = [*(0 for _ in SHAPES), *spread(SCALES, others, rng)]
    ats = [*({} for _ in SHAPES), *spread(by_row(special, others), others, rng)]
    axes = zip(
        spread(PROBLEMS, count, rng), spread(SHAPES, count, rng), scales,
        spread(STARTS, count, rng), spread(CONDITIONS, count, rng), histories,
        spread(MEMORIES, count, rng), ats,
        strict=True,
    )  # fmt: skip
    found = []
    for kind, shape, scale, start, condition, history, memory, at in axes:
        kept = {"memory": memory} if "memory" in rule.Hyper.RANGES and "memory" not in given else {}
        hyper = continuous(rule, {**given, **kept}, rng, **at)
        seeds = rng.integers(2**16, size=2)
        problem = ProblemSpec(kind, shape, int(seeds[0]), scale, condition)
        point = TensorSpec(shape, "normal", int(seeds[1]), start)
        found.append(MinimizerCase(hyper, problem, point, history=history, steps=2))
    return found
