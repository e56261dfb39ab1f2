"""The table of torch's optimizers: which reference rule each computes, on which of its paths.

The counter is a float32 tensor. SGD has none, and no buffer before its first step or without
momentum. The others are handed the state before the first step too.
"""

from dataclasses import replace

import torch

from truestep.fast.peers.torch.other_rows import OTHER_ROWS
from truestep.fast.peers.torch.paths import FUSED, PATHS, on_paths
from truestep.fast.peers.torch_like import (
    BETAS,
    BUFFER,
    DECAY,
    EPS,
    LISTS,
    MOMENTS,
    Bridge,
    Named,
    Row,
    never,
    number,
)
from truestep.fast.protocol import Slot
from truestep.reference.declared import Hyper

COMMON = {**DECAY, "maximize": "maximize"}
ADAM = {**BETAS, **EPS, **COMMON}


def _enter_product(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    # In float32 whatever the format.
    state["mu_product"] = torch.tensor(float(slot.state["mu_product"]), dtype=torch.float32)


def _leave_product(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    return {"mu_product": number(state["mu_product"], slot.state["mu_product"])}


_ADAM = Row("adam", "Adam", MOMENTS, ADAM, fresh=never)
_ADAMW = replace(_ADAM, rule="adamw", optimizer="AdamW", dialect={"decay": "before"})
_AMSGRAD = replace(
    _ADAM,
    rule="amsgrad",
    state={**MOMENTS, "v_max": "max_exp_avg_sq"},
    dialect={"bias_correction": "both"},
    options={"amsgrad": True},
)
_NADAM = replace(
    _ADAM,
    rule="nadam",
    optimizer="NAdam",
    numbers={**ADAM, "momentum_decay": "momentum_decay"},
    bridge=Bridge(enter=_enter_product, leave=_leave_product),
)
_RADAM = replace(
    _ADAM,
    rule="radam",
    optimizer="RAdam",
    dialect={"eps_placement": "before_correction", "threshold": "above_5"},
)
_SGD = Row(
    "sgd",
    "SGD",
    {"b": "momentum_buffer"},
    {"momentum": "momentum", "dampening": "dampening", **COMMON},
    counter="",
    bridge=BUFFER,
)
ROWS: tuple[Row, ...] = (
    *OTHER_ROWS,
    *on_paths(
        Row(
            "adadelta",
            "Adadelta",
            {"v": "square_avg", "u": "acc_delta"},
            {"rho": "rho", **EPS, **COMMON},
            fresh=never,
        ),
        *LISTS,
    ),
    *on_paths(
        Row(
            "adagrad",
            "Adagrad",
            {"total": "sum"},
            {"lr_decay": "lr_decay", **EPS, **COMMON},
            fresh=never,
        ),
        *FUSED,
    ),
    *on_paths(_ADAM, *PATHS),
    *on_paths(
        replace(_ADAM, rule="adamax", optimizer="Adamax", state={"m": "exp_avg", "u": "exp_inf"}),
        *LISTS,
    ),
    *on_paths(_ADAMW, *PATHS),
    *on_paths(_AMSGRAD, *PATHS),
    *on_paths(
        replace(
            _AMSGRAD,
            optimizer="AdamW",
            prefix="adamw_",
            dialect={"bias_correction": "both", "decay": "before"},
        ),
        *(path for path in PATHS if path != "compiled"),
    ),
    *on_paths(_NADAM, *LISTS),
    *on_paths(
        _NADAM.but("decoupled_", {"decay": "before"}, {"decoupled_weight_decay": True}), *LISTS
    ),
    *on_paths(
        replace(
            _SGD,
            rule="nesterov",
            state={"u": "momentum_buffer"},
            numbers={"momentum": "momentum", **COMMON},
            dialect={"form": "torch"},
            options={"nesterov": True, "momentum": 0.9},
            # torch demands momentum > 0.
            fixed={"momentum": (0.9, 0.5, 0.99, 0.3)},
        ),
        *FUSED,
        "compiled",
    ),
    *on_paths(_RADAM, *LISTS),
    *on_paths(
        _RADAM.but("decoupled_", {"decay": "before"}, {"decoupled_weight_decay": True}), *LISTS
    ),
    *on_paths(
        Row(
            "rmsprop",
            "RMSprop",
            {"v": "square_avg", "mean": "grad_avg", "b": "momentum_buffer"},
            {"alpha": "alpha", "momentum": "momentum", "centered": "centered", **EPS, **COMMON},
            fresh=never,
        ),
        *LISTS,
    ),
    *on_paths(
        Row(
            "rprop",
            "Rprop",
            {"prev": "prev", "size": "step_size"},
            {
                "eta_minus": "etas",
                "eta_plus": "etas",
                "size_min": "step_sizes",
                "size_max": "step_sizes",
                "maximize": "maximize",
            },
            # torch.sign(nan) is 0.
            dialect={"nan_sign": "zero"},
            fresh=never,
        ),
        *LISTS,
    ),
    *on_paths(_SGD, *FUSED, "tensor_lr", "compiled"),
)
