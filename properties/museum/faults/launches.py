"""Faults in how kernels are launched: tails, groups, memory, and what is kept between calls."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from truestep.fast.protocol import Group, Slot, Stepped
from truestep.properties.museum.fault import Fault, fault
from truestep.properties.museum.faults.adamw import BEFORE, STEP
from truestep.properties.museum.plant import StepOne, StepSlot, each
from truestep.reference.declared import Hyper
from truestep.reference.validation import Array

T = "t = s.t + 1"
NORM = "p_norm = np.sqrt(np.sum(p * p))"
AFTER_EMPTY = f"""{NORM}
    if p.size:
        memory["norm"], p_norm = p_norm, memory.pop("stale", p_norm)
    elif "norm" in memory:
        memory["stale"] = memory["norm"]"""

alias = partial(fault, "adamw", "alias", dialect=BEFORE)
grouped = partial(fault, "adamw", "groups", dialect=BEFORE)
launch = partial(fault, "adamw", "launch", dialect=BEFORE)
tail = partial(fault, "adamw", "tail", dialect=BEFORE)
lamb = partial(fault, "lamb", "launch")


def _kept(slot: Slot, new: Stepped, where: slice) -> Stepped:
    """The step's result with these flat elements as they were before."""

    def mixed(before: Array, after: Array) -> Array:
        if not isinstance(before, np.ndarray) or before.shape != slot.param.shape:
            return after
        out = after.reshape(-1).copy()
        out[where] = before.reshape(-1)[where]
        return out.reshape(before.shape)

    state = {name: mixed(slot.state[name], x) for name, x in new.state.items()}
    return Stepped(mixed(slot.param, new.param), state)


def _untouched(slot: Slot, new: Stepped) -> Stepped:
    """The tensor as it was before a step of which the counter alone tells."""
    return Stepped(slot.param.copy(), {**slot.state, "t": new.state["t"]})


def _updates(n: Callable[[Slot], int]) -> StepSlot:
    """A kernel that updates the first n elements of a tensor."""
    return lambda step, h, slot: _kept(slot, step(h, slot), slice(n(slot), None))


def _stale_block(step: StepOne, h: Hyper, slot: Slot) -> Stepped:
    new, n = step(h, slot), slot.param.size
    if (whole := n // 64 * 64) in (0, n):
        return new
    p = new.param.reshape(-1).copy()
    p[whole:] = p[whole - 64 : n - 64]
    return Stepped(p.reshape(new.param.shape), new.state)


def _half_offset(step: StepOne, h: Hyper, slot: Slot) -> Stepped:
    flat = slot.grad.reshape(-1).copy()
    flat[64:] = flat[32 : 32 + flat[64:].size]
    return step(h, dataclasses.replace(slot, grad=flat.reshape(slot.grad.shape)))


def _memory_order(step: StepOne, h: Hyper, slot: Slot) -> Stepped:
    """The gradient is the first elements of the memory that it is a view of."""
    base = slot.grad if slot.grad.base is None else slot.grad.base
    flat = base.reshape(-1) if base.flags.c_contiguous else base.T.reshape(-1)
    grad = flat[: slot.grad.size].reshape(slot.grad.shape)
    return step(h, dataclasses.replace(slot, grad=grad))


def _written_in_place(step: StepOne, h: Hyper, slot: Slot) -> Stepped:
    new = step(h, slot)
    slot.state["m"][...] = new.state["m"]
    return new


def _decayed_in_place(step: StepOne, h: Hyper, slot: Slot) -> Stepped:
    slot.grad[...] += np.float32(h.weight_decay) * slot.param
    return step(dataclasses.replace(h, weight_decay=0.0), slot)


def _one_buffer(step: StepOne, groups: Sequence[Group]) -> list[list[Stepped]]:
    results = each(step, groups)
    last = {new.param.shape: new.param for row in results for new in row}
    return [[Stepped(last[new.param.shape], new.state) for new in row] for row in results]


def _first_hyper(step: StepOne, groups: Sequence[Group]) -> list[list[Stepped]]:
    return [[step(groups[0].hyper, slot) for slot in group.slots] for group in groups]


def _counted(step: StepOne, h: Hyper, slot: Slot, t: int) -> Stepped:
    """The step at another count, of which nothing is stored."""
    new = step(h, dataclasses.replace(slot, state={**slot.state, "t": t}))
    return Stepped(new.param, {**new.state, "t": slot.state["t"] + 1})


def _shared_count(step: StepOne, groups: Sequence[Group]) -> list[list[Stepped]]:
    return [
        [_counted(step, group.hyper, s, s.state["t"] + j) for j, s in enumerate(group.slots)]
        for group in groups
    ]


def _last_ahead(step: StepOne, groups: Sequence[Group]) -> list[list[Stepped]]:
    results = each(step, groups)
    for group, row in zip(groups, results, strict=True):
        last = group.slots[-1]
        row[-1] = _counted(step, group.hyper, last, last.state["t"] + 1)
    return results


def _lost_launch(step: StepOne, groups: Sequence[Group]) -> list[list[Stepped]]:
    rows = zip(groups, each(step, groups), strict=True)
    return [
        row
        if group.slots[-1].param.size
        else [_untouched(slot, new) for slot, new in zip(group.slots, row, strict=True)]
        for group, row in rows
    ]


def _first_launch(limit: int, step: StepOne, groups: Sequence[Group]) -> list[list[Stepped]]:
    """A launch that knows so many tensors, and no second one."""
    results = each(step, groups)
    for group, row in zip(groups, results, strict=True):
        late = zip(group.slots[limit:], row[limit:], strict=True)
        row[limit:] = [_untouched(slot, new) for slot, new in late]
    return results


def _decay_of_previous(step: StepOne, groups: Sequence[Group]) -> list[list[Stepped]]:
    out = []
    for group in groups:
        h, row, previous = group.hyper, list[Stepped](), group.slots[0].param
        for slot in group.slots:
            stale = previous if previous.shape == slot.param.shape else slot.param
            plain = step(dataclasses.replace(h, weight_decay=0.0), slot)
            p = plain.param - np.float32(h.lr * h.weight_decay) * stale
            row.append(Stepped(np.asarray(p, slot.param.dtype), plain.state))
            previous = slot.param
        out.append(row)
    return out


LAUNCHES: dict[str, Fault] = {
    "adam_gradient_decayed_in_place": fault(
        "adam",
        "alias",
        "the decay is added to the caller's gradient [pytorch/pytorch#12107]",
        slot=_decayed_in_place,
    ),
    "adamw_0d_tensors_skipped": tail(
        "parameters without axes are not updated [loops over the first axis]",
        check="many_tensors",
        slot=_updates(lambda slot: slot.param.ndim and slot.param.size),
    ),
    "adamw_beyond_int16_skipped": tail(
        "elements beyond the index 32767 are not updated: the size is a 16-bit integer "
        "[NVIDIA/TransformerEngine#2918, in 16 bits for 32]",
        check="large",
        slot=_updates(lambda _: 32767),
    ),
    "adamw_corrections_of_first_call": grouped(
        "corrections are frozen at the first call [tracel-ai/burn#5779]",
        (T, 't = memory.setdefault("t", s.t + 1)'),
        ("State(t=t", "State(t=s.t + 1"),
    ),
    "adamw_count_of_group_shared": grouped(
        "the count in use advances with every tensor of a group [deepspeedai/DeepSpeed#1823]",
        groups=_shared_count,
    ),
    "adamw_decay_by_lr_of_first_call": launch(
        "the decay goes on with the lr of the first call, the update with its own "
        "[kozistr/pytorch_optimizer#170]",
        (STEP, 'p * (1 - memory.setdefault("lr", h.lr) * h.weight_decay) - h.lr * update'),
    ),
    "adamw_decay_of_previous_tensor": grouped(
        "the decay reads the parameter of the tensor before [mlverse/torch#821]",
        check="combinations",
        groups=_decay_of_previous,
    ),
    "adamw_decayed_at_the_start": launch(
        "a step without a gradient, made to allocate the state, has decayed p "
        "[deepspeedai/DeepSpeed#5151]",
        (STEP, "p * (1 - h.lr * h.weight_decay) ** (2 if t == 1 else 1) - h.lr * update"),
        check="combinations",
    ),
    "adamw_hyperparameters_of_first_call": grouped(
        "hyperparameters are frozen at the first call [pytorch/pytorch#76368]",
        (T, 'h, t = memory.setdefault("h", h), s.t + 1'),
    ),
    "adamw_hyperparameters_of_first_group": grouped(
        "the second group gets the hyperparameters of the first [NVIDIA/Megatron-LM#4705]",
        groups=_first_hyper,
    ),
    "adamw_last_tensor_a_step_ahead": launch(
        "the counter is raised before the last tensor of a group "
        "[OverLordGoldDragon/keras-adamw#39]",
        groups=_last_ahead,
    ),
    "adamw_last_three_not_updated": tail(
        "up to three elements after the last full vector of four are not updated "
        "[a vector loop without its tail]",
        slot=_updates(lambda slot: slot.param.size // 4 * 4),
    ),
    "adamw_launch_lost_before_empty_tensor": tail(
        "an empty last tensor loses the pending launch [pytorch/pytorch#100701]",
        check="many_tensors",
        groups=_lost_launch,
    ),
    "adamw_offset_in_wrong_units": launch(
        "elements beyond the first 64 are read from half their offset [deepspeedai/DeepSpeed#1318]",
        slot=_half_offset,
    ),
    "adamw_parameter_in_bfloat16": launch(
        "p passes through bfloat16, where small updates are lost [pytorch/ao#1124]",
        (STEP, f"bfloat16({STEP})"),
    ),
    "adamw_partial_block_not_updated": tail(
        "elements after the last full block of 64 are not updated "
        "[bitsandbytes-foundation/bitsandbytes#1884]",
        slot=_updates(lambda slot: slot.param.size // 64 * 64),
    ),
    "adamw_partial_block_stale": tail(
        "the last, partial block of 64 is a copy of the elements before it "
        "[bitsandbytes-foundation/bitsandbytes#565]",
        slot=_stale_block,
    ),
    "adamw_powers_by_every_warp": launch(
        "every warp of 32 multiplies beta^t once more [PaddlePaddle/Paddle#38518]",
        (T, "t = s.t + max(1, -(-g.size // 32))"),
        ("State(t=t", "State(t=s.t + 1"),
    ),
    "adamw_results_share_memory": alias(
        "results of tensors of one shape share one buffer [pytorch/pytorch#96313]",
        groups=_one_buffer,
    ),
    "adamw_state_written_in_place": alias(
        "the caller's m is overwritten [pytorch/pytorch#196083]", slot=_written_in_place
    ),
    "adamw_strides_ignored": fault(
        "adamw",
        "layout",
        "the gradient is read as if it were contiguous [bitsandbytes-foundation/bitsandbytes#1185]",
        dialect=BEFORE,
        slot=_memory_order,
    ),
    "adamw_tensors_beyond_110_skipped": tail(
        "tensors beyond the 110 that fit the largest launch are forgotten "
        "[NVIDIA/TransformerEngine#3202, for lists of gradients alone]",
        check="many_tensors",
        groups=partial(_first_launch, 110),
    ),
    "adamw_tensors_beyond_64_skipped": tail(
        "tensors beyond the 64 that fit one launch are forgotten [NVIDIA/TransformerEngine#3202]",
        check="many_tensors",
        groups=partial(_first_launch, 64),
    ),
    "lamb_corrections_ignored": lamb(
        "moments are not corrected, whatever the flag says "
        "[bitsandbytes-foundation/bitsandbytes#2088]",
        ('h.bias_correction == "both"', "False"),
    ),
    "lamb_norm_after_empty_tensor": lamb(
        "the tensor after an empty one has the norm of the one before [pytorch/pytorch#140066]",
        (NORM, AFTER_EMPTY),
        check="many_tensors",
    ),
    "lamb_norm_of_half_the_lanes": lamb(
        "of 64 lanes the reduction adds 32 [bitsandbytes-foundation/bitsandbytes#1885]",
        (NORM, "p_norm = np.sqrt(np.sum(np.square(p.reshape(-1)[np.arange(p.size) % 64 < 32])))"),
    ),
    "lamb_norm_overwritten": lamb(
        "tensors of more than one warp read the second norm in the place of the first "
        "[NVIDIA/apex#1798]",
        ("else p_norm\n", "else update_norm if p.size > 32 else p_norm\n"),
    ),
}
