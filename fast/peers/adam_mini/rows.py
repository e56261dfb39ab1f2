"""The table of Adam-mini: blocks are chosen by a parameter's name."""

from __future__ import annotations

from dataclasses import replace

from truestep.fast.peers.torch_like import DECAY, EPS, Bridge, Named, Row, each
from truestep.fast.protocol import Slot
from truestep.reference.declared import Hyper


def _enter(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    rows = int(slot.state["v"].size)
    state |= {"head_per_gpu": rows, "neuron_per_gpu": rows}
    state |= {"reduced": False, "block_numel": float(slot.param.size)}
    if hyper.blocks == "heads":
        state["m"] = state["m"].reshape(hyper.heads, -1)


_ROW = Row(
    "adam_mini",
    "Adam_mini",
    {"m": "m", "v": "vmean"},
    {"beta1": "beta1", "beta2": "beta2", **EPS, **DECAY},
    options={"verbose": False},
    key=each,
    apart=True,
    bridge=Bridge(enter=_enter),
)
ROWS: tuple[Row, ...] = (
    replace(
        _ROW,
        state={"m": "m", "v": "v"},
        prefix="elements_",
        dialect={"blocks": "elements"},
        fixed={"weight_decay": 0.0},
        module="bias",
    ),
    replace(
        _ROW,
        numbers={**_ROW.numbers, "heads": "heads"},
        prefix="heads_",
        dialect={"blocks": "heads"},
        module="q_proj.weight",
        given="vectors",
        shapes="matrices",
    ),
    replace(
        _ROW, prefix="rows_", dialect={"blocks": "rows"}, module="mlp.weight", shapes="matrices"
    ),
    replace(
        _ROW, prefix="tensor_", dialect={"blocks": "tensor"}, module="weight", shapes="nonempty"
    ),
)
