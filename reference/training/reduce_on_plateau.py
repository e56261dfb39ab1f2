"""Reduction of the learning rate when a metric stops improving.

Over 120 lines: four libraries' orders of the same four events.

Rule
    mean = the mean of the last accumulation metrics; between them nothing happens
    better: mean < best - rtol |best| - atol          (max: mean > best + rtol |best| + atol)
    better: best = mean, bad = 0; otherwise bad = bad + 1
    cooling > 0: cooling = cooling - 1, bad = 0
    bad > patience: lr = max(lr factor, min_lr) unless that is less than eps below lr,
    cooling = cooldown, bad = 0

Shapes
    Numbers only. metric: what is measured; lr, best, mean: 0-d; bad, cooling, seen: integers, of
    which seen counts the metrics in mean. run: all of them, to the new lr, best, mean, bad,
    cooling and seen. They are the whole state.

Domain
    0 < factor < 1; patience, cooldown >= 0; accumulation >= 1; 0 <= rtol <= 1; atol, min_lr,
    eps >= 0.

Choices
    mode: the metric is to fall ("min") or to rise ("max").
    margin: the relative threshold is a share of |best| ("size"), or of best with its sign
    ("signed": PyTorch, optax), which of a negative best to be minimized is no threshold but a
    tolerance: a metric that stays is then an improvement.
    patience_ends: the rate falls when bad is more than patience ("exceeded": PyTorch) or equal to
    it, never at an improvement ("reached": Keras, optax).
    cooled: the measurement that ends the cooldown is still ignored ("last": PyTorch, optax), or
    already counted ("next": Keras, where a cooldown of 1 is none).
    emptied: bad begins anew, and the cooldown begins, whenever the rate was to fall ("always"), or
    where it did ("reduced": Keras).

Special cases
    best is infinite before the first metric, which is always better if it is finite. A nan is no
    improvement. A rate at min_lr or below it stays.

Judged
    The counts exactly; lr, best and mean by the bounded contract. Of a metric that rounding may
    put on either side of the threshold nothing is said.

Sources
    torch 2.13 ReduceLROnPlateau, optax 0.2.8 contrib.reduce_on_plateau, keras 3.15.1
    callbacks.ReduceLROnPlateau: their documentation, and for the order of events their code.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count, Real
from truestep.reference.validation import Array

DIALECTS = {
    "cooled": {
        "last": "the measurement that ends the cooldown is ignored",
        "next": "the measurement that ends the cooldown counts",
    },
    "emptied": {
        "always": "bad begins anew whenever the rate was to fall",
        "reduced": "bad begins anew where the rate did fall",
    },
    "margin": {
        "size": "a relative threshold is a share of |best|",
        "signed": "a relative threshold has the sign of best",
    },
    "mode": {"min": "the metric is to fall", "max": "the metric is to rise"},
    "patience_ends": {
        "exceeded": "falls at more bad measurements than patience",
        "reached": "falls at as many bad measurements as patience",
    },
}
INPUTS = {
    "bad": "count",
    "best": "array",
    "cooling": "count",
    "lr": "number",
    "mean": "number",
    "metric": "array",
    "seen": "count",
}
OPTIONAL = ()


class Hyper(declared.Hyper):
    """By how much the rate falls and how far, what improves, and how long nothing may."""

    factor: Annotated[float, Real(0.0, 1.0, "both", (0.1, 0.5, 0.9))] = 0.1
    patience: Annotated[int, Count(0, (2, 1, 3, 10, 0), (0,))] = 10
    cooldown: Annotated[int, Count(0, (0, 1, 2, 5), (0, 1))] = 0
    accumulation: Annotated[int, Count(1, (1, 1, 2, 3), (1,))] = 1
    rtol: Annotated[float, Real(0.0, 1.0, usual=(1e-4, 1e-2, 0.1), edges=(0.0, 1.0))] = 1e-4
    atol: Annotated[float, Real(0.0, usual=(0.0, 1e-4, 0.1), edges=(0.0,))] = 0.0
    min_lr: Annotated[float, Real(0.0, usual=(0.0, 1e-3, 1e-5), edges=(0.0,))] = 0.0
    eps: Annotated[float, Real(0.0, usual=(1e-8, 1e-2), edges=(0.0,))] = 1e-8
    mode: Literal["min", "max"] = "min"
    margin: Literal["size", "signed"] = "size"
    patience_ends: Literal["exceeded", "reached"] = "exceeded"
    cooled: Literal["last", "next"] = "last"
    emptied: Literal["always", "reduced"] = "always"


@dataclass(frozen=True, slots=True)
class State:
    """The rate, the best metric, measurements without improvement, those to ignore, the mean."""

    lr: Array
    best: Array
    bad: int = 0
    cooling: int = 0
    mean: Array = 0.0
    seen: int = 0


def init(h: Hyper, lr: Array) -> State:
    """The state before the first metric, at a rate lr."""
    return State(lr=lr, best=np.inf if h.mode == "min" else -np.inf)


def is_better(h: declared.Hyper, metric: Array, best: Array) -> bool:
    """Whether the metric improves on the best one by more than the threshold."""
    if not np.isfinite(best):
        return bool(metric < best if h.mode == "min" else metric > best)
    share = h.rtol * (np.abs(best) if h.margin == "size" else best)
    if h.mode == "min":
        return bool(metric < best - share - h.atol)
    return bool(metric > best + share + h.atol)


def reduced(h: declared.Hyper, lr: Array) -> tuple[Array, Array]:
    """The rate after a fall, and whether it did fall."""
    lower = np.maximum(lr * h.factor, h.min_lr)
    falls = lr - lower > h.eps
    return np.where(falls, lower, lr), falls


def step(h: Hyper, s: State, metric: Array) -> State:
    """The state after one more metric."""
    seen = s.seen + 1
    mean = metric if seen == 1 else (s.seen * s.mean + metric) / seen
    if seen < h.accumulation:
        return State(s.lr, s.best, s.bad, s.cooling, mean, seen)
    better = is_better(h, mean, s.best)
    best = mean if better else s.best
    cooling = max(s.cooling - 1, 0)
    ignored = s.cooling > 0 if h.cooled == "last" else cooling > 0
    carried = 0 if s.cooling > 0 else s.bad
    bad = 0 if better or ignored else carried + 1
    spent = bad > h.patience if h.patience_ends == "exceeded" else bad >= max(h.patience, 1)
    if not spent:
        return State(s.lr, best, bad, cooling)
    lr, falls = reduced(h, s.lr)
    if h.emptied == "reduced" and not falls:
        return State(lr, best, bad, cooling)
    return State(lr, best, 0, h.cooldown)


def run(
    h: Hyper,
    *,
    lr: Array,
    best: Array,
    bad: int,
    cooling: int,
    mean: Array,
    seen: int,
    metric: Array,
) -> dict[str, Array]:
    """One more metric: the rate, and what the next one is held against."""
    new = step(h, State(lr, best, bad, cooling, mean, seen), metric)
    return {
        "lr": new.lr,
        "best": new.best,
        "bad": new.bad,
        "cooling": new.cooling,
        "mean": new.mean,
        "seen": new.seen,
    }
