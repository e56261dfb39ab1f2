"""Departures of lion-pytorch from Lion, each with its reproducer."""

from __future__ import annotations

from truestep.fast.peers.finding import Finding

_INFINITE = """\
import torch
from lion_pytorch import Lion
from lion_pytorch.foreach import Lion as ForeachLion
for optimizer_class in (Lion, ForeachLion):
    p = torch.zeros(1)
    optimizer = optimizer_class([p], lr=1.0)
    for _ in range(2):
        p.grad = torch.full((1,), torch.inf)
        optimizer.step()
    print(p.item())
"""

LION_PYTORCH_FINDINGS: tuple[Finding, ...] = (
    Finding(
        library="lion-pytorch",
        versions="0.2.5",
        rule="lion",
        title="The foreach form does not move where the momentum is infinite",
        contradicts="the sign of an infinite c_t is that of the infinity, as in the other form",
        # Its lerp takes inf - inf, and torch's sign of nan is 0.
        reproducer=_INFINITE,
        expected="-2.0\n-2.0\n",
        actual="-2.0\n-1.0\n",
        check_glob="optimizer/lion/*/*foreach/special_values",
    ),
)
