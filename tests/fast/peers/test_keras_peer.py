"""Keras's optimizers behind the protocol: both paths, counters, groups, the choice of backend."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from truestep.fast import discovery
from truestep.fast.peers.keras.rows import ROWS
from truestep.fast.protocol import BackendUnavailable, Capability, Group, Slot
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.optimizers import OPTIMIZERS


@pytest.fixture(scope="module")
def backend() -> Any:
    """Keras on torch."""
    try:
        return discovery.load("keras")
    except BackendUnavailable as reason:
        pytest.skip(str(reason))


def _capability(backend: Any, rule: str, path: str) -> Capability:
    return next(c for c in backend.capabilities() if (c.rule, c.variant) == (rule, path))


def test_the_environment_stays_as_it_was(backend: Any) -> None:
    """Choosing Keras's backend leaves no variable behind for the processes that follow."""
    assert backend.name == "keras"
    assert "KERAS_BACKEND" not in os.environ


@pytest.mark.parametrize(("rule", "path"), [(row.rule, path) for row in ROWS for path in row.paths])
def test_each_path_of_each_optimizer_is_within_its_bounds(
    backend: Any, rule: str, path: str
) -> None:
    """The update shows undimmed, from reachable states, and passes the contract."""
    capability = _capability(backend, rule, path)
    [check] = [
        check
        for check in checks_of(backend)
        if check.capability == capability and check.name == "update_alone"
    ]
    result = run_check(backend, check, level="smoke", seed=0)
    assert result.verdict == "pass", result.message


def test_the_paths_are_different_code(backend: Any) -> None:
    """The torch backend's own update is not what the generic path runs."""
    parallel, generic = (backend._plans["adam", path][1] for path in ("parallel", "generic"))
    assert hasattr(parallel(), "_parallel_update_step")
    assert not hasattr(generic(), "_parallel_update_step")


def test_slots_of_different_counts_share_a_group(backend: Any) -> None:
    """Each is stepped by its own count, in the order given; inputs are not written."""
    capability = _capability(backend, "adam", "parallel")
    hyper = OPTIMIZERS["adam"].Hyper(**capability.dialect)
    p = np.ones(3, np.float32)
    state = {"m": p / 4, "v": p / 4}
    slots = [Slot(p, p, {**state, "t": t}) for t in (9, 2, 9)]
    results = backend.optimizer_step(capability, [Group(hyper, slots)])[0]
    assert [new.state["t"] for new in results] == [10, 3, 10]
    assert np.array_equal(results[0].param, results[2].param)
    assert not np.array_equal(results[0].param, results[1].param)
    assert np.array_equal(p, np.ones(3, np.float32))
    assert {f.name for f in dataclasses.fields(OPTIMIZERS["adam"].State)} == {*results[0].state}
