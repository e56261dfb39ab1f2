"""The paths of torch's optimizers, and how each rounds.

From torch/optim/*.py and the behaviour of torch's CPU kernels:

single, foreach: every torch operation rounds to the parameter's format, so bfloat16 computes in
bfloat16. Functions of the step counter are Python doubles.
fused: one kernel computes in float32 (float64 for float64) and rounds once as it stores; the new
moments enter the update before they are rounded. It is handed contiguous copies, and first steps
of SGD in groups of their own; "fused_as_given" is handed what the caller has, as the others are.
differentiable: as single, with the formula of capturable=True (which refuses the CPU): functions of
the counter are float32 tensors, whatever the format. For float64 that is a departure, not an
arithmetic one may declare: see findings.toml.
tensor_lr: as single, with lr a 0-d float32 tensor, and so what it is combined with.
compiled: see compiled.py.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch

from truestep.fast.peers.torch.compiled import FIXED
from truestep.fast.peers.torch_like import Named, Row, begins
from truestep.fast.protocol import Level, Slot
from truestep.reference.declared import Hyper

PATHS: Mapping[str, Mapping[str, bool]] = {
    "single": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"foreach": False, "fused": True},
    "fused_as_given": {"foreach": False, "fused": True},
    "differentiable": {"foreach": False, "differentiable": True},
    "tensor_lr": {"foreach": False},
    "compiled": {},
}

FUSED = ("single", "foreach", "fused", "fused_as_given")
_PLAIN = ("single", "foreach", "differentiable")

# By format and path; what is not listed is not run.
ARITHMETIC: Mapping[str, Mapping[str, str]] = {
    "bfloat16": {**dict.fromkeys(_PLAIN, "bfloat16"), "fused": "bfloat16_storage"},
    "float16": {**dict.fromkeys(_PLAIN, "float16"), "fused": "float16_storage"},
    "float32": {
        **dict.fromkeys(FUSED, "ieee_float32"),
        "differentiable": "capturable_float32",
        "tensor_lr": "tensor_lr",
        "compiled": "capturable_float32",
    },
    "float64": dict.fromkeys((*_PLAIN, "fused"), "ieee_float64"),
}


def on_paths(row: Row, *paths: str) -> tuple[Row, ...]:
    """The row on each of these paths, in every format that the path takes."""
    return tuple(_on_path(row, path) for path in paths)


def _on_path(row: Row, path: str) -> Row:
    # The paths that most users are on; the others join later and with fewer examples.
    leading: Level = "smoke" if path in ("single", "foreach", "fused") else "standard"
    row = replace(
        row,
        paths={path: PATHS[path]},
        arithmetic={format: by[path] for format, by in ARITHMETIC.items() if path in by},
        level=leading,
    )
    if path == "tensor_lr":
        return replace(row, bridge=replace(row.bridge, entries=_rate_as_tensor))
    if path == "fused":
        # Not both with a buffer and without one.
        return replace(row, given="copies", key=begins if row.optimizer == "SGD" else None)
    if path == "compiled":
        arithmetic = {"float32": "ieee_float32"} if row.optimizer == "SGD" else row.arithmetic
        return replace(row, arithmetic=arithmetic, fixed=FIXED[row.rule], level="deep")
    return row


def _rate_as_tensor(hyper: Hyper, slot: Slot) -> Named:
    return {"lr": torch.tensor(hyper.lr, dtype=torch.float32)}
