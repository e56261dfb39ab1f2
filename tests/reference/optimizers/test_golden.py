"""References against traces recorded from PyTorch, digit for digit.

Forms of one sequence share a trace; Lion's, which PyTorch lacks, is exact decimal arithmetic.
Three steps from P0 with the gradients G, float64 parameters, PyTorch 2.13. Where PyTorch keeps
scalars in its default dtype (NAdam, ASGD) that dtype was float64. Digits are kept as far as they do
not depend on the order of the roundings: 14 of 16, fewer where a difference cancels. A trace says
nothing about other inputs; the equations are held against the papers by reading.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from truestep.reference.optimizers import OPTIMIZERS

P0 = (1.0, -2.0, 0.5, 0.0)
G = ((0.5, -1.0, 0.0, 2.0), (-0.25, 0.5, 0.0, 1e-3), (1.0, 0.0, -3.0, -2.0))

# rule, hyperparameters, p after three steps
TRACES: list[tuple[str, dict[str, Any], str]] = [
    ("adadelta", {}, "0.99461615699908 -1.9989228680131 0.50316227590335 0.0000753094603444"),
    ("adagrad", {"lr": 0.1}, "0.85743420347522 -1.9447213595560 0.59999999999667 -0.029339326292"),
    (
        "adagrad",
        {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.01},
        "0.86609559106057 -1.9373423574636 0.42654268692653 -0.041059709029823",
    ),
    ("adam", {"lr": 0.1}, "0.80755513967709 -1.8527783673315 0.56388135957122 -0.15847660774262"),
    (
        "adam",
        {"lr": 0.1, "weight_decay": 0.1},
        "0.78150439986317 -1.8089293433496 0.36340888916515 -0.15756180853597",
    ),
    ("adamax", {"lr": 0.1}, "0.83538386214831 -1.8656155550470 0.53690036888069 -0.14044771337424"),
    (
        "adamw",
        {"lr": 0.1, "weight_decay": 0.1, "decay": "before"},
        "0.78011047667021 -1.7956327043478 0.54903085957122 -0.15581617733248",
    ),
    (
        "amsgrad",
        {"lr": 0.1, "beta2": 0.5, "bias_correction": "both"},
        "0.81913859244794 -1.8566426430520 0.54881459961989 -0.14977049795509",
    ),
    (
        "asgd",
        {"lr": 0.1},
        "0.87497206298976 -1.9499411260320 0.79998050034124 -0.00009899826252893",
    ),
    ("heavy_ball", {"lr": 0.1}, "0.812 -1.824 0.8 -0.34219"),
    ("lion", {"lr": 0.1, "weight_decay": 0.1}, "0.871289 -1.841588 0.5851495 -0.09701"),
    ("nadam", {"lr": 0.1}, "0.83565558607379 -1.9328458485349 0.61285919030929 -0.036822182439021"),
    ("nesterov", {"lr": 0.1, "momentum": 0.9, "form": "torch"}, "0.7058 -1.7916 1.07 -0.308071"),
    ("nesterov", {"lr": 0.1, "momentum": 0.9, "form": "keras"}, "0.7058 -1.7916 1.07 -0.308071"),
    (
        "radam",
        {"lr": 0.1, "threshold": "above_5", "eps_placement": "before_correction"},
        "0.89593124878617 -1.8656632355797 0.61070110701107 -0.28080054379491",
    ),
    (
        "rmsprop",
        {"lr": 0.1},
        "-0.42572621607140 -1.4490133147444 1.4999999666667 -0.28985142947342",
    ),
    (
        "rmsprop",
        {"lr": 0.1, "centered": True, "momentum": 0.9},
        "-1.7496525253523 -0.13030005266653 1.5050377815892 -2.0139601795927",
    ),
    ("sgd", {"lr": 0.1}, "0.875 -1.95 0.8 -0.000100000000000"),
    ("sgd", {"lr": 0.1, "momentum": 0.9}, "0.812 -1.824 0.8 -0.34219"),
    (
        "sgd",
        {"lr": 0.1, "momentum": 0.9, "momentum_form": "lr_inside"},
        "0.812 -1.824 0.8 -0.34219",
    ),
    (
        "sgd",
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.01},
        "0.83418088725 -1.7683617745 0.647921074875 -0.441715025",
    ),
]


def _as_printed(value: float, printed: str) -> str:
    """The value rounded to as many decimals as are printed."""
    return f"{value:.{len(printed.partition('.')[2])}f}"


@pytest.mark.parametrize(("rule", "hyper", "printed"), TRACES)
def test_three_steps_reach_the_recorded_parameters(
    rule: str, hyper: dict[str, Any], printed: str
) -> None:
    """Each element equals the recorded one to its last printed digit."""
    module = OPTIMIZERS[rule]
    h = module.Hyper(**hyper)
    p = np.array(P0)
    s = module.init(h, p)
    for g in G:
        s, p = module.step(h, s, p, np.array(g))
    expected = printed.split()
    assert [_as_printed(float(x), e) for x, e in zip(p, expected, strict=True)] == expected
    assert s.t == len(G)
