"""What galore-torch and apollo-torch share: AdamW that projects the gradients of some groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from truestep.fast.protocol import Group, Slot


def is_projected(slot: Slot) -> bool:
    """Whether the slot's gradient is projected: that of a matrix that is not empty."""
    return slot.param.ndim == 2 and slot.param.size > 0


def numbers(group: Group, low_rank: Mapping[str, Any]) -> dict[str, Any]:
    """What a param_group holds besides its params; low_rank only where its slots are projected."""
    h = group.hyper
    out = {
        "lr": h.lr,
        "betas": (h.beta1, h.beta2),
        "eps": h.eps,
        "weight_decay": h.weight_decay,
    }
    return {**out, **low_rank} if is_projected(group.slots[0]) else out
