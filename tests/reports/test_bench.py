"""The roofline of a step follows from its rule's own lines, and fits what our kernels move."""

from __future__ import annotations

import importlib
import warnings
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
    assert "no kernel of 'adamz' (did you mean 'adam" in err


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


# Of what libraries compute by rows, what no step() of an optimizer alone can be timed at.
UNTIMED = {
    "adahessian": "estimates a Hessian, which takes a graph",
    "lms": "a function of torch, not an optimizer",
    "lookahead": "wraps an optimizer",
    "lomo": "steps within backward()",
    "perceptron": "a function of torch, not an optimizer",
    "polyak_ruppert": "a function of torch, not an optimizer",
    "sophia": "estimates a Hessian, which takes a graph",
}


@pytest.mark.parametrize("library", ["torch", "pytorch_optimizer", "schedulefree"])
def test_every_kernel_is_timed_against_a_library_that_has_its_rule(library: str) -> None:
    """What has a row there is in the table, or has a reason."""
    pytest.importorskip(library)
    rows = importlib.import_module(f"truestep.fast.peers.{library}.backend").Backend.rows
    rules = {row.rule for row in rows} & set(bench.timed_rules())
    assert rules and rules - bench.PEERS.keys() <= UNTIMED.keys()
    assert not UNTIMED.keys() & bench.PEERS.keys()


@pytest.mark.parametrize("rule", bench.PEERS)
def test_every_library_that_is_timed_steps(rule: str) -> None:
    """With the options of the table, on tensors of one kind."""
    pytest.importorskip("torch")
    for peer in bench.PEERS[rule]:
        pytest.importorskip(peer.module)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            step = bench.torch_step(peer, [100, 7])
            step()
            step()
