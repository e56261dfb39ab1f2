"""The shape of every schedule, said without its formula: extremes, and phases with their trend.

A phase may be checked on a kernel that no reference speaks about; that is what makes it evidence
beside the contract.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from truestep.properties.kinds.schedule.cases import FAR, restarts
from truestep.reference.declared import Hyper
from truestep.reference.rules import Schedule

Trend = Literal["constant", "falling", "rising"]


@dataclass(frozen=True, slots=True)
class Phase:
    """Steps first to last, both included, and how the value goes there.

    slope: the most that it changes in one step; infinite where the definition jumps. Two phases
    that share a step join there continuously.
    """

    first: int
    last: int
    trend: Trend
    slope: float


@dataclass(frozen=True, slots=True)
class Shape:
    """low <= a_t <= high for every t, and the phases."""

    low: float
    high: float
    phases: tuple[Phase, ...] = ()


def _level(first: int) -> Phase:
    return Phase(first, FAR, "constant", 0.0)


def _chebyshev(h: Hyper) -> Shape:
    T, start = h.total_steps, 2 if h.start == "late" else 0
    low, high = h.lr / h.max_curvature, h.lr / h.min_curvature
    # Nodes of the lower half, where steps are long, take turns with those of the upper.
    trends: tuple[Trend, ...] = ("falling", "rising")
    turns = [(start + i, trends[i % 2]) for i in range(min(T, 8) - 1)]
    phases = [Phase(t, t + 1, trend, high - low) for t, trend in turns]
    if start:
        phases.append(Phase(0, start, "constant", 0.0))
    if h.after == "hold" or T == 1:
        phases.append(_level(start + T - 1))
    return Shape(low, high, tuple(phases))


def _constant(h: Hyper) -> Shape:
    return Shape(h.lr, h.lr, (_level(0),))


def _constant_factor(h: Hyper) -> Shape:
    T, first = h.total_steps, h.lr * h.factor
    phases = (Phase(0, T - 1, "constant", 0.0), Phase(0, FAR, "rising", h.lr - first), _level(T))
    return Shape(first if T else h.lr, h.lr, phases if T else phases[1:])


def _half_cosine(height: float, steps: int) -> float:
    """The steepest step of half a cosine of that height, by its derivative."""
    return height * math.pi / (2 * steps)


def _cosine(h: Hyper) -> Shape:
    T, slope = h.total_steps, _half_cosine(h.lr - h.min_lr, h.total_steps)
    after = _level(T) if h.after == "hold" else Phase(T, 2 * T, "rising", slope)
    return Shape(h.min_lr, h.lr, (Phase(0, T, "falling", slope), after))


def _cyclic(h: Hyper) -> Shape:
    period, height, phases = h.steps_up + h.steps_down, h.lr - h.min_lr, []
    # On the way up the triangle rises and its factor falls, so that no trend is certain.
    shrinking = -math.log(h.gamma) if h.mode == "exp_range" else 0.0
    for c in range(3):
        tall = height / 2**c if h.mode == "triangular2" else height
        peak = c * period + h.steps_up
        if not shrinking:
            phases.append(Phase(c * period, peak, "rising", tall / h.steps_up))
        slope = tall * (1 / h.steps_down + shrinking)
        phases.append(Phase(peak, (c + 1) * period, "falling", slope))
    return Shape(h.min_lr, h.lr, tuple(phases))


def _stairs(length: int, first: int = 0) -> Iterator[Phase]:
    for k in range(3):
        yield Phase(first + k * length, first + (k + 1) * length - 1, "constant", 0.0)


def _shrinking(h: Hyper, first: int) -> tuple[Phase, ...]:
    if h.steps == "continuous":
        slope = -h.lr * math.expm1(math.log(h.gamma) / h.step_size)
        return (Phase(first, FAR, "falling", slope),)
    down = Phase(first, FAR, "falling", h.lr * (1 - h.gamma))
    return (*_stairs(h.step_size, first), down)


def _exponential(h: Hyper) -> Shape:
    return Shape(h.min_lr, h.lr, _shrinking(h, 0))


def _inverse_sqrt(h: Hyper) -> Shape:
    W = h.warmup_steps
    peak = W - (h.count == "from_one")
    up, down = h.lr / W, h.lr / (2 * W)
    phases = (Phase(0, peak, "rising", up), Phase(peak, FAR, "falling", down))
    return Shape(0.0, h.lr, phases)


def _inverse_time(h: Hyper) -> Shape:
    if h.steps == "continuous":
        slope = h.lr * h.decay_rate / h.decay_steps
        return Shape(0.0, h.lr, (Phase(0, FAR, "falling", slope),))
    down = Phase(0, FAR, "falling", h.lr - h.lr / (1 + h.decay_rate))
    return Shape(0.0, h.lr, (*_stairs(h.decay_steps), down))


def _linear(h: Hyper) -> Shape:
    a, b, T = h.lr * h.start_factor, h.lr * h.end_factor, h.total_steps
    line = Phase(0, T, "rising" if b >= a else "falling", abs(b - a) / T)
    return Shape(min(a, b), max(a, b), (line, _level(T)))


def _linear_warmup_cosine(h: Hyper) -> Shape:
    W, T = h.warmup_steps, h.total_steps
    length = T if h.cosine == "running" else T - W
    last = T - 1 if h.cosine == "ahead" else T
    joins = h.cosine == "restarted" and length > 0
    phases = []
    if W:
        climb = h.lr / (W + 1 if h.warmup == "interior" else W)
        phases.append(Phase(0, W if joins else W - 1, "rising", climb))
    low = 0.0 if W else h.min_lr
    if not length:
        return Shape(low, h.lr, (*phases, _level(T)))
    slope = _half_cosine(h.lr - h.min_lr, length)
    phases.append(Phase(W, last, "falling", slope))
    after = _level(last) if h.after == "hold" else Phase(last, last + length, "rising", slope)
    return Shape(low, h.lr, (*phases, after))


def _linear_warmup_exponential(h: Hyper) -> Shape:
    W = h.warmup_steps
    climb = [Phase(0, W, "rising", h.lr / W)] if W else []
    return Shape(0.0 if W else h.min_lr, h.lr, (*climb, *_shrinking(h, W)))


def _linear_warmup_polynomial(h: Hyper) -> Shape:
    W, T, length = h.warmup_steps, h.total_steps, h.total_steps - h.warmup_steps
    climb = [Phase(0, W if length else W - 1, "rising", h.lr / W)] if W else []
    falling = [Phase(W, T, "falling", _steepest(h, length))] if length else []
    return Shape(0.0 if W else h.min_lr, h.lr, (*climb, *falling, _level(T)))


def _steepest(h: Hyper, length: int) -> float:
    """Of a power of the time left: the first step for a power >= 1, the last for one below."""
    share: float = h.power / length if h.power >= 1 else length**-h.power
    height: float = h.lr - h.min_lr
    return height * share


def _multi_step(h: Hyper) -> Shape:
    late = {"at": 0, "after": 1, "before": -1}[h.boundary]
    jumps = sorted({max(0, milestone + late) for milestone in h.milestones})
    between = zip([0, *jumps], [*(t - 1 for t in jumps), FAR], strict=True)
    level = tuple(Phase(a, b, "constant", 0.0) for a, b in between if a <= b)
    most = max((h.milestones.count(t) for t in h.milestones), default=0)
    down = Phase(0, FAR, "falling", h.lr * (1 - h.gamma**most))
    return Shape(0.0, h.lr, (*level, down))


def _noam(h: Hyper) -> Shape:
    W, scale = h.warmup_steps, h.lr * h.d_model**-0.5
    climb = scale * W**-1.5
    phases = (Phase(0, W - 1, "rising", climb), Phase(W - 1, FAR, "falling", climb / 2))
    return Shape(0.0, scale * W**-0.5, phases)


def _one_cycle(h: Hyper) -> Shape:
    first, whole = h.lr / h.div_factor, h.knots == "whole"
    last, end = first / h.final_div_factor, h.total_steps if whole else h.total_steps - 1
    share = h.pct_start * h.total_steps
    knots = [0.0, math.floor(share) if whole else share - 1, float(end)]
    values = [first, h.lr, last]
    if h.phases == "three":
        knots.insert(2, 2 * knots[1])
        values.insert(2, first)
    phases = []
    for i, (a, b) in enumerate(pairwise(values)):
        x, y = knots[i], knots[i + 1]
        steep = math.pi / 2 if h.anneal == "cos" else 1.0
        # Knots between two steps belong to neither phase; those that rounding may move neither.
        inside = math.ceil(x * (1 + 2.0**-40)), math.floor(y * (1 - 2.0**-40))
        ends = 0 if i == 0 else inside[0], end if i == len(values) - 2 else inside[1]
        trend: Trend = "rising" if b >= a else "falling"
        if ends[0] <= ends[1]:
            phases.append(Phase(*ends, trend, steep * abs(b - a) / (y - x)))
    if h.after == "hold":
        phases.append(_level(end))
    return Shape(min(first, last), max(h.lr, first), tuple(phases))


def _piecewise_interpolate(h: Hyper) -> Shape:
    knots = sorted({0, *h.milestones})
    values = [h.lr * h.gamma ** sum(m <= knot for m in h.milestones) for knot in knots]
    trend: Trend = "rising" if h.gamma >= 1 else "falling"
    steep = math.pi / 2 if h.shape == "cosine" else 1.0
    phases = [
        Phase(x, y, trend, steep * abs(b - a) / (y - x))
        for (x, y), (a, b) in zip(pairwise(knots), pairwise(values), strict=True)
    ]
    return Shape(min(values), max(values), (*phases, _level(knots[-1])))


def _polynomial(h: Hyper) -> Shape:
    T = h.total_steps
    after = (_level(T),) if h.after == "hold" else ()
    return Shape(h.min_lr, h.lr, (Phase(0, T, "falling", _steepest(h, T)), *after))


def _power(h: Hyper) -> Shape:
    high = h.lr / h.shift**h.power
    return Shape(0.0, high, (Phase(0, FAR, "falling", high * h.power / h.shift),))


def _rex(h: Hyper) -> Shape:
    T, height = h.total_steps, h.lr - h.min_lr
    # The derivative of (1 - x) / (1 - x / 2) falls from -1/2 to -2.
    return Shape(h.min_lr, h.lr, (Phase(0, T, "falling", 2 * height / T), _level(T)))


def _warm_restarts(h: Hyper) -> Shape:
    phases, starts = [], [0, *restarts(h, 4)]
    for i, (first, following) in enumerate(pairwise(starts)):
        height = max(h.lr * h.decay**i, h.min_lr) - h.min_lr
        slope = _half_cosine(height, following - first)
        phases.append(Phase(first, following - 1, "falling", slope))
    return Shape(h.min_lr, h.lr, tuple(phases))


def _warmup_stable_decay(h: Hyper) -> Shape:
    W, D, T, height = h.warmup_steps, h.decay_steps, h.total_steps, h.lr - h.min_lr
    phases = [Phase(0, W, "rising", h.lr / W)] if W and (D or W < T) else []
    # Without a decay the last stable step is the one before the end.
    phases.append(Phase(W, T - D if D else max(W, T - 1), "constant", 0.0))
    if D:
        steepest = {
            "linear": 1 / D, "one_minus_sqrt": D**-0.5,
            "cosine": math.pi / (2 * D), "one_minus_square": 2 / D,
        }  # fmt: skip
        phases.append(Phase(T - D, T, "falling", height * steepest[h.shape]))
    return Shape(0.0 if W else h.min_lr, h.lr, (*phases, _level(T)))


SHAPES: dict[str, Callable[[Hyper], Shape]] = {
    "chebyshev": _chebyshev,
    "constant": _constant,
    "constant_factor": _constant_factor,
    "cosine": _cosine,
    "cyclic": _cyclic,
    "exponential": _exponential,
    "inverse_sqrt": _inverse_sqrt,
    "inverse_time": _inverse_time,
    "linear": _linear,
    "linear_warmup_cosine": _linear_warmup_cosine,
    "linear_warmup_exponential": _linear_warmup_exponential,
    "linear_warmup_polynomial": _linear_warmup_polynomial,
    "multi_step": _multi_step,
    "noam": _noam,
    "one_cycle": _one_cycle,
    "piecewise_interpolate": _piecewise_interpolate,
    "polynomial": _polynomial,
    "power": _power,
    "rex": _rex,
    "warm_restarts": _warm_restarts,
    "warmup_stable_decay": _warmup_stable_decay,
}


def has_shape(module: Schedule, rule: str) -> bool:
    """Whether it is known of a schedule: one of one's own may say it, as ``shape(h)``."""
    return rule in SHAPES or hasattr(module, "shape")


def shape_of(module: Schedule, rule: str, hyper: Hyper) -> Shape:
    """The shape of a schedule with these hyperparameters."""
    found: Shape = SHAPES[rule](hyper) if rule in SHAPES else module.shape(hyper)  # type: ignore[attr-defined]
    return found
