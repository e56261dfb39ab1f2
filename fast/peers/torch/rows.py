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
compiled: see compiled.py.

adafactor: root mean squares and means are taken by torch.norm, which adds one number after another.
asgd: the rate eta and the weight mu of a step are float32 tensors that the step before has left:
a step on a tensor of one element is made first. muon: iterates in bfloat16 whatever the format.
sparse: SparseAdam on sparse gradients of every row. lms, perceptron: see examples.py.
polyak_ruppert: see averaging.py.

The counter is a float32 tensor. SGD, Muon and what is made of them have none, and SGD no buffer
before its first step or without momentum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from truestep.fast.peers.torch.compiled import FIXED
from truestep.fast.peers.torch_like import (
    BETAS,
    BUFFER,
    DECAY,
    ELEMENTS,
    EPS,
    LISTS,
    MOMENTS,
    Bridge,
    Named,
    Row,
    begins,
    never,
    number,
)
from truestep.fast.peers.torch_tensors import to_tensor
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

ARITHMETIC: Mapping[str, Mapping[str, str]] = {
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

# Of norms, and of scores of one example.
SUMS = {
    "bfloat16": "bfloat16",
    "float16": "float16",
    "float32": "sequential_float32",
    "float64": "sequential_float64",
}
WIDE = {"float32": "ieee_float32", "float64": "ieee_float64"}
# What eps1 = None stands for in Adafactor: the unit of the parameter's format. Smaller numbers than
# the root of the least positive one are 0 once squared: see more_findings.py.
UNITS = {"bfloat16": 2.0**-7, "float16": 2.0**-10, "float32": 2.0**-23, "float64": 2.0**-52}
COMMON = {**DECAY, "maximize": "maximize"}
ADAM = {**BETAS, **EPS, **COMMON}
FUSED = ("single", "foreach", "fused", "fused_as_given")


def _rate_as_tensor(hyper: Hyper, slot: Slot) -> Named:
    return {"lr": torch.tensor(hyper.lr, dtype=torch.float32)}


def _enter_product(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    # In float32 whatever the format.
    state["mu_product"] = torch.tensor(float(slot.state["mu_product"]), dtype=torch.float32)


def _leave_product(hyper: Hyper, slot: Slot, group: Named, state: Named) -> Named:
    return {"mu_product": number(state["mu_product"], slot.state["mu_product"])}


def _enter_scalars(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    one = to_tensor(np.zeros(1, np.float32))
    one.grad = torch.zeros(1)
    optimizer = torch.optim.ASGD([{**group, "params": [one]}])
    before = slot.state["t"] - 1
    if before:
        numbers = {"step": before, "eta": 0.0, "mu": 1.0}
        scalars = {k: torch.tensor(float(x), dtype=torch.float32) for k, x in numbers.items()}
        optimizer.state[one].update(scalars, ax=torch.zeros(1))
    optimizer.step()
    for name in ("eta", "mu"):
        x = optimizer.state[one][name].item()
        state[name] = torch.tensor(x, dtype=torch.float32)


def _count(hyper: Hyper, slot: Slot, group: Named, state: Named) -> None:
    # A Python number, where torch's other optimizers have a tensor.
    state["step"] = int(slot.state["t"])


def _counted(hyper: Hyper, slot: Slot) -> int:
    """Of the tensors of one model the same number of averages has been taken."""
    return int(slot.state["t"])


def _sparse(gradient: torch.Tensor) -> torch.Tensor:
    rows = torch.arange(len(gradient))[None]
    return torch.sparse_coo_tensor(rows, gradient, gradient.shape, check_invariants=True)


def _on_paths(row: Row, *paths: str) -> tuple[Row, ...]:
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
_ADAFACTOR = Row(
    "adafactor",
    "Adafactor",
    {"r": "row_var", "c": "col_var", "v": "variance"},
    {
        "decay_rate": "-beta2_decay",
        "eps1": "eps",
        "eps2": "eps",
        "clip_threshold": "d",
        **COMMON,
    },
    dialect={"eps_placement": "floor"},
    paths=LISTS,
    # It divides by the number of elements as a Python float.
    shapes="nonempty",
)
_ASGD = Row(
    "asgd",
    "ASGD",
    {"average": "ax"},
    {"lambd": "lambd", "alpha": "alpha", "t0": "t0", **COMMON},
    paths={"single": LISTS["single"]},
    arithmetic=ELEMENTS,
    bridge=Bridge(enter=_enter_scalars),
)
_MUON = Row(
    "muon",
    "Muon",
    {"b": "momentum_buffer"},
    {
        "momentum": "momentum",
        "nesterov": "nesterov",
        "eps": "eps",
        "ns_steps": "ns_steps",
        "ns_a": "ns_coefficients",
        "ns_b": "ns_coefficients",
        "ns_c": "ns_coefficients",
        **DECAY,
    },
    # The 0.2 of match_rms_adamw is no argument.
    fixed={"maximize": False, "rms": 0.2},
    arithmetic={"float32": "bfloat16_newton_schulz"},
    counter="",
    shapes="matrices",
)

ROWS: tuple[Row, ...] = (
    *(
        replace(_ADAFACTOR, arithmetic={format: arithmetic}, fixed={"eps1": UNITS[format]})
        for format, arithmetic in SUMS.items()
    ),
    *_on_paths(
        Row(
            "adadelta",
            "Adadelta",
            {"v": "square_avg", "u": "acc_delta"},
            {"rho": "rho", **EPS, **COMMON},
            fresh=never,
        ),
        *LISTS,
    ),
    *_on_paths(
        Row(
            "adagrad",
            "Adagrad",
            {"total": "sum"},
            {"lr_decay": "lr_decay", **EPS, **COMMON},
            fresh=never,
        ),
        *FUSED,
    ),
    *_on_paths(_ADAM, *PATHS),
    replace(
        _ADAM,
        optimizer="SparseAdam",
        numbers={**BETAS, **EPS, "maximize": "maximize"},
        dialect={"decay": "before", "eps_placement": "before_correction"},
        fixed={"weight_decay": 0.0},
        paths={"sparse": {}},
        arithmetic=WIDE,
        fresh=begins,
        # A number is a row of its own, as a table's single entry is. Where it is given a view of
        # one element at an offset, torch writes beyond it: see more_findings.py.
        given="vectors",
        bridge=Bridge(enter=_count, gradient=_sparse),
    ),
    *_on_paths(
        replace(_ADAM, rule="adamax", optimizer="Adamax", state={"m": "exp_avg", "u": "exp_inf"}),
        *LISTS,
    ),
    *_on_paths(_ADAMW, *PATHS),
    *_on_paths(_AMSGRAD, *PATHS),
    *_on_paths(
        replace(
            _AMSGRAD,
            optimizer="AdamW",
            prefix="adamw_",
            dialect={"bias_correction": "both", "decay": "before"},
        ),
        *(path for path in PATHS if path != "compiled"),
    ),
    _ASGD,
    replace(
        _ASGD,
        dialect={"before_averaging": "moved"},
        paths={"foreach": LISTS["foreach"]},
        arithmetic={**ELEMENTS, "float32": "capturable_float32"},
    ),
    Row("lms", "mse_loss", dialect={"loss": "square"}, paths={"mse_loss": {}}, arithmetic=WIDE),
    *(
        replace(
            _MUON,
            dialect={"momentum_form": "ema", "norm_guard": "floor", "scale": scale},
            paths={variant: {"adjust_lr_fn": variant}},
        )
        for variant, scale in (("match_rms_adamw", "rms"), ("original", "tall"))
    ),
    *_on_paths(_NADAM, *LISTS),
    *_on_paths(
        replace(
            _NADAM,
            prefix="decoupled_",
            dialect={"decay": "before"},
            options={"decoupled_weight_decay": True},
        ),
        *LISTS,
    ),
    *_on_paths(
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
    Row(
        "perceptron",
        "margin_ranking_loss",
        dialect={"form": "factor"},
        paths={"margin_ranking_loss": {}},
        arithmetic=WIDE,
    ),
    # optimizer: the function of swa_utils that makes the average.
    *(
        Row(
            "polyak_ruppert",
            function,
            dialect={"average": average},
            paths={variant: {}},
            arithmetic=ELEMENTS,
            key=_counted,
            apart=True,
        )
        for variant, function, average in (
            ("ema_multi", "get_ema_multi_avg_fn", "exponential"),
            ("ema_single", "get_ema_avg_fn", "weighted"),
            ("swa_multi", "get_swa_multi_avg_fn", "uniform"),
            ("swa_single", "get_swa_avg_fn", "uniform"),
        )
    ),
    *_on_paths(_RADAM, *LISTS),
    *_on_paths(
        replace(
            _RADAM,
            prefix="decoupled_",
            dialect={**_RADAM.dialect, "decay": "before"},
            options={"decoupled_weight_decay": True},
        ),
        *LISTS,
    ),
    *_on_paths(
        Row(
            "rmsprop",
            "RMSprop",
            {"v": "square_avg", "mean": "grad_avg", "b": "momentum_buffer"},
            {
                "alpha": "alpha",
                "momentum": "momentum",
                "centered": "centered",
                **EPS,
                **COMMON,
            },
            fresh=never,
        ),
        *LISTS,
    ),
    *_on_paths(_SGD, *FUSED, "tensor_lr", "compiled"),
)
