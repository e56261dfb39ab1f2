"""D-Adaptation and hypergradients against traces of their authors' code, in which rates grow.

The traces were recorded with dadaptation 3.2 and with gbaydin/hypergradient-descent, its calls
written in PyTorch's present order of arguments, in PyTorch 2.13 with float64 as the default dtype,
and written down with eleven decimals.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from truestep.reference.optimizers import OPTIMIZERS

TRACES = tomllib.loads((Path(__file__).parent / "traces" / "distances.toml").read_text())["trace"]
FIELDS = ("library", "rule", "hyper", "recorded")
STEPS = 9


@pytest.mark.parametrize(FIELDS, [[trace[name] for name in FIELDS] for trace in TRACES])
def test_nine_steps_reach_the_authors_parameters(
    library: str, rule: str, hyper: dict[str, Any], recorded: str
) -> None:
    """Each element equals the library's to its last recorded digit, and the rate has grown."""
    module = OPTIMIZERS[rule]
    h, p = module.Hyper(**hyper), np.cos(1.0 + 2.0 * np.arange(4))
    s = module.init(h, p)
    for t in range(1, STEPS + 1):
        g = np.sin(1.0 + t + 3.0 * np.arange(4) ** 2) + 1.5
        s, p = module.step(h, s, p, g)
    assert [f"{x:.11f}" for x in p] == recorded.split()
    assert s.d > h.d0 if hasattr(h, "d0") else s.rate > h.lr
