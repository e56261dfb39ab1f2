"""The table of bitsandbytes' optimizers with 8-bit state: that of rows.py, with state as codes.

bitsandbytes/backends/cpu/ops.py, _optimizer_update_8bit_blockwise_cpu, decodes the state, makes the
step in float32, moves p by what is not yet encoded, and encodes. state1 has the signed map, of
squares too where an optimizer has no other state; state2 the unsigned one.

Tensors of fewer than 4096 elements keep 32-bit state unless told otherwise, as here.
"""

from collections.abc import Mapping
from dataclasses import replace

from bitsandbytes import functional

from truestep.fast.peers.bitsandbytes import rows
from truestep.fast.peers.dynamic_map import map_dialect
from truestep.fast.peers.torch_like import Bridge, Named, Row
from truestep.fast.protocol import Slot, Storage
from truestep.reference.declared import Hyper

# The optimizers' block length.
BLOCK = 256
# The library's, signed or not. Kept alive: it recognises a map by its address.
MAPS = {signed: functional.create_dynamic_map(signed=signed) for signed in (True, False)}
# That of the maps and of what encodes with them.
DIALECT: Mapping[str, str] = {
    "map": map_dialect(MAPS[True].double().numpy()),
    "normalise": "reciprocal",
    "zero_block": "first_code",
}
SCALES = ("absmax1", "absmax2")
STACKED = {
    "state1": tuple(f"{name}_code" for name in rows.STACKED),
    "absmax1": tuple(f"{name}_absmax" for name in rows.STACKED),
}


def _row(row: Row) -> Row:
    stacked = row.rule == "ademamix"
    places = {**row.state, **(dict.fromkeys(rows.STACKED, "state1") if stacked else {})}
    codes = {f"{ours}_code": theirs for ours, theirs in row.state.items()}
    scales = {f"{ours}_absmax": f"absmax{theirs[-1]}" for ours, theirs in row.state.items()}
    return replace(
        row,
        optimizer=f"{row.optimizer}8bit",
        state={**codes, **scales},
        options={**row.options, "min_8bit_size": 0},
        paths={"8bit": {}},
        storage={ours: _storage(signed=theirs == "state1") for ours, theirs in places.items()},
        bridge=_with_maps(rows.stacked(STACKED) if stacked else row.bridge),
    )


def _storage(*, signed: bool) -> Storage:
    return Storage("dynamic_8bit", {"signed": signed, "block_size": BLOCK, **DIALECT})


def _with_maps(bridge: Bridge) -> Bridge:
    def enter(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
        bridge.enter(hyper, slot, group, state)
        # As the library makes them: they are read by address, whatever the strides.
        state |= {name: state[name].contiguous() for name in SCALES if name in state}
        state |= {"qmap1": MAPS[True], "qmap2": MAPS[False]}

    return replace(bridge, enter=enter)


ROWS: tuple[Row, ...] = tuple(map(_row, rows.ROWS))
