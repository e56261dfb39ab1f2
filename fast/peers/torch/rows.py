"""The table of torch's optimizers: which reference rule each computes, on which paths, how rounded.

Arithmetic, from torch/optim/*.py and the behaviour of torch's CPU kernels:

single, foreach: every torch operation rounds to the parameter's format, so bfloat16 computes in
bfloat16. Functions of the step counter are Python doubles.
fused: one kernel computes in float32 (float64 for float64) and rounds once as it stores; the new
moments enter the update before they are rounded. It is handed contiguous copies, and first steps
of SGD in groups of their own; "fused_as_given" is handed what the caller has, as the others are.
differentiable: as single, with the formula of capturable=True (which refuses the CPU): functions of
the counter are float32 tensors, whatever the format. For float64 that is a departure, not an
arithmetic one may declare: see findings.py.
tensor_lr: as single, with lr a 0-d float32 tensor, and so what it is combined with.
compiled: see torch_compiled.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PATHS: dict[str, dict[str, bool]] = {
    "single": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"foreach": False, "fused": True},
    "fused_as_given": {"foreach": False, "fused": True},
    "differentiable": {"foreach": False, "differentiable": True},
    "tensor_lr": {"foreach": False},
}
EVERY_PATH = (*PATHS, "compiled")

ARITHMETIC: dict[str, dict[str, str]] = {
    "bfloat16": {
        "single": "bfloat16",
        "foreach": "bfloat16",
        "fused": "bfloat16_storage",
        "differentiable": "bfloat16",
    },
    "float16": {
        "single": "float16",
        "foreach": "float16",
        "fused": "float16_storage",
        "differentiable": "float16",
    },
    "float32": {
        "single": "ieee_float32",
        "foreach": "ieee_float32",
        "fused": "ieee_float32",
        "fused_as_given": "ieee_float32",
        "differentiable": "capturable_float32",
        "tensor_lr": "tensor_lr",
        "compiled": "capturable_float32",
    },
    "float64": {
        "single": "ieee_float64",
        "foreach": "ieee_float64",
        "fused": "ieee_float64",
        "differentiable": "ieee_float64",
    },
}


@dataclass(frozen=True, slots=True)
class Row:
    """One of torch's optimizers as an implementation of a reference rule.

    optimizer: its name in torch.optim. state: the reference's fields and torch's names. numbers:
    the reference's hyperparameters that torch has under the same name, besides lr, weight_decay,
    maximize, betas and eps. paths: those of PATHS it has. prefix: of the variants' names, where two
    optimizers implement one rule. options: constructor arguments. scalars: state that torch keeps
    in 0-d float32 tensors. fixed: hyperparameters that cannot be varied.
    """

    rule: str
    optimizer: str
    state: Mapping[str, str]
    numbers: tuple[str, ...] = ()
    paths: tuple[str, ...] = ("single", "foreach")
    prefix: str = ""
    dialect: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    scalars: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)


MOMENTS = {"m": "exp_avg", "v": "exp_avg_sq"}
FUSED = ("single", "foreach", "fused", "fused_as_given")

ROWS: tuple[Row, ...] = (
    Row(
        "adadelta",
        "Adadelta",
        {"v": "square_avg", "u": "acc_delta"},
        numbers=("rho",),
    ),
    Row("adagrad", "Adagrad", {"total": "sum"}, numbers=("lr_decay",), paths=FUSED),
    Row("adam", "Adam", MOMENTS, paths=EVERY_PATH),
    Row("adamax", "Adamax", {"m": "exp_avg", "u": "exp_inf"}),
    Row("adamw", "AdamW", MOMENTS, paths=EVERY_PATH, dialect={"decay": "before"}),
    Row(
        "amsgrad",
        "Adam",
        {**MOMENTS, "v_max": "max_exp_avg_sq"},
        paths=EVERY_PATH,
        dialect={"bias_correction": "both"},
        options={"amsgrad": True},
    ),
    Row(
        "amsgrad",
        "AdamW",
        {**MOMENTS, "v_max": "max_exp_avg_sq"},
        paths=tuple(PATHS),
        prefix="adamw_",
        dialect={"bias_correction": "both", "decay": "before"},
        options={"amsgrad": True},
    ),
    Row(
        "nadam",
        "NAdam",
        {**MOMENTS, "mu_product": "mu_product"},
        numbers=("momentum_decay",),
        scalars=("mu_product",),
    ),
    Row(
        "nadam",
        "NAdam",
        {**MOMENTS, "mu_product": "mu_product"},
        numbers=("momentum_decay",),
        prefix="decoupled_",
        dialect={"decay": "before"},
        options={"decoupled_weight_decay": True},
        scalars=("mu_product",),
    ),
    Row(
        "nesterov",
        "SGD",
        {"u": "momentum_buffer"},
        numbers=("momentum",),
        paths=(*FUSED, "compiled"),
        dialect={"form": "torch"},
        options={"nesterov": True, "momentum": 0.9},
        # torch demands momentum > 0.
        fixed={"momentum": (0.9, 0.5, 0.99, 0.3)},
    ),
    Row(
        "radam",
        "RAdam",
        MOMENTS,
        dialect={"eps_placement": "before_correction", "threshold": "above_5"},
    ),
    Row(
        "radam",
        "RAdam",
        MOMENTS,
        prefix="decoupled_",
        dialect={
            "decay": "before",
            "eps_placement": "before_correction",
            "threshold": "above_5",
        },
        options={"decoupled_weight_decay": True},
    ),
    Row(
        "rmsprop",
        "RMSprop",
        {"v": "square_avg", "mean": "grad_avg", "b": "momentum_buffer"},
        numbers=("alpha", "momentum", "centered"),
    ),
    Row(
        "sgd",
        "SGD",
        {"b": "momentum_buffer"},
        numbers=("momentum", "dampening"),
        paths=(*FUSED, "tensor_lr", "compiled"),
    ),
)
