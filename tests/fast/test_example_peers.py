"""Libraries' rules of one example: LMS and the perceptron are judged, and ties as declared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.fast import discovery
from truestep.fast.protocol import BackendUnavailable, Capability, Group, Slot
from truestep.properties.kinds.optimizer.families import run
from truestep.reference.optimizers import OPTIMIZERS

RULES = ("lms", "perceptron")


def _of(name: str) -> list[tuple[Any, Capability]]:
    try:
        backend = discovery.load(name)
    except BackendUnavailable as reason:
        pytest.skip(str(reason))
    return [(backend, c) for c in backend.capabilities() if c.rule in RULES]


@pytest.mark.parametrize("check", ["lockstep", "special_values", "update_alone"])
@pytest.mark.parametrize("name", ["optax", "padasip", "torch"])
def test_every_implementation_passes(name: str, check: str) -> None:
    """Something is judged and nothing fails, with few examples."""
    pairs = _of(name)
    assert pairs
    for backend, capability in pairs:
        result = run(backend, capability, check, level="smoke", seed=7, started=lambda _: None)
        assert result.verdict == "pass", result.message


@pytest.mark.parametrize(("name", "moved"), [("optax", 0.5), ("torch", 1.0)])
def test_a_tie_moves_p_as_the_dialect_says(name: str, moved: float) -> None:
    """JAX passes half of maximum's gradient on where both arguments are equal, torch all of it."""
    backend, capability = next(pair for pair in _of(name) if pair[1].rule == "perceptron")
    x = np.array([1.0, -2.0], dtype=np.float32)
    slot = Slot(np.zeros_like(x), x, {"t": 0}, {"response": np.asarray(-1.0, dtype=np.float32)})
    hyper = OPTIMIZERS["perceptron"].Hyper(**capability.dialect)
    stepped = backend.optimizer_step(capability, [Group(hyper, [slot])])[0][0]
    assert stepped.param.tolist() == [-moved, 2 * moved]
