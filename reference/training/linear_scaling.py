"""The linear scaling rule for large batches, with gradual warm-up (Goyal et al. 2017).

Rule
    k = batch / base_batch
    full = k lr
    lr_t = lr + (full - lr) t / warmup_steps for t < warmup_steps, then full

Shapes
    Numbers only: batch and t in, a rate out. run: the same, to lr.

Domain
    lr >= 0 and finite; base_batch an integer >= 1; warmup_steps an integer >= 0, where 0 means
    none.

Choices
    rule: "linear" as above, or "square_root", full = sqrt(k) lr, which keeps the variance of a step
    and is usual with adaptive methods.
    Weight decay is not scaled. The loss is a mean over the whole batch. Where momentum has lr
    inside, the buffer is to be multiplied by momentum_correction at every change of rate.

Special cases
    batch = base_batch gives lr throughout.

Judged
    The rate by the bounded contract.

Sources
    P. Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", arXiv:1706.02677
    (2017), sections 2.1, 2.2 and 3. A. Krizhevsky, "One weird trick for parallelizing convolutional
    neural networks", arXiv:1404.5997 (2014), section 5, for the square root.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count, Real, decades
from truestep.reference.validation import Array, require_step

DIALECTS = {
    "rule": {
        "linear": "rate proportional to the batch",
        "square_root": "rate proportional to the root of the batch",
    }
}
INPUTS = {"batch": "count", "t": "count"}
OPTIONAL = ()


class Hyper(declared.Hyper):
    """The rate that is right at base_batch, and the length of the warm-up in steps."""

    lr: Annotated[float, Real(0.0, usual=decades(-3, 1), edges=(0.0,))] = 0.1
    base_batch: Annotated[int, Count(1, (256, 32, 1, 100))] = 256
    warmup_steps: Annotated[int, Count(0, (0, 1, 5, 1000))] = 0
    rule: Literal["linear", "square_root"] = "linear"


def value(h: Hyper, batch: int, t: int) -> Array:
    """The rate of step t, counted from 0, with that batch."""
    t = require_step(t)
    k = batch / h.base_batch
    full = (k if h.rule == "linear" else np.sqrt(k)) * h.lr
    if t < h.warmup_steps:
        return h.lr + (full - h.lr) * (t / h.warmup_steps)
    return full


def momentum_correction(lr_before: float, lr_now: float) -> float:
    """The factor of a momentum buffer that holds steps, not gradients, when the rate changes."""
    return lr_now / lr_before


def run(h: Hyper, *, batch: int, t: int) -> dict[str, Array]:
    """The rate of step t with that batch."""
    return {"lr": value(h, batch, t)}
