"""The input space of a schedule as axes with strata, each of which is visited with every seed.

Lengths from those of a test to those of a real run, many milestones, decays near 1; every number
drawn continuously, so that none is at its default, and one of them in turn at each of its corners.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from truestep.fast.protocol import ScheduleCapability
from truestep.properties.cases.hypers import continuous, corners
from truestep.properties.kinds.schedule import cases
from truestep.properties.kinds.schedule.cases import Fields, ScheduleCase
from truestep.reference.declared import Count, Counts, Real
from truestep.reference.rules import Rule
from truestep.reference.schedules import SCHEDULES

NAME = "strata"
# By what all lengths of a run are multiplied, from minutes to months of training.
LENGTHS = (1, 2, 7, 30, 100, 1000, 10_000)
# Milestones, and by how much a decay differs from 1.
MILESTONES = (0, 1, 3, 12)
NEAR_ONE = (1e-1, 1e-2, 1e-3, 1e-5)
_ROWS = 28
# Steps of each run besides those where something happens.
_BETWEEN = 12


def made(capability: ScheduleCapability, seed: int) -> Sequence[ScheduleCase]:
    """The cases of one seed."""
    rng = np.random.default_rng(seed)
    rule, most = SCHEDULES[capability.rule], cases.reach(capability)
    given = {**capability.dialect, **capability.fixed}
    # A recursion from 0 has nothing to go on from.
    special = [*corners(rule, given, ends=not capability.recursive), *_near_one(rule, given)]
    rows = max(_ROWS, len(special))
    turned = [special[i] for i in rng.permutation(len(special))]
    found = []
    for i in range(rows):
        at = dict([turned[i]]) if i < len(turned) else {}
        length = LENGTHS[i % len(LENGTHS)]
        fields = _longer(rule, continuous(rule, given, rng, **at), length, {*given, *at}, i, rng)
        hyper = rule.Hyper(**fields)
        last = min(cases.end(hyper) + 2, most)
        between = (int(last ** rng.random()) for _ in range(_BETWEEN))
        found.append(ScheduleCase(fields, cases.edges(hyper, tuple(between), most)))
    return found


def _longer(
    rule: Rule, fields: Fields, factor: int, kept: set[str], row: int, rng: np.random.Generator
) -> Fields:
    """The same run, so many times as long, if the rule accepts that; kept: fields that stay."""
    longer = dict(fields)
    for name, limits in rule.Hyper.RANGES.items():
        if name not in kept and isinstance(limits, Count):
            longer[name] = fields[name] * factor
        elif name not in kept and isinstance(limits, Counts):
            count = MILESTONES[row % len(MILESTONES)]
            places = np.sort(rng.integers(1, 100, count)) * factor
            longer[name] = tuple(int(place) for place in places)
    return longer if cases.valid(rule, longer) else fields


def _near_one(rule: Rule, given: Fields) -> Iterator[tuple[str, object]]:
    """Every factor that ends at 1, close to it."""
    for name, limits in rule.Hyper.RANGES.items():
        if name not in given and isinstance(limits, Real) and limits.high == 1 and not limits.of:
            yield from ((name, 1 - distance) for distance in NEAR_ONE)
