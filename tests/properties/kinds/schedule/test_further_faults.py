"""Further faults of schedules, of long runs above all; and correct formulas that look otherwise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from truestep.fast.protocol import ScheduleBackend, ScheduleCapability
from truestep.properties.museum.plant import Edit, Kernel
from truestep.properties.museum.power import first_failure
from truestep.reference.declared import Hyper

pytestmark = pytest.mark.power

STEP = "    t = require_step(t)\n"
PLACE = "c, s = divmod(t, period)"
POWER = "weight = rest**h.power"
Value = Callable[[Hyper, int, Callable[[int], float]], float]


def of(rule: str, *edits: Edit, **declared: object) -> Callable[[], Kernel]:
    """A kernel of the rule's lines with these changes."""
    return partial(Kernel, rule, edits, **declared)


class Spoilt(Kernel):
    """A rule's lines, and at some steps the value of another step, or a value of its own."""

    def __init__(self, rule: str, value: Value) -> None:
        super().__init__(rule)
        self.value = value

    def schedule_values(
        self, capability: ScheduleCapability, hyper: Hyper, steps: Sequence[int]
    ) -> list[float]:
        """One value by one."""
        lines = super().schedule_values

        def at(t: int) -> float:
            return lines(capability, hyper, [t])[0]

        return [self.value(hyper, t, at) for t in steps]


FAULTS: dict[str, Callable[[], ScheduleBackend]] = {
    # Counts and lengths that outgrow what they are kept in.
    "long: a cosine's count wraps at 2^16": of(
        "cosine", (STEP, STEP.replace("require_step(t)", "require_step(t) % 2**16"))
    ),
    "long: a decay of 2^15 steps and more never begins": partial(
        Spoilt,
        "warmup_stable_decay",
        lambda h, t, at: at(
            min(t, h.total_steps - h.decay_steps)
            if h.decay_steps >= 2**15 and t < h.total_steps
            else t
        ),
    ),
    "long: a table of 10,000 roots": of(
        "inverse_sqrt", ("h.warmup_steps / s", "h.warmup_steps / min(s, 10_000)")
    ),
    "long: cycles are counted in 8 bits": of(
        "cyclic", (PLACE, f"{PLACE}\n    c = c % 256"), dialect={"mode": "triangular2"}
    ),
    "long: milestones are 16-bit integers": of(
        "multi_step", ("sum(milestone <= t", "sum(milestone % 2**16 <= t")
    ),
    "long: squares of the count end at 2^31": partial(
        Spoilt, "noam", lambda h, t, at: at(min(t, math.isqrt(2**31)))
    ),
    "long: what is left is a float32 beyond 100,000 steps": of(
        "polynomial",
        (POWER, f"rest = np.float32(rest) if h.total_steps > 10**5 else rest\n    {POWER}"),
    ),
    "long: warm-ups end after 10,000 steps": partial(
        Spoilt,
        "linear_warmup_cosine",
        lambda h, t, at: h.lr if 10_000 <= t < h.warmup_steps else at(t),
    ),
    # At some step in between, where nothing changes.
    "between: half way the value is one percent too large": partial(
        Spoilt, "cosine", lambda h, t, at: at(t) * (1.01 if t == h.total_steps // 2 else 1)
    ),
    "between: the 1000th and every so many repeat the last": partial(
        Spoilt, "linear", lambda h, t, at: at(t - 1 if t and t % 1000 == 0 else t)
    ),
    "between: the peak falls on a whole step in long runs": of(
        "one_cycle",
        ("k, n = ends(h)", "k, n = ends(h)\n    k = int(k) if h.total_steps > 10_000 else k"),
    ),
    # Hyperparameters that are read as others.
    "frozen: a floor above a quarter of the rate is none": of(
        "cosine", ("weighted(h.min_lr,", "weighted(h.min_lr if 4 * h.min_lr < h.lr else 0.0,")
    ),
    "frozen: one cycle starts at a twenty-fifth at the least": of(
        "one_cycle", (STEP, f"{STEP}    h = changed(h, div_factor=min(h.div_factor, 25.0))\n")
    ),
    "frozen: rates above 1 are 1": of("linear", ("return h.lr *", "return min(h.lr, 1.0) *")),
}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", FAULTS)
def test_it_is_found(name: str, seed: int) -> None:
    """By the strata or by a family."""
    found = first_failure(FAULTS[name](), seed=seed, told=False)
    assert found is not None
    assert found.verdict == "fail", found.message


def _cosine_of_half(h: Hyper, t: int) -> float:
    half = math.cos(math.pi * min(t, h.total_steps) / (2 * h.total_steps))
    return h.min_lr + (h.lr - h.min_lr) * half * half


def _by_an_increment(h: Hyper, t: int) -> float:
    rise = (h.end_factor - h.start_factor) * h.lr / h.total_steps
    return h.lr * h.start_factor + min(t, h.total_steps) * rise


def _the_lesser_of_two(h: Hyper, t: int) -> float:
    return h.lr * min(t / h.warmup_steps, math.sqrt(h.warmup_steps / max(t, 1)))


def _factor_by_factor(h: Hyper, t: int) -> float:
    lr = h.lr
    for milestone in h.milestones:
        lr = lr * h.gamma if t >= milestone else lr
    return lr


CORRECT: dict[str, tuple[str, Callable[[Hyper, int], float]]] = {
    "a line by its increment": ("linear", _by_an_increment),
    "the cosine by the square of a cosine": ("cosine", _cosine_of_half),
    "the lesser of the warm-up and the root": ("inverse_sqrt", _the_lesser_of_two),
    "the power factor by factor": ("multi_step", _factor_by_factor),
}


class Own:
    """A formula in Python's numbers."""

    def __init__(self, rule: str, value: Callable[[Hyper, int], float]) -> None:
        self.name, self.rule, self.value = value.__name__, rule, value

    def capabilities(self) -> list[ScheduleCapability]:
        """The one."""
        return [ScheduleCapability(rule=self.rule, format="float64", arithmetic="ieee_float64")]

    def schedule_values(
        self, capability: ScheduleCapability, hyper: Hyper, steps: Sequence[int]
    ) -> list[float]:
        """One value by one."""
        return [self.value(hyper, t) for t in steps]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", CORRECT)
def test_it_passes(name: str, seed: int) -> None:
    """Every check."""
    failed = first_failure(Own(*CORRECT[name]), seed=seed, told=False)
    assert failed is None, failed and failed.message
