"""Memory-efficient, low-rank and modern rules against traces recorded from libraries.

Nine steps with three gradients in turn, in float64, with eps large enough for its place to show:
from P0 with G ("v"), from the matrix M0 with GM ("m"), and from their transposes ("w").
The traces were recorded with PyTorch 2.13 (default dtype float64), transformers 5.23.0, optax
0.2.8, Keras 3.15.1 (JAX), timm 1.0.31, pytorch-optimizer 4.1.0, torch_optimizer 0.3.0, adam-mini
1.1.1, came-pytorch 0.1.3, lomo-optim 0.1.1, galore-torch 1.0, apollo-torch 1.0.3, schedulefree
1.4.1, prodigyopt 1.1.2 and torch-optimi 0.3.3. References and libraries differed by less than 1e-15
where eleven decimals are recorded. Fewer decimals are those of a library that computes a part in
float32 whatever the parameters' dtype: optax's decay rate of Adafactor and its weights of MADGRAD,
Keras's learning rate, lomo-optim's whole step, galore-torch's decomposition.
"""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from truestep.reference.optimizers import OPTIMIZERS

P0 = np.array((1.0, -2.0, 0.5, 0.0))
G = np.array(((0.5, -1.0, 0.0, 2.0), (-0.25, 0.5, 0.0, 1e-3), (1.0, 0.0, -3.0, -2.0)))
M0 = np.array([[1.0, -2.0, 0.5], [0.0, 0.25, -1.0], [3.0, -0.5, 0.125], [0.75, -1.5, 2.0]])
GM = np.array(
    [
        [[0.5, -1.0, 0.125], [1.0, 0.0, -0.5], [0.25, 2.0, -3.0], [1e-3, 0.5, -0.75]],
        [[-0.25, 0.5, 1.0], [0.5, -2.0, 0.0], [1.5, -0.125, 0.75], [2.0, -1.0, 0.5]],
        [[1.0, 0.0, -3.0], [-0.5, 0.25, 1.25], [-1.0, 0.5, 2.0], [0.75, -0.25, 1.0]],
    ]
)
CASES = {"v": (P0, G), "m": (M0, GM), "w": (M0.T, GM.transpose(0, 2, 1))}

# apollo-torch was given these projections in the place of its random ones, by rank.
PROJECTIONS = {1: np.array([[1.0, -1.0, 2.0]]), 2: np.array([[1.0, -1.0, 2.0], [0.5, 1.0, -1.0]])}

FIELDS = ("library", "rule", "hyper", "case", "recorded")
TRACES = tomllib.loads((Path(__file__).parent / "traces" / "authors.toml").read_text())["trace"]


def _as_printed(value: float, printed: str) -> str:
    """The value rounded to as many decimals as are printed."""
    return f"{value:.{len(printed.partition('.')[2])}f}"


@pytest.mark.parametrize(FIELDS, [[trace[name] for name in FIELDS] for trace in TRACES])
def test_nine_steps_reach_the_librarys_parameters(
    library: str, rule: str, hyper: dict[str, Any], case: str, recorded: str
) -> None:
    """Each element equals the library's to its last recorded digit."""
    module = OPTIMIZERS[rule]
    h = module.Hyper(**hyper)
    p, gradients = CASES[case]
    s = module.init(h, p)
    if rule.startswith("apollo"):
        projection = PROJECTIONS[h.rank]
        s = dataclasses.replace(s, projection=projection.T if case == "m" else projection)
    for g in (*gradients, *gradients, *gradients):
        s, p = module.step(h, s, p, g)
    expected = recorded.split()
    assert [_as_printed(float(x), e) for x, e in zip(p.ravel(), expected, strict=True)] == expected
    assert s.t == 3 * len(gradients)
