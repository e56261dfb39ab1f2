"""The roofline of a step follows from its rule's own lines, and fits what our kernels move."""

from __future__ import annotations

import pytest

from truestep.fast.ours import bench
from truestep.reports.bench import roofline

# Where a kernel moves more than the rule has to: Adan's second step starts v anew, ASGD's average
# is p for a million steps, and Sophia's curvature is refreshed at every tenth.
MORE = {"adan", "asgd", "sophia"}


def test_the_roofline_is_what_kernels_move_that_read_and_write_once() -> None:
    """Of every rule that is timed: p, g and each state in float32, or 8-bit states as codes."""
    for rule in bench.timed_rules():
        kernel, hyper = bench.timed(rule)
        moved = 4 * (3 + len(kernel.inputs) + 2 * len(kernel.states))
        found = roofline(rule, hyper, False)
        assert found < moved if rule in MORE else found == pytest.approx(moved, rel=1e-3), rule


def test_codes_move_fewer_bytes() -> None:
    """AdamW: both moments go through a byte each way, with a scale for every 256."""
    kernel, hyper = bench.timed("adamw")
    assert len(kernel.states) == 2
    assert roofline("adamw", hyper, True) == 12 + 4 * (1 + 4 / 256)
