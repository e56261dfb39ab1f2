"""Algebraic invariants: those that every rule is asked about, and those of single families."""

from truestep.properties.kinds.optimizer.laws import common, symmetries
from truestep.properties.kinds.optimizer.laws.bench import Law
from truestep.properties.kinds.optimizer.laws.families import (
    adam_like,
    adaptive,
    classical,
    corrected,
    curvature,
    distances,
    large_batch,
    low_rank,
    magnitudes,
    matrix,
    measured,
    memory,
    modern,
    momenta,
    noisy,
    orthogonal,
    parameter_free,
    regularized,
    sign,
    slow,
    steered,
    step_bounds,
    tempered,
    values,
)
from truestep.properties.laws.claims import table

# Each states the laws of its family and, but for step_bounds, which rules of it obey which laws.
FAMILIES = (
    adam_like, adaptive, classical, corrected, curvature, distances, large_batch, low_rank,
    magnitudes, matrix, measured, memory, modern, momenta, noisy, orthogonal, parameter_free,
    regularized, sign, slow, steered, step_bounds, tempered, values,
)  # fmt: skip
COMMON: dict[str, Law] = table(common, symmetries)
SPECIAL: dict[str, Law] = table(*FAMILIES)
LAWS: dict[str, Law] = dict(sorted({**COMMON, **SPECIAL}.items()))
