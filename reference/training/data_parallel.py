"""Synchronous data parallelism: every worker steps with the mean of all gradients.

Rule
    g = (g_1 + ... + g_W) / W

Shapes
    A sequence of W >= 1 tensors of one shape, any rank, 0-d and empty included; sizes: as many
    integers. run: gradients and sizes, to averaged, the list of what each worker gets.

Domain
    W >= 1; sizes > 0.

Choices
    weights: gradients that are means over shards of unequal sizes n_w average to the gradient of
    the union by (n_1 g_1 + ... + n_W g_W) / (n_1 + ... + n_W) ("examples"). PyTorch's
    DistributedDataParallel divides by W whatever the sizes ("workers"), which is the definition
    above and biased for unequal shards.
    form: the sum is divided ("sum"), or each gradient before it is sent, as in
    DistributedDataParallel, which multiplies by the reciprocal ("shares"): small numbers then
    underflow one by one.
    The order of the sum is the network's; a ring and a tree round differently, but every worker
    must get the same bits, or the replicas drift apart.

Special cases
    nan or inf of one worker reaches all. One worker's mean is its own gradient, bit for bit.

Judged
    The mean by the bounded contract, equality of replicas exactly.

Sources
    J. Chen et al., "Revisiting Distributed Synchronous SGD", arXiv:1604.00981 (2016). S. Li et al.,
    "PyTorch Distributed", VLDB 2020 (arXiv:2006.15704).
"""

from collections.abc import Sequence
from functools import reduce
from typing import Literal

from truestep.reference import declared
from truestep.reference.validation import Array

DIALECTS = {
    "form": {
        "sum": "sum of gradients divided",
        "shares": "gradients multiplied by their shares, then summed",
    },
    "weights": {
        "workers": "every worker weighs the same",
        "examples": "workers weighed by their numbers of examples",
    },
}
INPUTS = {"gradients": "replicas", "sizes": "counts"}
OPTIONAL = ()


class Hyper(declared.Hyper):
    """How the workers are weighed, and where."""

    form: Literal["sum", "shares"] = "sum"
    weights: Literal["workers", "examples"] = "workers"


def average(h: Hyper, gradients: Sequence[Array], sizes: Sequence[int]) -> Array:
    """The gradient with which every worker steps; sizes are the workers' numbers of examples."""
    if not gradients:
        raise ValueError(f"gradients must be of one worker at least, got {gradients!r}")
    if len(sizes) != len(gradients) or min(sizes) < 1:
        raise ValueError(f"sizes must be {len(gradients)} integers >= 1, got {sizes!r}")
    numbers = [1] * len(gradients) if h.weights == "workers" else sizes
    total = sum(numbers)
    if h.form == "shares":
        shares = [(n / total) * g for n, g in zip(numbers, gradients, strict=True)]
        return reduce(lambda a, b: a + b, shares)
    weighed = [n * g for n, g in zip(numbers, gradients, strict=True)]
    return reduce(lambda a, b: a + b, weighed) / total


def run(h: Hyper, *, gradients: Sequence[Array], sizes: Sequence[int]) -> dict[str, Array]:
    """What every worker gets: the same for all."""
    return {"averaged": [average(h, gradients, sizes)] * len(gradients)}
