"""What the kernels of csrc compute, on whichever device: dialect, quantizer, storage."""

from __future__ import annotations

from collections.abc import Mapping

from truestep.fast.protocol import Fixed, Storage
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


def require_offered(hyper: Hyper, offered: Mapping[str, Fixed], kernels: str) -> None:
    """Raise unless every field that hyper shares with offered has the offered value."""
    for field, value in offered.items():
        if (given := getattr(hyper, field, value)) != value:
            raise ValueError(f"{field} must be {value!r} for the {kernels} kernels, got {given!r}")


def blocks_of(storage: Mapping[str, Hyper], kernels: str) -> tuple[int, str]:
    """The block size and the map of both moments; raise unless the kernels store them so."""
    block_size, map = storage["m"].block_size, storage["m"].map
    for name, how in storage.items():
        own = {"signed": name == "m", "block_size": block_size, "map": map}
        require_offered(how, {**QUANTIZER, **own}, kernels)
    return block_size, map
