"""States of optimizers that keep a velocity for each damping."""

from truestep.fast.peers.torch_like import Bridge, Named
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Slot
from truestep.reference.declared import Hyper


def _enter_aggmo(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    # By damping: of two that are equal there is one buffer.
    state["momentum_buffer"] = {
        getattr(hyper, f"beta{k}"): to_tensor(slot.state[f"b{k}"]) for k in (1, 2, 3)
    }


def _leave_aggmo(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    buffers = state["momentum_buffer"]
    return {f"b{k}": from_tensor(buffers[getattr(hyper, f"beta{k}")]) for k in (1, 2, 3)}


AGGMO = Bridge(enter=_enter_aggmo, leave=_leave_aggmo)
