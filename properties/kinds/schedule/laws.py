"""Laws of learning-rate schedules: what holds for any of them, whatever its formula.

Values are compared bit for bit, or with the roundings of a faithful kernel at both steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from truestep.fast.protocol import Level, Number, ScheduleBackend, ScheduleCapability
from truestep.fast.reference_backend import Backend
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.judge.results import SLACK
from truestep.properties.kinds.schedule import step as scheduling
from truestep.properties.kinds.schedule import strata
from truestep.properties.kinds.schedule.cases import reach
from truestep.properties.kinds.schedule.shapes import Phase, has_shape, shape_of
from truestep.properties.kinds.schedule.step import Values
from truestep.properties.laws.claims import Claim, Claims, by_name, judged
from truestep.properties.laws.own import declared
from truestep.reference import own
from truestep.reference.declared import Hyper
from truestep.reference.schedules import SCHEDULES

# Numbers of examples of a law by level.
EXAMPLES: Mapping[Level, int] = {"smoke": 1, "standard": 5, "deep": 200}
# Times at which a phase is looked at: both ends with their neighbours, and some between.
_BETWEEN = 4
# Powers of two: scaling by them is exact.
_SCALES = (2.0**-3, 2.0**5)
# Cases in which a law is tried on the definition of a schedule of one's own.
_TRIED = 8
_DEFINITIONS = Backend()


class Subject:
    """A backend's schedule with one set of hyperparameters."""

    def __init__(
        self, backend: ScheduleBackend, capability: ScheduleCapability, fields: Mapping[str, Number]
    ) -> None:
        self.backend, self.capability, self.fields = backend, capability, fields
        self.module = SCHEDULES[capability.rule]
        self.hyper: Hyper = self.module.Hyper(**fields)

    def where(self, **fields: Number) -> Subject:
        """The same with other hyperparameters."""
        return Subject(self.backend, self.capability, {**self.fields, **fields})

    def values(self, steps: Sequence[int]) -> Values:
        """The backend's values."""
        return scheduling.values_of(self.backend, self.capability, self.hyper, steps)

    def bounds(self, steps: Sequence[int]) -> Values:
        """What a faithful kernel may err at these steps."""
        found = scheduling.contract(self.module, self.capability, self.hyper, steps)
        return np.asarray(found.e)

    def defined(self, steps: Sequence[int]) -> list[int]:
        """The steps at which the definition gives a value, ascending."""
        most = reach(self.capability)
        return [
            t
            for t in sorted(set(steps))
            if t <= most and not scheduling.ended(self.module, self.hyper, t)
        ]

    def phases(self) -> Iterator[tuple[Phase, list[int]]]:
        """Every phase with the steps at which it is looked at."""
        for phase in shape_of(self.module, self.capability.rule, self.hyper).phases:
            last = min(phase.last, reach(self.capability))
            inner = [phase.first + (last - phase.first) * k // _BETWEEN for k in range(1, _BETWEEN)]
            ends = (phase.first, phase.first + 1, last - 1, last)
            steps = [*ends, *inner, *(t + 1 for t in inner)]
            yield phase, self.defined([t for t in steps if phase.first <= t <= last])


Law = Callable[[Subject, Sequence[int]], Claims]


def continuous_within_phases(subject: Subject, steps: Sequence[int]) -> Claims:
    """No step changes the value by more than the phase's steepest slope, at its ends neither."""
    for phase, times in subject.phases():
        pairs = [(t, s) for t, s in pairwise(times) if s == t + 1]
        if not pairs:
            continue
        a, b, bound = _pairs(subject, pairs)
        # The slope itself was computed here, with a dozen roundings at most.
        slope = phase.slope * (1 + 12 * format_named("float64").u)
        yield Claim("lr", b, np.clip(b, a - slope, a + slope), bound, [s for _, s in pairs])


def depends_on_the_step_alone(subject: Subject, steps: Sequence[int]) -> Claims:
    """The value at t is the same alone and among others, and whatever was asked before."""
    times = subject.defined(steps)
    together = subject.values(times)
    backwards = np.array([subject.values([t])[0] for t in reversed(times)])[::-1]
    yield Claim("lr", backwards, together, None, times)
    yield Claim("lr", subject.values(times), together, None, times)


def monotone_within_phases(subject: Subject, steps: Sequence[int]) -> Claims:
    """Rising phases never fall, falling ones never rise, constant ones keep every bit."""
    for phase, times in subject.phases():
        pairs = list(pairwise(times))
        if not pairs:
            continue
        a, b, bound = _pairs(subject, pairs)
        later = [s for _, s in pairs]
        if phase.trend == "constant":
            yield Claim("lr", b, a, None, later)
        else:
            limit = (np.maximum if phase.trend == "rising" else np.minimum)(a, b)
            yield Claim("lr", b, limit, bound, later)


def scales_with_the_learning_rate(subject: Subject, steps: Sequence[int]) -> Claims:
    """lr and min_lr times a power of two: the value times it, in every bit."""
    rates = [name for name in ("lr", "min_lr") if name in subject.fields]
    times = subject.defined(steps)
    values = subject.values(times)
    # Below it, where a format has fewer digits, scaling rounds.
    least = format_named(subject.capability.format).least_normal * 2.0**24
    kept = (values == 0) | (np.abs(values) >= least)
    for scale in _SCALES:
        image = subject.where(**{name: getattr(subject.hyper, name) * scale for name in rates})
        chosen = [t for t, keep in zip(times, kept, strict=True) if keep]
        yield Claim("lr", image.values(times)[kept], values[kept] * scale, None, chosen)


def names(capability: ScheduleCapability) -> list[str]:
    """The laws that are asked of a capability: the rate that is to be scaled has to be free.

    Of a schedule of one's own those that it declares, else those that it is found to obey.
    """
    rule, fixed = capability.rule, capability.fixed
    held = "lr" in fixed or fixed.get("min_lr", 0.0) != 0.0
    known = list(LAWS)
    if rule in own.OWN:
        told = declared(rule, SCHEDULES[rule], LAWS)
        known = [law for law in LAWS if _obeyed(capability, law)] if told is None else told
    return [law for law in known if not (held and law == scales_with_the_learning_rate.__name__)]


def _obeyed(capability: ScheduleCapability, law: str) -> bool:
    """Whether the definition of a schedule obeys a law in some cases of the strata."""
    if not has_shape(SCHEDULES[capability.rule], capability.rule) and law not in SHAPELESS:
        return False
    plain = replace(capability, format="float64", arithmetic="oracle", variant="", recursive=False)
    found = [
        one.judgement
        for case in strata.made(plain, 0)[:_TRIED]
        for one in judged(LAWS[law](Subject(_DEFINITIONS, plain, case.hyper), case.steps))
    ]
    return all((one.utilisation or 0.0) <= SLACK for one in found)


def stays_between_its_extremes(subject: Subject, steps: Sequence[int]) -> Claims:
    """Never below the lowest value of the definition, nor above its highest; never negative."""
    times = subject.defined(steps)
    shape = shape_of(subject.module, subject.capability.rule, subject.hyper)
    values = subject.values(times)
    yield Claim("lr", values, np.clip(values, shape.low, shape.high), subject.bounds(times), times)


def _pairs(subject: Subject, pairs: Sequence[tuple[int, int]]) -> tuple[Values, Values, Values]:
    """Values at the first and the second of each pair, and the roundings of both."""
    times = sorted({t for pair in pairs for t in pair})
    place = {t: i for i, t in enumerate(times)}
    values, bounds = subject.values(times), subject.bounds(times)
    first, second = ([place[pair[k]] for pair in pairs] for k in (0, 1))
    return values[first], values[second], bounds[first] + bounds[second]


LAWS: dict[str, Law] = by_name(
    continuous_within_phases,
    depends_on_the_step_alone,
    monotone_within_phases,
    scales_with_the_learning_rate,
    stays_between_its_extremes,
)
# Those that ask for no shape.
SHAPELESS = {depends_on_the_step_alone.__name__, scales_with_the_learning_rate.__name__}
