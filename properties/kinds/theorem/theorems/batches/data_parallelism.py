"""Workers that average the gradients of equal shards step with the whole batch, all alike."""

from functools import partial

import numpy as np

from truestep.properties.kinds.theorem.theorems.batches import whole_batch
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import Evidence, Subject, Theorem, Trial
from truestep.reference.validation import Array

WORKERS = 4


def experiment(
    kernel: Kernel, trial: Trial, silent: bool = False, repeated: bool = False
) -> Evidence:
    """Descent by four workers of three examples; silent: one sends zeros.

    repeated: two have the same examples.
    """

    def together(x: Array, g: Array) -> Array:
        parts = [part.mean(axis=0) for part in np.split(g, WORKERS)]
        if silent:
            parts[-1] = np.zeros_like(x)
        if repeated:
            parts[-1] = parts[0]
        sizes = [len(g) // WORKERS] * WORKERS
        averaged = kernel.outputs({"gradients": parts, "sizes": sizes})["averaged"]
        # Replicas that differ in a bit drift apart.
        alike = all(np.array_equal(one, averaged[0]) for one in averaged)
        return np.asarray(averaged[0]) if alike else np.full_like(x, np.nan)

    return whole_batch.descends(kernel.u, together)


DATA_PARALLELISM = Theorem(
    name="data_parallelism_is_the_batch",
    topic="batches",
    statement=(
        "Of W workers with equal shards of a batch, the mean of the workers' mean gradients is the "
        "batch's, the same in every bit for each: runs stay together to rounding."
    ),
    source="by linearity; J. Chen et al., arXiv:1604.00981, 2016, section 3",
    subject=Subject("data_parallel", "training", sets=()),
    constants={
        "N": whole_batch.EXAMPLES,
        "W": WORKERS,
        "a": whole_batch.LR,
        "steps": whole_batch.STEPS,
    },
    experiment=experiment,
    controls={
        "one worker is silent": partial(experiment, silent=True),
        "two workers have the same shard": partial(experiment, repeated=True),
    },
    axes=("t", "size of the first coordinate"),
    changed="an iterate",
)
