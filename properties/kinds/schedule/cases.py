"""Schedule cases: hyperparameters with every term alive, and steps at which something happens."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from hypothesis import strategies as st

from truestep.fast.protocol import ScheduleCapability
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

    hyper: Mapping[str, object]
    steps: tuple[int, ...]

    def to_json(self) -> dict[str, object]:
        """A dictionary that json accepts and restored reads back exactly."""
        hyper = {k: list(x) if isinstance(x, tuple) else x for k, x in self.hyper.items()}
        return {"hyper": hyper, "steps": list(self.steps)}


# Short numbers that binary cannot represent, and lengths on both sides of powers of two. A field of
# this table is drawn alone; those of _DEPENDENT follow from what was drawn before.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "cycle_steps": st.integers(2, 20),
    "d_model": st.sampled_from((64, 512, 768)),
    "decay": st.sampled_from((0.5, 0.7, 0.9)),
    "decay_rate": st.sampled_from((0.1, 0.5, 1.0, 3.0)),
    "decay_steps": st.integers(1, 40),
    "div_factor": st.sampled_from((10.0, 25.0, 3.0)),
    "end_factor": st.sampled_from((0.7, 0.1, 1.0, 0.0)),
    "final_div_factor": st.sampled_from((1e4, 100.0, 7.0)),
    "gamma": st.sampled_from((0.9, 0.5, 0.1, 0.97)),
    "growth": st.integers(1, 3),
    "lr": st.builds(
        lambda m, k: float(f"{m}e{k}"),
        st.sampled_from((1, 1.3, 3, 5, 7)),
        st.integers(-5, 0),
    ),
    # 0 and repeats on purpose: both are defined, and both go wrong.
    "milestones": st.lists(
        st.one_of(st.sampled_from((0, 5, 17)), st.integers(1, 60)), min_size=1, max_size=5
    ).map(lambda found: tuple(sorted(found))),
    "pct_start": st.sampled_from((0.3, 0.25, 0.1, 0.45)),
    "power": st.sampled_from((0.5, 0.9, 1.0, 2.0, 3.0)),
    "shift": st.sampled_from((1.0, 10.0, 0.5, 3.7)),
    "start_factor": st.sampled_from((1 / 3, 0.1, 0.25)),
    "step_size": st.integers(1, 30),
    "steps_down": st.integers(1, 40),
    "steps_up": st.integers(1, 40),
    "total_steps": st.one_of(
        st.integers(20, 64), st.sampled_from((97, 100, 101, 128)), st.integers(2, 19)
    ),
    "warmup_steps": st.integers(1, 50),
}


def _shorter(fields: Fields, *others: str) -> st.SearchStrategy[int]:
    """A length from 1 up to what the others leave of total_steps."""
    return st.integers(1, max(1, fields["total_steps"] - sum(fields[name] for name in others)))


_DEPENDENT: dict[str, Callable[[str, Fields], st.SearchStrategy[Any] | None]] = {
    "decay_steps": lambda rule, f: _shorter(f, "warmup_steps") if "total_steps" in f else None,
    "min_lr": lambda rule, f: st.sampled_from((0.1, 0.01, 0.3, 0.0)).map(lambda x: x * f["lr"]),
    "warmup_steps": lambda rule, f: _shorter(f) if "total_steps" in f else None,
}

# Drawn first, so that the fields of _DEPENDENT can follow.
_FIRST = ("lr", "total_steps", "warmup_steps")

# One value at which a term of the rule vanishes, or two of its terms meet.
DEGENERATE: dict[str, tuple[Callable[[Fields], Any], ...]] = {
    "cycle_steps": (lambda f: 1,),
    "decay": (lambda f: 1.0,),
    "decay_steps": (lambda f: 0, lambda f: f.get("total_steps", 1) - f.get("warmup_steps", 0)),
    "end_factor": (lambda f: f["start_factor"],),
    "gamma": (lambda f: 1.0,),
    "growth": (lambda f: 1,),
    "lr": (lambda f: 0.0,),
    "milestones": (lambda f: (), lambda f: (0,), lambda f: (5, 5, 5)),
    "min_lr": (lambda f: 0.0, lambda f: f["lr"]),
    "power": (lambda f: 1.0,),
    "step_size": (lambda f: 1,),
    "steps_down": (lambda f: 1,),
    "steps_up": (lambda f: 1,),
    "total_steps": (lambda f: 1, lambda f: 2),
    "warmup_steps": (lambda f: 0, lambda f: 1, lambda f: f.get("total_steps", 1)),
}


@st.composite
def _drawn(draw: st.DrawFn, capability: ScheduleCapability) -> Fields:
    module = SCHEDULES[capability.rule]
    given = {**capability.dialect, **capability.fixed}
    order = [f.name for f in dataclasses.fields(module.Hyper) if f.name not in module.DIALECTS]
    order.sort(key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    fields: Fields = {}
    for name in order:
        if name in given:
            fields[name] = given[name]
            continue
        dependent = _DEPENDENT.get(name)
        strategy = dependent(capability.rule, fields) if dependent else None
        fields[name] = draw(FIELDS[name] if strategy is None else strategy)
    return {**fields, **given}


@st.composite
def _degenerate(draw: st.DrawFn, capability: ScheduleCapability) -> Fields:
    fields = dict(draw(_drawn(capability)))
    free = [n for n in sorted(DEGENERATE) if n in fields and n not in capability.fixed]
    for name in draw(st.lists(st.sampled_from(free), min_size=1, max_size=2, unique=True)):
        fields[name] = draw(st.sampled_from(DEGENERATE[name]))(fields)
    return fields


def hypers(capability: ScheduleCapability, *, degenerate: bool = False) -> Hypers:
    """Fields of a valid Hyper in the capability's dialect, with the fixed ones as given."""
    module = SCHEDULES[capability.rule]
    made: Hypers = _degenerate(capability) if degenerate else _drawn(capability)
    return made.filter(lambda fields: _valid(module, fields))


def _valid(module: ModuleType, fields: Fields) -> bool:
    try:
        module.Hyper(**fields)
    except (KeyError, ValueError):
        return False
    return True


def landmarks(hyper: Any) -> list[int]:
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
            found |= {int(hyper.pct_start * total - 1), 2 * int(hyper.pct_start * total - 1)}
    else:
        for name in ("decay_steps", "step_size"):
            found |= {k * getattr(hyper, name, 0) for k in (1, 2, 3, 7)}
    if hasattr(hyper, "steps_up"):
        period = hyper.steps_up + hyper.steps_down
        found |= {hyper.steps_up, period, period + hyper.steps_up, 2 * period, 9 * period}
    if hasattr(hyper, "cycle_steps"):
        found |= set(restarts(hyper, 5))
    return sorted(found)


def restarts(hyper: Any, count: int) -> list[int]:
    """The first steps of the cycles 1 to count."""
    return [sum(hyper.cycle_steps * hyper.growth**k for k in range(i)) for i in range(1, count + 1)]


def end(hyper: Any) -> int:
    """The last landmark, and so the least step that is past the end of every phase but the last."""
    return max(landmarks(hyper)[-1], 1)


def around(steps: Sequence[int], *, least: int = 0, most: int = FAR) -> tuple[int, ...]:
    """The steps with their neighbours, ascending."""
    found = {t + d for t in steps for d in (-1, 0, 1)}
    return tuple(sorted(t for t in found if least <= t <= most))


def reach(capability: ScheduleCapability) -> int:
    """The last step that the capability is asked for."""
    return min(capability.reach, RECURSION if capability.recursive else FAR)


def edges(hyper: Any, extra: Sequence[int], most: int) -> tuple[int, ...]:
    """Every landmark with its neighbours, and some steps more, none beyond the last."""
    found = {*around(landmarks(hyper), most=most), *(t for t in extra if t <= most)}
    return tuple(sorted(found))


def past(hyper: Any, most: int) -> tuple[int, ...]:
    """Steps from the end on: just past it, at its multiples, and far away."""
    last = end(hyper)
    far = (10 * last, 2**16, 2**24, FAR)
    return around((last, 2 * last, 3 * last, *far), least=last - 1, most=most)


# Hyperparameters of a picture: every term alive, everything within a hundred steps.
PICTURED: dict[str, Fields] = {
    "constant": {},
    "cosine": {"min_lr": 1e-4, "total_steps": 50},
    "cyclic": {"steps_up": 10, "steps_down": 15},
    "exponential": {"step_size": 5},
    "inverse_sqrt": {"warmup_steps": 10},
    "inverse_time": {"decay_rate": 0.5, "decay_steps": 5},
    "linear": {"start_factor": 0.25, "end_factor": 1.0, "total_steps": 30},
    "linear_warmup_cosine": {"min_lr": 1e-4, "warmup_steps": 8, "total_steps": 60},
    "multi_step": {"milestones": (10, 25, 40)},
    "noam": {"warmup_steps": 10},
    "one_cycle": {"total_steps": 60},
    "polynomial": {"min_lr": 1e-4, "total_steps": 50, "power": 2.0},
    "power": {"lr": 0.1, "shift": 3.0},
    "warm_restarts": {"cycle_steps": 8, "decay": 0.7},
    "warmup_stable_decay": {"warmup_steps": 8, "decay_steps": 15, "total_steps": 50},
}


def pictured(capability: ScheduleCapability) -> ScheduleCase:
    """The capability's picture: its hyperparameters, and every step up to beyond the end."""
    module = SCHEDULES[capability.rule]
    fields = {**PICTURED[capability.rule], **capability.dialect, **capability.fixed}
    hyper = module.Hyper(**fields)
    raises = getattr(hyper, "after", "") == "raise"
    count = hyper.total_steps if raises else min(max(end(hyper) * 7 // 5, 60), 140)
    return ScheduleCase(fields, tuple(range(count)))
