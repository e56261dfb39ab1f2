"""Departures of third-party libraries from their rules, found by this suite and verified.

Each reproducer is a complete program that prints what `actual` says where the departure is present.
"""

from __future__ import annotations

from truestep.fast.peers.eight_bit_findings import EIGHT_BIT_FINDINGS
from truestep.fast.peers.finding import Finding
from truestep.fast.peers.torch_findings import TORCH_FINDINGS

__all__ = ["FINDINGS", "Finding"]

FINDINGS: tuple[Finding, ...] = (*EIGHT_BIT_FINDINGS, *TORCH_FINDINGS)
