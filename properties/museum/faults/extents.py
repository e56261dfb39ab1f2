"""Faults beyond short sides, packed memory, and groups that have nothing in common."""

import dataclasses
from collections.abc import Sequence
from functools import partial

import numpy as np

from truestep.fast.protocol import Group, Slot, Stepped
from truestep.properties.museum.fault import Fault, fault
from truestep.properties.museum.faults.adamw import BEFORE
from truestep.properties.museum.faults.launches import NORM
from truestep.properties.museum.plant import Edit, StepOne
from truestep.reference import block_groups
from truestep.reference.declared import Hyper

LARGEST = "np.maximum.at(largest, group, np.abs(flat))"
PLACE = "np.arange(flat.size) - np.searchsorted(group, group)"

adamw = partial(fault, "adamw", check="strata", dialect=BEFORE)


def _first(x: str, axis: str, count: int) -> str:
    """The text of x with no more than so many elements along an axis."""
    return f"np.take({x}, range(min({count}, {x}.shape[{axis}])), axis={axis})"


def _packed(step: StepOne, h: Hyper, slot: Slot) -> Stepped:
    """Of a gradient whose rows' elements lie together, what lies after the first row is read."""
    g = slot.grad
    if g.ndim < 2 or g.flags.c_contiguous or g.strides[-1] != g.itemsize:
        return step(h, slot)
    whole = np.lib.stride_tricks.as_strided(g, (*g.shape[:-1], g.strides[-2] // g.itemsize))
    packed = whole.reshape(-1)[: g.size].reshape(g.shape)
    return step(h, dataclasses.replace(slot, grad=packed))


def _rows_beyond_a_block(step: StepOne, h: Hyper, slot: Slot) -> Stepped:
    new = step(h, slot)
    if slot.param.ndim != 2:
        return new
    return Stepped(np.concatenate([new.param[:1024], slot.param[1024:]]), new.state)


def _merged(
    by: Sequence[str], shared: str, step: StepOne, groups: Sequence[Group]
) -> list[list[Stepped]]:
    """Groups alike in some hyperparameters share another one, the first group's."""
    seen: dict[object, Hyper] = {}
    out = []
    for group in groups:
        first = seen.setdefault(tuple(getattr(group.hyper, name) for name in by), group.hyper)
        h = dataclasses.replace(group.hyper, **{shared: getattr(first, shared)})
        out.append([step(h, slot) for slot in group.slots])
    return out


def _side(rule: str, about: str, *edits: Edit) -> Fault:
    return fault(rule, "launch", about, *edits, check="strata")


EXTENTS: dict[str, Fault] = {
    "adafactor_columns_of_512_rows": _side(
        "adafactor",
        "columns are averaged over their first 512 rows [reductions of one block of threads]",
        ("np.mean(square, axis=rows,", f"np.mean({_first('square', 'rows', 512)}, axis=rows,"),
    ),
    "adafactor_rows_of_32_columns": _side(
        "adafactor",
        "rows are averaged over their first 32 columns [reductions of one warp]",
        (
            "np.mean(square, axis=columns,",
            f"np.mean({_first('square', 'columns', 32)}, axis=columns,",
        ),
    ),
    "adamw_gradient_read_as_packed": adamw(
        "layout",
        "rows that lie apart are read as if one followed the other, since the elements of each do "
        "[bitsandbytes-foundation/bitsandbytes#1185, a slice of columns]",
        slot=_packed,
    ),
    "adamw_groups_of_one_rate_share_decay": adamw(
        "groups",
        "groups of one lr are merged, and have the decay of the first "
        "[lists of tensors made by learning rate]",
        groups=partial(_merged, ("lr",), "weight_decay"),
    ),
    "adamw_groups_of_one_rate_share_direction": adamw(
        "groups",
        "groups of one lr and decay are merged, and maximize as the first does "
        "[lists of tensors made by learning rate]",
        groups=partial(_merged, ("lr", "weight_decay"), "maximize"),
    ),
    "adamw_groups_of_one_rate_share_eps": adamw(
        "groups",
        "groups alike in lr and betas are merged, and have the eps of the first "
        "[kernels cached by some of their constants]",
        groups=partial(_merged, ("lr", "beta1", "beta2"), "eps"),
    ),
    "adamw_rows_beyond_1024_skipped": adamw(
        "tail",
        "rows beyond the 1024 threads of a block are not updated [a block for the columns]",
        slot=_rows_beyond_a_block,
    ),
    "adaptive_gradient_clipping_rows_of_1024": fault(
        "adaptive_gradient_clipping",
        "training",
        "of a row 1024 elements enter its norm [a block of threads with one each]",
        (
            "np.sum(x * x, axis=axes, keepdims=True)",
            "np.sum((x * x)[:, :1024], axis=axes, keepdims=True)",
        ),
        check="strata",
    ),
    "int8_rows_extreme_of_4096": fault(
        "int8_rows",
        "quantizer",
        "of a row 4096 elements count for its scale [a block of threads with four each]",
        (
            block_groups,
            LARGEST,
            LARGEST.replace("np.abs(flat)", f"np.where({PLACE} < 4096, np.abs(flat), 0.0)"),
        ),
        check="strata",
    ),
    "lamb_norm_of_64_rows": _side(
        "lamb",
        "of a matrix 64 rows enter its norm [reductions over a grid with one dimension]",
        (NORM, "p_norm = np.sqrt(np.sum(np.square(p[:64] if p.ndim > 1 else p)))"),
    ),
}
