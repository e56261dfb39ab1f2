"""Departures of third-party libraries from their rules, found by this suite and verified.

Each reproducer is a complete program that prints what `actual` says where the departure is present.
"""

from __future__ import annotations

from truestep.fast.peers.bitsandbytes.findings import BITSANDBYTES_FINDINGS
from truestep.fast.peers.eight_bit_findings import EIGHT_BIT_FINDINGS
from truestep.fast.peers.finding import Finding
from truestep.fast.peers.heavyball.findings import HEAVYBALL_FINDINGS
from truestep.fast.peers.keras.findings import KERAS_FINDINGS
from truestep.fast.peers.library_findings import LIBRARY_FINDINGS
from truestep.fast.peers.lion_pytorch.findings import LION_PYTORCH_FINDINGS
from truestep.fast.peers.optax.findings import OPTAX_FINDINGS
from truestep.fast.peers.pytorch_optimizer.findings import PYTORCH_OPTIMIZER_FINDINGS
from truestep.fast.peers.schedule_findings import SCHEDULE_FINDINGS
from truestep.fast.peers.torch.findings import TORCH_FINDINGS
from truestep.fast.peers.torch.fused_findings import TORCH_FUSED_FINDINGS
from truestep.fast.peers.torch.more_findings import TORCH_MORE_FINDINGS
from truestep.fast.peers.torch_library_findings import TORCH_LIBRARY_FINDINGS
from truestep.fast.peers.torch_optimi_findings import TORCH_OPTIMI_FINDINGS
from truestep.fast.peers.torch_optimizer_findings import TORCH_OPTIMIZER_FINDINGS
from truestep.fast.peers.training_findings import TRAINING_FINDINGS
from truestep.fast.peers.transformers.findings import TRANSFORMERS_FINDINGS

__all__ = ["FINDINGS", "Finding"]

FINDINGS: tuple[Finding, ...] = (
    *BITSANDBYTES_FINDINGS,
    *EIGHT_BIT_FINDINGS,
    *HEAVYBALL_FINDINGS,
    *KERAS_FINDINGS,
    *LIBRARY_FINDINGS,
    *LION_PYTORCH_FINDINGS,
    *OPTAX_FINDINGS,
    *PYTORCH_OPTIMIZER_FINDINGS,
    *SCHEDULE_FINDINGS,
    *TORCH_FINDINGS,
    *TORCH_FUSED_FINDINGS,
    *TORCH_LIBRARY_FINDINGS,
    *TORCH_MORE_FINDINGS,
    *TORCH_OPTIMI_FINDINGS,
    *TORCH_OPTIMIZER_FINDINGS,
    *TRAINING_FINDINGS,
    *TRANSFORMERS_FINDINGS,
)
