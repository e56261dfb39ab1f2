"""Accumulating unequal micro-batches is stepping with the whole batch."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.batches import whole_batch
from truestep.properties.kinds.theorem.theorems.controls import held
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Subject,
    Theorem,
    Trial,
    spoilt,
)
from truestep.reference.validation import Array

# Micro-batches of so many examples.
SIZES = (1, 3, 6, 2)


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Descent by four micro-batches a step; nothing may be due before the last."""

    def together(x: Array, g: Array) -> Array:
        t, weight, total = 0, np.zeros(()), np.zeros_like(x)
        parts = np.split(g, np.cumsum(SIZES)[:-1])
        for k, (size, part) in enumerate(zip(SIZES, parts, strict=True), start=1):
            found = kernel.outputs(
                {
                    "t": t,
                    "weight": weight,
                    "totals": [total],
                    "gradients": [part.mean(axis=0)],
                    "examples": np.asarray(float(size)),
                },
                steps=len(SIZES),
            )
            t, weight, (total,) = found["t"], found["weight"], found["totals"]
            if bool(found["due"]) != (k == len(SIZES)):
                return np.full_like(x, np.nan)
        return np.asarray(found["results"][0])

    return whole_batch.descends(kernel.u, together)


GRADIENT_ACCUMULATION = Theorem(
    name="gradient_accumulation_is_the_batch",
    topic="batches",
    statement=(
        "A step with sum n_k g_k / sum n_k, g_k the mean gradient of the n_k examples of a "
        "micro-batch, is the step of the whole batch, whatever the sizes: runs of both stay "
        "together to rounding."
    ),
    source="by linearity; the mean of means is the mean where sizes are equal alone",
    subject=Subject(
        "gradient_accumulation", "training", dialect={"form": ("weighted",)}, sets=("steps",)
    ),
    constants={"N": whole_batch.EXAMPLES, "a": whole_batch.LR, "steps": whole_batch.STEPS},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "the mean of the micro-batches' means": held(form="mean"),
            "their sum": held(form="sum"),
        },
    ),
    axes=("t", "size of the first coordinate"),
    changed="an iterate",
)
