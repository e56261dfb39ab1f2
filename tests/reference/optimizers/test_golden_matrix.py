"""References of the matrix rules in the dialects of libraries, against traces recorded from those.

Seven steps from P0, or its transpose, with the gradients of gradient(t); float64. Recorded with
optax 0.2.8 and pytorch-optimizer 4.1 (default dtype float64), and rounded to nine decimals;
references and libraries differed by less than 1e-13. The last trace of SOAP is of one whose cast of
the QR decomposition to float32 was taken out. Muon of PyTorch and pytorch-optimizer iterates in
bfloat16 whatever the parameters are, and so leaves no trace to nine decimals.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from truestep.reference.optimizers import distributed_shampoo, muon, scion, shampoo, soap

MODULES: dict[str, Any] = {
    "distributed_shampoo": distributed_shampoo,
    "muon": muon,
    "scion": scion,
    "shampoo": shampoo,
    "soap": soap,
}
P0 = ((1.0, -2.0, 0.5), (0.0, 0.25, -1.0), (0.5, 1.0, 2.0), (-1.0, 0.75, 0.125))


def gradient(t: int) -> Any:
    """The gradient of step t."""
    return np.array(
        [
            [0.5 * t, -1.0, 0.125],
            [1.0, 0.25 * (t - 1), -0.5],
            [-0.75, 2.0 / t, 1.0],
            [0.25, -0.5, 1.5 - t],
        ]
    )


FIELDS = ("library", "rule", "hyper", "transposed", "recorded")
TRACES = tomllib.loads((Path(__file__).parent / "traces" / "matrix.toml").read_text())["trace"]


@pytest.mark.parametrize(FIELDS, [[trace[name] for name in FIELDS] for trace in TRACES])
def test_seven_steps_reach_the_librarys_parameters(
    library: str, rule: str, hyper: dict[str, Any], transposed: bool, recorded: str
) -> None:
    """Each element equals the library's to its last recorded digit."""
    module = MODULES[rule]
    h = module.Hyper(**hyper)
    p = np.array(P0).T if transposed else np.array(P0)
    s = module.init(h, p)
    for t in range(1, 8):
        s, p = module.step(h, s, p, gradient(t).T if transposed else gradient(t))
    assert [f"{x:.9f}" for x in p.ravel()] == recorded.split()
