"""Libraries' rules of one example: LMS and the perceptron are judged, and ties as declared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.fast import discovery
from truestep.fast.protocol import BackendUnavailable, Group, Slot
from truestep.properties.run.plan import checks_of, run_check
from truestep.reference.optimizers import OPTIMIZERS

RULES = ("lms", "perceptron")


def _backend(name: str) -> Any:
    try:
        return discovery.load(name)
    except BackendUnavailable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("check", ["lockstep", "special_values", "update_alone"])
@pytest.mark.parametrize("name", ["optax", "padasip", "torch"])
def test_every_implementation_passes(name: str, check: str) -> None:
    """Something is judged and nothing fails, with few examples."""
    backend = _backend(name)
    checks = [c for c in checks_of(backend) if c.rule in RULES and c.name == check]
    assert checks
    for found in checks:
        result = run_check(backend, found, level=found.capability.level, seed=7)
        assert result.verdict == "pass", result.message


@pytest.mark.parametrize(("name", "moved"), [("optax", 0.5), ("torch", 1.0)])
def test_a_tie_moves_p_as_the_dialect_says(name: str, moved: float) -> None:
    """JAX passes half of maximum's gradient on where both arguments are equal, torch all of it."""
    backend = _backend(name)
    capability = next(c for c in backend.capabilities() if c.rule == "perceptron")
    x = np.array([1.0, -2.0], dtype=np.float32)
    slot = Slot(np.zeros_like(x), x, {"t": 0}, {"response": np.asarray(-1.0, dtype=np.float32)})
    hyper = OPTIMIZERS["perceptron"].Hyper(**capability.dialect)
    stepped = backend.optimizer_step(capability, [Group(hyper, [slot])])[0][0]
    assert stepped.param.tolist() == [-moved, 2 * moved]
