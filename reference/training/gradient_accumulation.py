"""Gradient accumulation: one step's gradient from several micro-batches.

Over 120 lines: one call and a whole run of them are both defined.

Rule
    G = (n_1 g_1 + ... + n_K g_K) / (n_1 + ... + n_K) after every K micro-batches
    then again from zero

Shapes
    g, total: one shape, any rank, 0-d and empty included. weight: 0-d. t: micro-batches since the
    last result. run: lists of gradients and totals, the number examples of this micro-batch and the
    state, to the new state, the flag due, and results, which are zero while none is due.

Domain
    steps (K) an integer >= 1; n_k > 0, the numbers of examples or tokens whose mean gradient is
    g_k.

Choices
    form: "weighted" as above, right for means over unequal micro-batches. With equal n it is the
    mean of the g_k, which the others are for all n: "terms" sums g_k / K (PyTorch's idiom of
    dividing the loss), "mean" divides the sum by K when it is due (Keras), "running" moves the mean
    by (g_k - mean) / k (optax's MultiSteps), "sum" leaves out the division (optax's apply_every).
    Averaging means over unequal numbers of tokens is the error of several trainers before late
    2024.

Special cases
    nan or inf in one g_k poisons that element of the result, and nothing after it.

Judged
    The result, total and weight by the bounded contract, t and due exactly.

Sources
    Folklore. optax 0.2.8, MultiSteps and apply_every; keras 3.15.1, gradient_accumulation_steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count
from truestep.reference.validation import Array

DIALECTS = {
    "form": {
        "weighted": "weighted sum divided by the sum of weights",
        "terms": "sum of gradients, each divided by their number",
        "mean": "sum of gradients, divided by their number when due",
        "running": "running mean",
        "sum": "sum of gradients",
    }
}
INPUTS = {
    "examples": "number",
    "gradients": "tensors",
    "t": "count",
    "totals": "tensors",
    "weight": "number",
}
OPTIONAL = ()


class Hyper(declared.Hyper):
    """The number of micro-batches for one step."""

    steps: Annotated[int, Count(1, (1, 2, 3, 4, 7))] = 1
    form: Literal["weighted", "terms", "mean", "running", "sum"] = "weighted"


@dataclass(frozen=True, slots=True)
class State:
    """Micro-batches t since the last result, their total and the total of their weights."""

    t: int
    total: Array
    weight: Array


def init(h: Hyper, p: Array) -> State:
    """The state before the first micro-batch."""
    return State(t=0, total=np.zeros_like(p), weight=np.zeros(()))


def step(h: Hyper, s: State, g: Array, n: float = 1.0) -> tuple[State, Array | None]:
    """The state after a micro-batch of n examples with mean gradient g, and the result when due."""
    t = s.t + 1
    if h.form == "weighted":
        total = s.total + n * g
    elif h.form == "terms":
        total = s.total + g / h.steps
    elif h.form == "running":
        total = s.total + (g - s.total) / t
    else:
        total = s.total + g
    weight = s.weight + n
    if t < h.steps:
        return State(t=t, total=total, weight=weight), None
    result = total
    if h.form in ("weighted", "mean"):
        result = total / (weight if h.form == "weighted" else h.steps)
    return State(t=0, total=np.zeros_like(total), weight=np.zeros_like(weight)), result


def run(
    h: Hyper,
    *,
    t: int,
    totals: Sequence[Array],
    weight: Array,
    gradients: Sequence[Array],
    examples: Array,
) -> dict[str, Array]:
    """A micro-batch of all tensors."""
    out = [
        step(h, State(t=t, total=total, weight=weight), g, examples)
        for total, g in zip(totals, gradients, strict=True)
    ]
    last = out[-1][0]
    return {
        "t": last.t,
        "totals": [s.total for s, _ in out],
        "weight": last.weight,
        "due": out[-1][1] is not None,
        "results": [np.zeros_like(s.total) if result is None else result for s, result in out],
    }
