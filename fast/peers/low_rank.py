"""What galore-torch, apollo-torch and pytorch-optimizer share: gradients of matrices projected."""

from truestep.fast.protocol import Slot
from truestep.reference.declared import Hyper


def is_projected(hyper: Hyper, slot: Slot) -> bool:
    """Whether the slot's gradient is projected: that of a matrix that is not empty."""
    return slot.param.ndim == 2 and slot.param.size > 0
