"""States that small torch libraries keep in another form than the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from truestep.fast.peers.pytorch_optimizer.matrices import enter_shampoo, leave_shampoo
from truestep.fast.peers.torch_arrays import from_tensor, to_tensor
from truestep.fast.peers.torch_library_row import Bridge, Named
from truestep.fast.protocol import Array, Slot

State = Mapping[str, Any]


def number(x: Any, like: Array) -> Array:
    """An array of one number like the given one."""
    return np.full_like(like, float(x))


def _enter_adam_mini(torch: Any, hyper: Any, slot: Slot, state: Named) -> None:
    rows = int(slot.state["v"].size)
    state |= {"head_per_gpu": rows, "neuron_per_gpu": rows}
    state |= {"reduced": False, "block_numel": float(slot.param.size)}


def _enter_heads(torch: Any, hyper: Any, slot: Slot, state: Named) -> None:
    _enter_adam_mini(torch, hyper, slot, state)
    state["m"] = state["m"].reshape(hyper.heads, -1)


def _entries_of_prodigy(torch: Any, hyper: Any, slot: Slot) -> Named:
    d0, d = np.float32(hyper.d0), slot.state["d"]
    return {
        # A stored d0 is d0: the library asks whether the estimate still is its first value.
        "d": float(hyper.d0 if d == d0 else d),
        "d_max": float(hyper.d0 if slot.state["d_max"] == d0 else slot.state["d_max"]),
        "d_numerator": float(slot.state["r"]),
        # Which the library does not advance where the sum s is still zero.
        "k": int(slot.state["t"]),
    }


def _enter_prodigy(torch: Any, hyper: Any, slot: Slot, state: Named) -> None:
    flat = {name: to_tensor(torch, slot.state[name]).flatten() for name in ("s", "p0")}
    state |= {**flat, "step": int(slot.state["t"])}


def _begins_prodigy(slot: Slot) -> bool:
    # The library begins where the parameter is; a start that could not be stored is elsewhere.
    return slot.state["t"] == 0 and np.array_equal(slot.state["p0"], slot.param)


def _leave_prodigy(torch: Any, hyper: Any, slot: Slot, state: State) -> Named:
    names = {"r": "d_numerator", "d": "d", "d_max": "d_max"}
    start = from_tensor(torch, state["p0"]) + np.zeros(slot.param.size, slot.param.dtype)
    return {
        "p0": start.reshape(slot.param.shape),
        **{ours: number(state[theirs], slot.state[ours]) for ours, theirs in names.items()},
    }


def _entries_of_uncounted(torch: Any, hyper: Any, slot: Slot) -> Named:
    # Without compensated sums, which are no part of the rules.
    return {"kahan_sum": False, "triton": False}


def _entries_of_optimi(torch: Any, hyper: Any, slot: Slot) -> Named:
    entries = _entries_of_uncounted(torch, hyper, slot)
    if slot.state["t"] == 0:
        return entries
    # Set up by the first step.
    return {**entries, "step": torch.tensor(slot.state["t"], dtype=torch.int32), "setup": True}


def _enter_optimi(torch: Any, hyper: Any, slot: Slot, state: Named) -> None:
    dtype = getattr(torch, slot.param.dtype.name)
    # The first is that of compensated sums, the second StableAdamW's.
    state |= {"kahan_comp": None, "eps_sq": torch.tensor(hyper.eps**2, dtype=dtype)}


def _enter_uncounted(torch: Any, hyper: Any, slot: Slot, state: Named) -> None:
    state["kahan_comp"] = None
    if getattr(hyper, "momentum", 1.0) == 0:
        state["exp_avg"] = None


def _enter_released(torch: Any, hyper: Any, slot: Slot, state: Named) -> None:
    _enter_optimi(torch, hyper, slot, state)
    state["step"] = torch.tensor(slot.state["t"], dtype=torch.int32)


def _enter_shampoo(torch: Any, hyper: Any, slot: Slot, state: Named) -> None:
    found: Named = {}
    enter_shampoo(torch, {}, found, hyper, slot)
    state |= {name.replace("pre_cond", "precond"): x for name, x in found.items()}


def _leave_shampoo(torch: Any, hyper: Any, slot: Slot, state: State) -> Named:
    found = {name.replace("precond", "pre_cond"): x for name, x in state.items()}
    return leave_shampoo(torch, {}, found, hyper, slot)


def _entries_of_swats(torch: Any, hyper: Any, slot: Slot) -> Named:
    if not slot.state["switched"]:
        return {"phase": "ADAM"}
    return {"phase": "SGD", "lr": slot.state["sgd_lr"].item()}


def _enter_swats(torch: Any, hyper: Any, slot: Slot, state: Named) -> None:
    state["exp_avg2"] = torch.tensor([slot.state["average"].item()], dtype=torch.float32)
    if slot.state["switched"]:
        state["momentum_buffer"] = to_tensor(torch, slot.state["b"])


def _leave_swats(torch: Any, hyper: Any, slot: Slot, state: State) -> Named:
    switched = state["phase"] == "SGD"
    rate = state["lr"] if switched else slot.state["sgd_lr"].item()
    return {
        "average": number(state["exp_avg2"], slot.state["average"]),
        "sgd_lr": number(rate, slot.state["sgd_lr"]),
        "switched": number(switched, slot.state["switched"]),
    }


def _counted(torch: Any, hyper: Any, slot: Slot, state: State) -> Named:
    return {"t": int(state["step"])}


def _drop_buffer(torch: Any, hyper: Any, slot: Slot, state: Named) -> None:
    # No buffer without momentum.
    if hyper.momentum == 0:
        state.clear()


ADAM_MINI = Bridge(enter=_enter_adam_mini)
ADAM_MINI_HEADS = Bridge(enter=_enter_heads)
BUFFER = Bridge(enter=_drop_buffer)
# optimi's counter belongs to the group.
OPTIMI = Bridge(_entries_of_optimi, _enter_optimi, _counted, ("step",))
OPTIMI_RELEASED = Bridge(_entries_of_uncounted, _enter_released, _counted)
# Its optimizers without bias correction have none.
OPTIMI_UNCOUNTED = Bridge(_entries_of_uncounted, _enter_uncounted)
PRODIGY = Bridge(
    _entries_of_prodigy,
    _enter_prodigy,
    _leave_prodigy,
    ("d", "d_max", "d_numerator"),
    _begins_prodigy,
)
SHAMPOO = Bridge(enter=_enter_shampoo, leave=_leave_shampoo)
SWATS = Bridge(_entries_of_swats, _enter_swats, _leave_swats, ("phase", "lr"))
