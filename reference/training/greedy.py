"""A learning rate that rises while a metric improves and falls while it does not (GreedyLR).

Rule
    cooling > 0: cooling = cooling - 1, good = bad = 0, and nothing else; else warming alike; else
    better: best = metric, good = good + 1, bad = 0; otherwise bad = bad + 1, good = 0
    good > patience: lr = min(lr / factor, max_lr), warming = warmup, good = 0, left = rests
    bad > patience: lr = max(lr factor, min_lr), cooling = cooldown, bad = 0;
    where lr <= min_lr now: left = left - 1; at left <= 0 everything begins anew, at initial

Shapes
    Numbers only: lr, best, metric 0-d; bad, cooling, good, left, warming integers. run: all of
    them, to all but the metric. They are the whole state.

Domain
    0 < factor < 1; patience, cooldown, warmup >= 0; rests >= 1; rtol in [0, 1]; atol, eps,
    min_lr >= 0; max_lr >= min_lr; initial > 0.

Choices
    better is that of reduce_on_plateau, and so are mode and margin. A change of the rate by eps or
    less is not made. transformers smooths metrics on demand, which is an average before all this.

Special cases
    A metric is not looked at while cooling or warming: best stays too. A nan is no improvement.

Judged
    The counts exactly, lr and best by the bounded contract.

Sources
    "GreedyLR: A Novel Adaptive Learning Rate Scheduler" (arXiv:2512.14527); transformers 5.24
    optimization.GreedyLR: its documentation, and for the order of events its code.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Above, Count, Real
from truestep.reference.training.reduce_on_plateau import is_better, reduced
from truestep.reference.validation import Array, require_ordered

DIALECTS = {
    "margin": {
        "size": "a relative threshold is a share of |best|",
        "signed": "a relative threshold has the sign of best",
    },
    "mode": {"min": "the metric is to fall", "max": "the metric is to rise"},
}
INPUTS = {
    "bad": "count",
    "best": "array",
    "cooling": "count",
    "good": "count",
    "left": "count",
    "lr": "number",
    "metric": "array",
    "warming": "count",
}
OPTIONAL = ()


class Hyper(declared.Hyper):
    """The factor, what improves, how long either goes on, the limits, and when to begin anew."""

    initial: Above = 0.1
    factor: Annotated[float, Real(0.0, 1.0, "both", (0.95, 0.5, 0.9))] = 0.95
    patience: Annotated[int, Count(0, (2, 1, 3, 10, 0), (0,))] = 10
    cooldown: Annotated[int, Count(0, (0, 1, 2, 5), (0, 1))] = 0
    warmup: Annotated[int, Count(0, (0, 1, 2, 5), (0, 1))] = 0
    rests: Annotated[int, Count(1, (2, 1, 3, 500), (1,))] = 500
    rtol: Annotated[float, Real(0.0, 1.0, usual=(0.0, 1e-2, 0.1), edges=(0.0, 1.0))] = 0.0
    atol: Annotated[float, Real(0.0, usual=(1e-6, 1e-4, 0.1), edges=(0.0,))] = 1e-6
    min_lr: Annotated[float, Real(0.0, usual=(1e-3, 1e-5, 1e-2), edges=(0.0,))] = 1e-3
    max_lr: Annotated[float, Real(0.0, open="low", usual=(1.0, 0.5, 10.0))] = 1.0
    eps: Annotated[float, Real(0.0, usual=(1e-8, 1e-2), edges=(0.0,))] = 1e-8
    mode: Literal["min", "max"] = "min"
    margin: Literal["size", "signed"] = "size"

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        require_ordered(self, "min_lr", "max_lr")


@dataclass(frozen=True, slots=True)
class State:
    """The rate, the best metric, runs of good and bad ones, metrics to ignore, rests left."""

    lr: Array
    best: Array
    bad: int
    good: int
    cooling: int
    warming: int
    left: int


def init(h: Hyper) -> State:
    """The state before the first metric."""
    best = np.inf if h.mode == "min" else -np.inf
    return State(lr=h.initial, best=best, bad=0, good=0, cooling=0, warming=0, left=h.rests)


def raised(h: Hyper, lr: Array) -> Array:
    """The rate after a rise."""
    higher = np.minimum(lr / h.factor, h.max_lr)
    return np.where(higher - lr > h.eps, higher, lr)


def step(h: Hyper, s: State, metric: Array) -> State:
    """The state after one more metric."""
    if s.cooling > 0:
        return State(s.lr, s.best, 0, 0, s.cooling - 1, s.warming, s.left)
    if s.warming > 0:
        return State(s.lr, s.best, 0, 0, 0, s.warming - 1, s.left)
    better = is_better(h, metric, s.best)
    best = metric if better else s.best
    good, bad = (s.good + 1, 0) if better else (0, s.bad + 1)
    if good > h.patience:
        return State(raised(h, s.lr), best, bad, 0, 0, h.warmup, h.rests)
    if bad <= h.patience:
        return State(s.lr, best, bad, good, 0, 0, s.left)
    lr, _ = reduced(h, s.lr)
    left = s.left - 1 if lr <= h.min_lr else s.left
    if left <= 0:
        return init(h)
    return State(lr, best, 0, good, h.cooldown, 0, left)


def run(
    h: Hyper,
    *,
    lr: Array,
    best: Array,
    bad: int,
    good: int,
    cooling: int,
    warming: int,
    left: int,
    metric: Array,
) -> dict[str, Array]:
    """One more metric: the rate, and what the next one is held against."""
    new = step(h, State(lr, best, bad, good, cooling, warming, left), metric)
    return {name: getattr(new, name) for name in State.__slots__}
