"""Rules that are told a value, or find their own rate, against traces of their authors' code.

The traces were recorded with momo-opt 0.1.0, dadaptation 3.2 and mechanic-pytorch 0.0.1, in PyTorch
2.13 with float64 as the default dtype, and written down with eleven decimals.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from truestep.reference.optimizers import OPTIMIZERS, polyak_sgd

TRACES = tomllib.loads((Path(__file__).parent / "traces" / "values.toml").read_text())["trace"]
FIELDS = ("library", "rule", "hyper", "recorded")
STEPS = 9


@pytest.mark.parametrize(FIELDS, [[trace[name] for name in FIELDS] for trace in TRACES])
def test_nine_steps_reach_the_authors_parameters(
    library: str, rule: str, hyper: dict[str, Any], recorded: str
) -> None:
    """Each element equals the library's to its last recorded digit."""
    module = OPTIMIZERS[rule]
    h, p = module.Hyper(**hyper), np.cos(1.0 + 2.0 * np.arange(4))
    s = module.init(h, p)
    for t in range(1, STEPS + 1):
        g = np.sin(1.0 + t + 3.0 * np.arange(4) ** 2)
        told = {"value": np.asarray(0.2 + 0.1 * (t % 4))} if module.FACTS.inputs else {}
        s, p = module.step(h, s, p, g, **told)
    assert [f"{x:.11f}" for x in p] == recorded.split()


def test_polyaks_step_halves_the_distance_to_the_least_of_a_quadratic() -> None:
    """On f = |p|^2 the step is f / |2 p|^2 = 1 / 4, whose way is p / 2; optax's example."""
    h, p = polyak_sgd.Hyper(), np.array([1.0, 2.0, 3.0])
    s = polyak_sgd.init(h, p)
    for halvings in range(1, 6):
        s, p = polyak_sgd.step(h, s, p, 2 * p, value=np.sum(p * p))
        assert np.array_equal(p, np.array([1.0, 2.0, 3.0]) / 2**halvings)
