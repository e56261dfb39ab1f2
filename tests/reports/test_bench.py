"""The roofline of a step follows from its rule's own lines, and fits what our kernels move."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from truestep.fast.ours import bench
from truestep.properties.costs.costs import costs
from truestep.reports.bench import roofline

Call = Callable[..., tuple[int, str, str]]


def test_a_rule_without_kernel_is_told_in_a_line(truestep: Call) -> None:
    """Before anything is timed."""
    status, out, err = truestep("bench", "adamz")
    assert status == 2 and not out and len(err.splitlines()) == 1
    assert "no kernel of 'adamz'" in err


def test_the_roofline_is_what_kernels_move_that_read_and_write_once() -> None:
    """Of every rule that is timed: p, g and each state in float32, where steps need all of them.

    Not all do: Adan's second step starts v anew, ASGD's average is p for a million steps, Sophia's
    curvature is refreshed at every tenth.
    """
    whole = set()
    for rule in bench.timed_rules():
        kernel, hyper = bench.timed(rule)
        moved = 4 * (3 + len(kernel.inputs) + 2 * len(kernel.states))
        found, counted = roofline(rule, hyper, False), costs(rule, hyper)
        if all(counted.read.get(s) == 1 == counted.written.get(s) for s in kernel.states):
            whole.add(rule)
            assert found == pytest.approx(moved, rel=1e-3), rule
        assert found < moved * 1.001, rule
    assert {"adam", "adamw", "lion", "rmsprop", "sgd"} <= whole
    assert not {"adan", "asgd", "sophia"} & whole


def test_codes_move_fewer_bytes() -> None:
    """AdamW: both moments go through a byte each way, with a scale for every 256."""
    kernel, hyper = bench.timed("adamw")
    assert len(kernel.states) == 2
    assert roofline("adamw", hyper, True) == 12 + 4 * (1 + 4 / 256)
