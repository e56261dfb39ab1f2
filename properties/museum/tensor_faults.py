"""Faults in how tensors, groups and memory are treated, and in SGD and Nesterov's method."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from truestep.fast.protocol import Group, Slot, Stepped
from truestep.properties.museum.fault import Fault, StepOne, each


def _where_flat(slot: Slot, new: Stepped, kept: Any) -> Stepped:
    """The step's result with the flat elements in kept as they were before."""

    def mixed(before: Any, after: Any) -> Any:
        if not isinstance(before, np.ndarray) or before.shape != slot.param.shape:
            return after
        out = after.reshape(-1).copy()
        out[kept] = before.reshape(-1)[kept]
        return out.reshape(before.shape)

    state = {name: mixed(slot.state[name], x) for name, x in new.state.items()}
    return Stepped(mixed(slot.param, new.param), state)


def _only_full_blocks(step: StepOne, h: Any, slot: Slot) -> Stepped:
    whole = slot.param.size // 64 * 64
    return _where_flat(slot, step(h, slot), slice(whole, None))


def _stale_last_block(step: StepOne, h: Any, slot: Slot) -> Stepped:
    """The last, partial block of 64 gets the results of the block before it."""
    new = step(h, slot)
    n = slot.param.size
    whole = n // 64 * 64
    if whole in (0, n):
        return new
    p = new.param.reshape(-1).copy()
    p[whole:] = p[whole - 64 : n - 64]
    return Stepped(p.reshape(new.param.shape), new.state)


def _memory_order(x: Any) -> Any:
    """The first elements of the memory that x is a view of, as if x were contiguous."""
    base = x if x.base is None else x.base
    flat = base.reshape(-1) if base.flags.c_contiguous else base.T.reshape(-1)
    return flat[: x.size].reshape(x.shape)


def _written_in_place(step: StepOne, h: Any, slot: Slot) -> Stepped:
    new = step(h, slot)
    slot.state["m"][...] = new.state["m"]
    return new


def _decayed_in_place(step: StepOne, h: Any, slot: Slot) -> Stepped:
    slot.grad[...] += np.float32(h.weight_decay) * slot.param
    return step(dataclasses.replace(h, weight_decay=0.0), slot)


def _first_hyper(step: StepOne, groups: Sequence[Group]) -> list[list[Stepped]]:
    return [[step(groups[0].hyper, slot) for slot in group.slots] for group in groups]


def _shared_count(step: StepOne, groups: Sequence[Group]) -> list[list[Stepped]]:
    """The counter of a group advances with every tensor in it."""
    out = []
    for group in groups:
        row = []
        for j, slot in enumerate(group.slots):
            ahead = {**slot.state, "t": slot.state["t"] + j}
            new = step(group.hyper, dataclasses.replace(slot, state=ahead))
            row.append(Stepped(new.param, {**new.state, "t": slot.state["t"] + 1}))
        out.append(row)
    return out


def _one_buffer(step: StepOne, groups: Sequence[Group]) -> list[list[Stepped]]:
    """Results of tensors of one shape share the memory of the last of them."""
    results = each(step, groups)
    last = {new.param.shape: new.param for row in results for new in row}
    return [[Stepped(last[new.param.shape], new.state) for new in row] for row in results]


def _lost_launch(step: StepOne, groups: Sequence[Group]) -> list[list[Stepped]]:
    """Where the last tensor of a group is empty, the pending launch is never made."""
    out = []
    for group in groups:
        lost = group.slots[-1].param.size == 0
        row = [step(group.hyper, slot) for slot in group.slots]
        out.append(
            [
                Stepped(slot.param.copy(), {**slot.state, "t": new.state["t"]}) if lost else new
                for slot, new in zip(group.slots, row, strict=True)
            ]
        )
    return out


def _first_chunk_of_tensors(step: StepOne, groups: Sequence[Group]) -> list[list[Stepped]]:
    """Tensors beyond the 64 that fit one launch are forgotten."""
    out = []
    for group in groups:
        row = [step(group.hyper, slot) for slot in group.slots]
        late = zip(group.slots[64:], row[64:], strict=True)
        row[64:] = [Stepped(s.param.copy(), {**s.state, "t": n.state["t"]}) for s, n in late]
        out.append(row)
    return out


def _decay_of_previous(step: StepOne, groups: Sequence[Group]) -> list[list[Stepped]]:
    """The decay term reads the parameter of the tensor before, where the shapes agree."""
    out = []
    for group in groups:
        row: list[Stepped] = []
        previous = group.slots[0].param
        for slot in group.slots:
            stale = previous if previous.shape == slot.param.shape else slot.param
            plain = step(dataclasses.replace(group.hyper, weight_decay=0.0), slot)
            p = plain.param - np.float32(group.hyper.lr * group.hyper.weight_decay) * stale
            row.append(Stepped(np.asarray(p, slot.param.dtype), plain.state))
            previous = slot.param
        out.append(row)
    return out


TAIL = {
    "adamw_0d_tensors_skipped": Fault(
        "adamw",
        "tail",
        "parameters without axes are not updated",
        "loops over the first axis",
        check="many_tensors",
        slot=lambda step, h, slot: _where_flat(
            slot, step(h, slot), slice(0 if slot.param.ndim == 0 else slot.param.size, None)
        ),
    ),
    "adamw_beyond_int16_skipped": Fault(
        "adamw",
        "tail",
        "elements beyond the index 32767 are not updated: the size is a 16-bit integer",
        "NVIDIA/TransformerEngine#2918, in 16 bits for 32",
        check="large",
        slot=lambda step, h, slot: _where_flat(slot, step(h, slot), slice(32767, None)),
    ),
    "adamw_last_three_not_updated": Fault(
        "adamw",
        "tail",
        "up to three elements after the last full vector of four are not updated",
        "a vector loop without its tail",
        slot=lambda step, h, slot: _where_flat(
            slot, step(h, slot), slice(slot.param.size // 4 * 4, None)
        ),
    ),
    "adamw_launch_lost_before_empty_tensor": Fault(
        "adamw",
        "tail",
        "an empty last tensor loses the pending launch",
        "pytorch/pytorch#100701",
        check="many_tensors",
        groups=_lost_launch,
    ),
    "adamw_partial_block_not_updated": Fault(
        "adamw",
        "tail",
        "elements after the last full block of 64 are not updated",
        "bitsandbytes-foundation/bitsandbytes#1884",
        slot=_only_full_blocks,
    ),
    "adamw_partial_block_stale": Fault(
        "adamw",
        "tail",
        "the last, partial block of 64 is a copy of the elements before it",
        "bitsandbytes-foundation/bitsandbytes#565",
        slot=_stale_last_block,
    ),
    "adamw_tensors_beyond_64_skipped": Fault(
        "adamw",
        "tail",
        "tensors beyond the 64 that fit one launch are forgotten",
        "NVIDIA/TransformerEngine#3202",
        check="many_tensors",
        groups=_first_chunk_of_tensors,
    ),
}

MEMORY = {
    "adam_gradient_decayed_in_place": Fault(
        "adam",
        "alias",
        "the decay is added to the caller's gradient",
        "pytorch/pytorch#12107",
        slot=_decayed_in_place,
    ),
    "adamw_results_share_memory": Fault(
        "adamw",
        "alias",
        "results of tensors of one shape share one buffer",
        "pytorch/pytorch#96313",
        groups=_one_buffer,
    ),
    "adamw_state_written_in_place": Fault(
        "adamw",
        "alias",
        "the caller's m is overwritten",
        "pytorch/pytorch#196083",
        slot=_written_in_place,
    ),
    "adamw_strides_ignored": Fault(
        "adamw",
        "layout",
        "the gradient is read as if it were contiguous",
        "bitsandbytes-foundation/bitsandbytes#1185",
        slot=lambda step, h, slot: step(
            h, dataclasses.replace(slot, grad=_memory_order(slot.grad))
        ),
    ),
}

GROUPS = {
    "adamw_corrections_of_first_call": Fault(
        "adamw",
        "groups",
        "corrections are frozen at the first call",
        "tracel-ai/burn#5779",
        lines={"t": lambda x: x.memory.setdefault("t", x.s.t + 1)},
    ),
    "adamw_count_of_group_shared": Fault(
        "adamw",
        "groups",
        "the count in use advances with every tensor of a group",
        "deepspeedai/DeepSpeed#1823",
        groups=_shared_count,
    ),
    "adamw_decay_of_previous_tensor": Fault(
        "adamw",
        "groups",
        "the decay reads the parameter of the tensor before",
        "mlverse/torch#821",
        check="combinations",
        groups=_decay_of_previous,
    ),
    "adamw_hyperparameters_of_first_call": Fault(
        "adamw",
        "groups",
        "hyperparameters are frozen at the first call",
        "pytorch/pytorch#76368",
        lines={"h": lambda x: x.memory.setdefault("h", x.h)},
    ),
    "adamw_hyperparameters_of_first_group": Fault(
        "adamw",
        "groups",
        "the second group gets the hyperparameters of the first",
        "NVIDIA/Megatron-LM#4705",
        groups=_first_hyper,
    ),
}

MOMENTUM = {
    "nesterov_buffer_holds_lookahead": Fault(
        "nesterov",
        "momentum",
        "the look-ahead is formed in place, and so stored",
        "google-research/google-research#1711",
        lines={"new_u": lambda x: x.direction},
    ),
    "nesterov_forgotten": Fault(
        "nesterov",
        "momentum",
        "plain momentum in the place of Nesterov's",
        "a flag without effect",
        lines={"direction": lambda x: x.u},
    ),
    "nesterov_looks_ahead_with_old_buffer": Fault(
        "nesterov",
        "momentum",
        "the look-ahead uses the velocity before this step",
        "state read before it was written",
        lines={"direction": lambda x: x.g + x.h.momentum * x.s.u},
    ),
    "sgd_dampened_first_step": Fault(
        "sgd",
        "momentum",
        "the first gradient is dampened",
        "pytorch/pytorch: dampening at the first step",
        check="combinations",
        lines={"b": lambda x: x.h.momentum * x.s.b + (1 - x.h.dampening) * x.g},
        computes="sgd with first gradient dampened as any other",
    ),
    "sgd_dampening_ignored": Fault(
        "sgd",
        "momentum",
        "every step counts as the first, which is not dampened",
        "open-lm-engine/accelerated-model-architectures#436",
        lines={"b": lambda x: x.h.momentum * x.s.b + x.g},
    ),
    "sgd_decay_ignored_without_momentum": Fault(
        "sgd",
        "momentum",
        "weight decay ignored where momentum is zero",
        "chainer and torch7: an early return before the decay",
        lines={
            "g": lambda x: (
                (-x.g if x.h.maximize else x.g)
                + (x.h.weight_decay if x.h.momentum > 0 else 0.0) * x.p
            )
        },
    ),
    "sgd_lr_in_buffer": Fault(
        "sgd",
        "momentum",
        "the buffer holds lr times the gradients",
        "libraries differ: TensorFlow, against PyTorch",
        lines={
            "b": lambda x: (
                -x.h.lr * x.g
                if x.s.t == 0
                else x.h.momentum * x.s.b - (1 - x.h.dampening) * (x.h.lr * x.g)
            ),
            "direction": lambda x: x.b if x.h.momentum > 0 else -x.h.lr * x.g,
            "new_p": lambda x: x.p + x.direction,
        },
        computes="sgd with lr multiplies the gradient as it enters the momentum buffer",
    ),
    "sgd_previous_update_without_momentum": Fault(
        "sgd",
        "momentum",
        "a tensor without momentum moves by the buffer left from before",
        "bitsandbytes-foundation/bitsandbytes#2079",
        lines={"direction": lambda x: x.b if x.h.momentum > 0 else x.s.b},
    ),
}
