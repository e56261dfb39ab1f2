"""Departures of transformers' Adafactor, each with its reproducer."""

from __future__ import annotations

from truestep.fast.peers.finding import Finding

_NAN_IS_DROPPED = """\
import torch
from transformers.optimization import Adafactor
p = torch.nn.Parameter(torch.tensor([1.0, float("nan")]))
optimizer = Adafactor([p], lr=1.0, relative_step=False)
p.grad = torch.ones(2)
optimizer.step()
print(p.tolist())
"""

TRANSFORMERS_FINDINGS: tuple[Finding, ...] = (
    Finding(
        library="transformers",
        versions="5.24.0",
        rule="adafactor",
        title="A nan in a parameter leaves its root mean square at the floor",
        contradicts="alpha_t = max(eps2, RMS(p)) rho_t is nan where an element of p is",
        # _get_lr: Python's max(eps2, nan) is eps2.
        reproducer=_NAN_IS_DROPPED,
        expected="[nan, nan]",
        actual="[0.9990000128746033, nan]",
        check_glob="optimizer/adafactor/*/[!c]*/[efls]*",
    ),
)
