"""Schedule cases: hyperparameters with every term alive, and steps at which something happens."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from truestep.fast.protocol import Number, ScheduleCapability
from truestep.properties.cases import hypers as drawing
from truestep.reference.declared import Count, Hyper
from truestep.reference.rules import Rule
from truestep.reference.schedules import SCHEDULES

Fields = dict[str, Any]
Hypers = st.SearchStrategy[Fields]

# The last step but one that a counter of 32 bits can hold.
FAR = 2**31 - 2
# A recursion is judged over so many steps: its contract costs one evaluation for every one of them.
RECURSION = 400


@dataclass(frozen=True, slots=True)
class ScheduleCase:
    """Fields of the rule's Hyper that differ from its defaults, and ascending steps."""

    hyper: Mapping[str, Number]
    steps: tuple[int, ...]

    def to_json(self) -> dict[str, object]:
        """A dictionary that json accepts and restored reads back exactly."""
        hyper = {k: list(x) if isinstance(x, tuple) else x for k, x in self.hyper.items()}
        return {"hyper": hyper, "steps": list(self.steps)}


# At these a term vanishes, or two of them meet, whatever the range is.
MEETINGS: dict[str, Callable[[Fields], object]] = {
    "decay_steps": lambda f: f.get("total_steps", 1) - f.get("warmup_steps", 0),
    "end_factor": lambda f: f["start_factor"],
    "max_curvature": lambda f: f["min_curvature"],
    "warmup_steps": lambda f: f.get("total_steps", 1),
}


def hypers(capability: ScheduleCapability, *, degenerate: bool = False) -> Hypers:
    """Fields of a valid Hyper in the capability's dialect, with the fixed ones as given.

    degenerate: one or two of them at an edge of their ranges, or where two terms meet.
    """
    rule = SCHEDULES[capability.rule]
    made = drawing.hypers(rule, capability.dialect, capability.fixed)
    edges = {n: limits.edges for n, limits in rule.Hyper.RANGES.items() if limits.edges}
    free = sorted({*edges, *MEETINGS} & {*rule.Hyper.RANGES} - {*capability.fixed})

    @st.composite
    def changed(draw: st.DrawFn) -> Fields:
        fields = dict(draw(made))
        for name in draw(st.lists(st.sampled_from(free), min_size=1, max_size=2, unique=True)):
            of = rule.Hyper.RANGES[name].of
            values: list[object] = [drawing.scaled(x, fields, of) for x in edges.get(name, ())]
            values += [MEETINGS[name](fields)] if name in MEETINGS else []
            fields[name] = draw(st.sampled_from(values))
        return fields

    # Where every field is fixed there is nothing to degenerate.
    if not (degenerate and free):
        return made
    return changed().filter(lambda fields: valid(rule, fields))


def valid(rule: Rule, fields: Fields) -> bool:
    """Whether the rule accepts these fields."""
    try:
        rule.Hyper(**fields)
    except (KeyError, ValueError):
        return False
    return True


def landmarks(hyper: Hyper) -> list[int]:
    """Steps at which the definition changes: ends of phases, restarts, milestones."""
    found = {0, *getattr(hyper, "milestones", ())}
    total = getattr(hyper, "total_steps", None)
    warmup = getattr(hyper, "warmup_steps", 0)
    found.add(warmup)
    if total is not None:
        found |= {total - 1, total}
        if hasattr(hyper, "decay_steps"):
            found.add(total - hyper.decay_steps)
        if hasattr(hyper, "pct_start"):
            knot = int(hyper.pct_start * total)
            found |= {knot - 1, 2 * knot - 2, 2 * knot}
    else:
        for name in ("decay_steps", "step_size"):
            found |= {warmup + k * getattr(hyper, name, 0) for k in (1, 2, 3, 7)}
    if hasattr(hyper, "steps_up"):
        period = hyper.steps_up + hyper.steps_down
        found |= {hyper.steps_up, period, period + hyper.steps_up, 2 * period, 9 * period}
    if hasattr(hyper, "cycle_steps"):
        found |= set(restarts(hyper, 5))
    found |= _of_other_lengths(hyper)
    return sorted(found)


# What the lines above know.
_LENGTHS = {
    "cycle_steps", "d_model", "decay_steps", "growth", "step_size", "steps_down", "steps_up",
    "total_steps", "warmup_steps",
}  # fmt: skip


def _of_other_lengths(hyper: Hyper) -> set[int]:
    """Where something may happen that is measured by lengths of other names: multiples and sums."""
    counts = [name for name, limits in hyper.RANGES.items() if isinstance(limits, Count)]
    lengths = {name: getattr(hyper, name) for name in counts}
    found = set()
    for name in set(counts) - _LENGTHS:
        found |= {k * lengths[name] for k in (1, 2, 3, 7)}
        found |= {lengths[name] + other for other in lengths.values()}
        found |= {abs(lengths[name] - other) for other in lengths.values()}
    return found


def restarts(hyper: Hyper, count: int) -> list[int]:
    """The first steps of the cycles 1 to count."""
    return [sum(hyper.cycle_steps * hyper.growth**k for k in range(i)) for i in range(1, count + 1)]


def end(hyper: Hyper) -> int:
    """The last landmark, and so the least step that is past the end of every phase but the last."""
    return max(landmarks(hyper)[-1], 1)


def around(steps: Sequence[int], *, least: int = 0, most: int = FAR) -> tuple[int, ...]:
    """The steps with their neighbours, ascending."""
    found = {t + d for t in steps for d in (-1, 0, 1)}
    return tuple(sorted(t for t in found if least <= t <= most))


def reach(capability: ScheduleCapability) -> int:
    """The last step that the capability is asked for."""
    return min(capability.reach, RECURSION if capability.recursive else FAR)


def edges(hyper: Hyper, extra: Sequence[int], most: int) -> tuple[int, ...]:
    """Every landmark with its neighbours, and some steps more, none beyond the last."""
    found = {*around(landmarks(hyper), most=most), *(t for t in extra if t <= most)}
    return tuple(sorted(found))


def past(hyper: Hyper, most: int) -> tuple[int, ...]:
    """Steps from the end on: just past it, at its multiples, and far away."""
    last = end(hyper)
    far = (10 * last, 2**16, 2**24, FAR)
    return around((last, 2 * last, 3 * last, *far), least=last - 1, most=most)


# Hyperparameters of a picture: every term alive, everything within a hundred steps.
PICTURED: dict[str, Fields] = {
    "chebyshev": {"total_steps": 32},
    "constant": {},
    "constant_factor": {"total_steps": 20},
    "cosine": {"min_lr": 1e-4, "total_steps": 50},
    "cyclic": {"steps_up": 10, "steps_down": 15},
    "exponential": {"step_size": 5},
    "inverse_sqrt": {"warmup_steps": 10},
    "inverse_time": {"decay_rate": 0.5, "decay_steps": 5},
    "linear": {"start_factor": 0.25, "end_factor": 1.0, "total_steps": 30},
    "linear_warmup_cosine": {"min_lr": 1e-4, "warmup_steps": 8, "total_steps": 60},
    "linear_warmup_exponential": {"step_size": 5, "warmup_steps": 8},
    "linear_warmup_polynomial": {"min_lr": 1e-4, "warmup_steps": 8, "total_steps": 60},
    "multi_step": {"milestones": (10, 25, 40)},
    "noam": {"warmup_steps": 10},
    "one_cycle": {"total_steps": 60},
    "piecewise_interpolate": {"gamma": 0.5, "milestones": (10, 25, 40)},
    "polynomial": {"min_lr": 1e-4, "total_steps": 50, "power": 2.0},
    "power": {"lr": 0.1, "shift": 3.0},
    "rex": {"min_lr": 1e-4, "total_steps": 50},
    "warm_restarts": {"cycle_steps": 8, "decay": 0.7},
    "warmup_stable_decay": {"warmup_steps": 8, "decay_steps": 15, "total_steps": 50},
}


def pictured(capability: ScheduleCapability) -> ScheduleCase:
    """The capability's picture: its hyperparameters, and every step up to beyond the end."""
    module = SCHEDULES[capability.rule]
    fields = {**PICTURED.get(capability.rule, {}), **capability.dialect, **capability.fixed}
    hyper = module.Hyper(**fields)
    raises = getattr(hyper, "after", "") == "raise"
    count = hyper.total_steps if raises else min(max(end(hyper) * 7 // 5, 60), 140)
    return ScheduleCase(fields, tuple(range(count)))
