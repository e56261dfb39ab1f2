"""The authors' Adam-mini on the CPU, which chooses blocks by a parameter's name."""

from dataclasses import replace

import adam_mini
import torch

from truestep.fast.peers import torch_like
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


class Backend(torch_like.Backend):
    """adam_mini.Adam_mini of one parameter."""

    name, library, rows = "adam_mini", adam_mini, ROWS

    def build(self, row: Row, entries: list[Named]) -> torch.optim.Optimizer:
        """The width is that for which the tensor has as many heads as it is to have."""
        [entry] = entries
        [param] = entry.pop("params")
        param.requires_grad_()
        size = max(param.numel(), 1)
        width = {"dim": size, "n_heads": size * entry.pop("heads", 1)}
        optimizer = adam_mini.Adam_mini([(row.module, param)], lr=1.0, **row.options, **width)
        optimizer.param_groups[0].update(entry)
        return optimizer
