"""Faults in how launches go: lanes, scratch memory, offsets, and what happens at first calls."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from truestep.fast.protocol import Group, Slot, Stepped
from truestep.properties.museum.counter_faults import each_bfloat16
from truestep.properties.museum.fault import Fault, StepOne
from truestep.properties.museum.kernels import norm


def _half_offset(step: StepOne, h: Any, slot: Slot) -> Stepped:
    """Gradients beyond the first 64 elements are read from half their offset."""
    flat = slot.grad.reshape(-1).copy()
    flat[64:] = flat[32 : 32 + flat[64:].size]
    return step(h, dataclasses.replace(slot, grad=flat.reshape(slot.grad.shape)))


def _last_ahead(step: StepOne, groups: Sequence[Group]) -> list[list[Stepped]]:
    """The last tensor of a group sees the counter after the step."""
    out = []
    for group in groups:
        row = [step(group.hyper, slot) for slot in group.slots]
        last = group.slots[-1]
        ahead = {**last.state, "t": last.state["t"] + 1}
        late = step(group.hyper, dataclasses.replace(last, state=ahead))
        row[-1] = Stepped(late.param, {**late.state, "t": ahead["t"]})
        out.append(row)
    return out


def _warps(x: Any) -> int:
    """Warps of 32 lanes that a tensor takes."""
    return max(1, -(-int(x.g.size) // 32))


def _half_the_lanes(p: Any) -> Any:
    flat = p.reshape(-1)
    return norm(flat[np.arange(flat.size) % 64 < 32])


def _norm_by_launch(x: Any) -> Any:
    """The norm of p, or that of the tensor before where an empty one has moved the slots."""
    if x.p.size == 0:
        x.memory["moved"] = True
        return norm(x.p)
    own = norm(x.p)
    found = x.memory.get("norm", own) if x.memory.pop("moved", False) else own
    x.memory["norm"] = own
    return found


LAUNCH = {
    "adamw_decay_by_lr_of_first_call": Fault(
        "adamw",
        "launch",
        "the decay goes on with the lr of the first call, the update with its own",
        "kozistr/pytorch_optimizer#170",
        lines={"p": lambda x: x.p * (1 - x.memory.setdefault("lr", x.h.lr) * x.h.weight_decay)},
    ),
    "adamw_decayed_at_the_start": Fault(
        "adamw",
        "launch",
        "a step without a gradient, made to allocate the state, has decayed p",
        "deepspeedai/DeepSpeed#5151",
        check="combinations",
        lines={"p": lambda x: x.p * (1 - x.h.lr * x.h.weight_decay) ** (2 if x.s.t == 0 else 1)},
    ),
    "adamw_last_tensor_a_step_ahead": Fault(
        "adamw",
        "launch",
        "the counter is raised before the last tensor of a group",
        "OverLordGoldDragon/keras-adamw#39",
        groups=_last_ahead,
    ),
    "adamw_offset_in_wrong_units": Fault(
        "adamw",
        "launch",
        "elements beyond the first 64 are read from half their offset",
        "deepspeedai/DeepSpeed#1318",
        slot=_half_offset,
    ),
    "adamw_parameter_in_bfloat16": Fault(
        "adamw",
        "launch",
        "p passes through bfloat16, where small updates are lost",
        "pytorch/ao#1124",
        lines={"new_p": lambda x: each_bfloat16(x.p - x.h.lr * x.update)},
    ),
    "adamw_powers_by_every_warp": Fault(
        "adamw",
        "launch",
        "every warp of 32 multiplies beta^t once more",
        "PaddlePaddle/Paddle#38518",
        lines={
            "c1": lambda x: 1 - x.h.beta1 ** (x.t + _warps(x) - 1),
            "c2": lambda x: 1 - x.h.beta2 ** (x.t + _warps(x) - 1),
        },
    ),
    "lamb_corrections_ignored": Fault(
        "lamb",
        "launch",
        "moments are not corrected, whatever the flag says",
        "bitsandbytes-foundation/bitsandbytes#2088",
        lines={"c1": lambda x: 1.0, "c2": lambda x: 1.0},
    ),
    "lamb_norm_after_empty_tensor": Fault(
        "lamb",
        "launch",
        "the tensor after an empty one has the norm of the one before",
        "pytorch/pytorch#140066",
        check="many_tensors",
        lines={"p_norm": _norm_by_launch},
    ),
    "lamb_norm_of_half_the_lanes": Fault(
        "lamb",
        "launch",
        "of 64 lanes the reduction adds 32",
        "bitsandbytes-foundation/bitsandbytes#1885",
        lines={"p_norm": lambda x: _half_the_lanes(x.p)},
    ),
    "lamb_norm_overwritten": Fault(
        "lamb",
        "launch",
        "tensors of more than one warp read the second norm in the place of the first",
        "NVIDIA/apex#1798",
        lines={
            "ratio": lambda x: (
                (x.update_norm if _warps(x) > 1 else x.p_norm)
                / (x.update_norm if x.update_norm > 0 else 1)
            )
        },
    ),
}
