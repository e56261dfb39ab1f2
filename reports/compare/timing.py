"""The time of a step of our kernel, as a share of what memory alone would take."""

from __future__ import annotations

from truestep.fast.ours import bench
from truestep.fast.ours.bench import Row
from truestep.reports.bench import roofline

# Elements of the one tensor, beyond caches; rounds that visit both contenders, and calls in each.
ELEMENTS, ROUNDS, CALLS = 2**23, 5, 3


def step_times(rules: list[str]) -> dict[str, Row]:
    """By rule our step against its memory traffic, of those that have a kernel of this sort."""
    known = set(bench.timed_rules())
    found = {}
    for rule in rules:
        if rule in known:
            of = [ELEMENTS]
            for row in bench.measured(
                roofline, rule, f"{ELEMENTS}", of, ROUNDS, calls=CALLS, peers=False
            ):
                if isinstance(row, Row):
                    found[rule] = row
    return found
