"""References in the dialects of libraries, against traces recorded from those libraries.

Nine steps from P0 with the gradients G, thrice; float64, eps large enough for its place to show.
The traces were recorded with PyTorch 2.13 (default dtype float64), optax 0.2.8, timm 1.0.31,
lion-pytorch 0.2.5, torch-optimi 0.3.3, torch_optimizer 0.3.0, pytorch-optimizer 4.1.0,
grams-pytorch 0.0.2, adabelief-pytorch 0.2.1 and adam-atan2-pytorch 0.4.1, and
rounded to 11 decimals; references and libraries differed by less than 1e-13.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from truestep.reference.optimizers import OPTIMIZERS

P0 = (1.0, -2.0, 0.5, 0.0)
G = ((0.5, -1.0, 0.0, 2.0), (-0.25, 0.5, 0.0, 1e-3), (1.0, 0.0, -3.0, -2.0))

FIELDS = ("library", "rule", "hyper", "recorded")
TRACES = tomllib.loads((Path(__file__).parent / "traces" / "libraries.toml").read_text())["trace"]


@pytest.mark.parametrize(FIELDS, [[trace[name] for name in FIELDS] for trace in TRACES])
def test_nine_steps_reach_the_librarys_parameters(
    library: str, rule: str, hyper: dict[str, Any], recorded: str
) -> None:
    """Each element equals the library's to its last recorded digit."""
    module = OPTIMIZERS[rule]
    h = module.Hyper(**hyper)
    p = np.array(P0)
    s = module.init(h, p)
    for g in 3 * G:
        s, p = module.step(h, s, p, np.array(g))
    assert [f"{x:.11f}" for x in p] == recorded.split()
