"""What the kernels of csrc compute, on whichever device: dialect, quantizer, storage."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from truestep.fast.protocol import (
    Capability,
    Fixed,
    Group,
    OptimizerCapability,
    Slot,
    Stepped,
    Storage,
)
from truestep.reference.declared import Hyper
from truestep.reference.quantizers import dynamic_8bit

DIALECT: Mapping[str, str] = {"decay": "before", "eps_placement": "outside"}
# What the quantizer does without being asked, as fields of its Hyper; it varies map and block_size.
QUANTIZER: Mapping[str, Fixed] = {
    "absmax_floor": 0.0,
    "nan": "propagate",
    "normalise": "divide",
    "ties": "lower",
    "zero_block": "code_of_zero",
}
# Moments may be kept as codes; both in one block size and by one map.
_BLOCKS: Mapping[str, Fixed] = {
    "block_size": dynamic_8bit.BLOCK_SIZES,
    "map": ("fused", "separate"),
}
STORAGE: Mapping[str, Storage] = {
    "m": Storage("dynamic_8bit", {"signed": True, **_BLOCKS}),
    "v": Storage("dynamic_8bit", {"signed": False, **_BLOCKS}),
}

CAPABILITIES = (
    Capability("optimizer", "adamw", arithmetic="ieee_float32_strict", dialect=DIALECT),
    Capability(
        "optimizer", "adamw", format="bfloat16", arithmetic="bfloat16_params", dialect=DIALECT
    ),
    OptimizerCapability(
        rule="adamw",
        arithmetic="ieee_float32_strict",
        dialect=DIALECT,
        variant="8bit",
        storage=STORAGE,
    ),
    Capability("quantizer", "bfloat16", arithmetic="ieee_float32_strict"),
    Capability(
        "quantizer", "dynamic_8bit", arithmetic="ieee_float32_strict", fixed={"absmax_floor": 0.0}
    ),
)

Entry = TypeVar("Entry")


# The moments of a slot as the kernels take them: as numbers, or as codes.
MOMENTS = {"m": "float32", "v": "float32"}
CODED = {"m_code": "uint8", "m_absmax": "float32", "v_code": "uint8", "v_absmax": "float32"}

# The block size and the map of a slot's codes; nothing for moments in float32.
Blocks: TypeAlias = tuple[int, str] | tuple[()]


def stepped(
    kernels: str,
    capability: Capability,
    groups: Sequence[Group],
    step: Callable[[Sequence[Hyper], Sequence[Blocks], Sequence[Slot]], Sequence[Stepped]],
) -> list[list[Stepped]]:
    """Every slot of every group, stepped in one call of step."""
    if capability.rule != "adamw":
        raise ValueError(f"the {kernels} backend steps adamw, got {capability.rule!r}")
    slots = [slot for group in groups for slot in group.slots]
    hypers = [group.hyper for group in groups for _ in group.slots]
    blocks = [blocks_of(group.storage, kernels) for group in groups for _ in group.slots]
    found = iter(step(hypers, blocks, slots))
    return [[next(found) for _ in group.slots] for group in groups]


def chosen(table: Mapping[str, Entry], capability: Capability, kernels: str) -> Entry:
    """The table's entry for the capability's rule; raises if there is none."""
    if capability.rule not in table:
        raise ValueError(
            f"the {kernels} backend offers {', '.join(sorted(table))} here; "
            f"got {capability.kind} {capability.rule!r}"
        )
    return table[capability.rule]


def require_offered(hyper: Hyper, offered: Mapping[str, Fixed], kernels: str) -> None:
    """Raise unless every field that hyper shares with offered has the offered value."""
    for field, value in offered.items():
        if (given := getattr(hyper, field, value)) != value:
            raise ValueError(f"{field} must be {value!r} for the {kernels} kernels, got {given!r}")


def blocks_of(storage: Mapping[str, Hyper], kernels: str) -> Blocks:
    """The block size and the map of both moments; raise unless the kernels store them so."""
    if not storage:
        return ()
    block_size, map = storage["m"].block_size, storage["m"].map
    for name, how in storage.items():
        own = {"signed": name == "m", "block_size": block_size, "map": map}
        require_offered(how, {**QUANTIZER, **own}, kernels)
    return block_size, map
