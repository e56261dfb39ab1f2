"""The tables of small libraries for torch: which reference rule each optimizer computes, and how.

torch's norm and dot add in a few lanes, one element after another.
"""

from __future__ import annotations

import math
import operator
from dataclasses import replace

from truestep.fast.peers.torch_library_row import Row
from truestep.fast.peers.torch_library_states import (
    ADAM_MINI,
    ADAM_MINI_HEADS,
    BUFFER,
    PRODIGY,
    SHAMPOO,
    SWATS,
)

MOMENTS = {"m": "exp_avg", "v": "exp_avg_sq"}
DECAY = {"weight_decay": "weight_decay"}
EPS = {"eps": "eps"}
BETAS = {"beta1": "betas", "beta2": "betas"}
FACTORED = {"r": "exp_avg_sq_row", "c": "exp_avg_sq_col", "v": "exp_avg_sq"}
SIDES = {"r": -1, "c": -2}
INSTABILITY = {"instability_r": "exp_avg_res_row", "instability_c": "exp_avg_res_col"}


def _complement(beta: float) -> float:
    return 1 - beta


# adam-mini chooses the partition by the name.
_ADAM_MINI = Row(
    "adam_mini",
    "Adam_mini",
    {"m": "m", "v": "vmean"},
    {"beta1": "beta1", "beta2": "beta2", **EPS, **DECAY},
    options={"verbose": False},
    bridge=ADAM_MINI,
)
ADAM_MINI_ROWS: tuple[Row, ...] = (
    replace(
        _ADAM_MINI,
        state={"m": "m", "v": "v"},
        prefix="elements_",
        dialect={"blocks": "elements"},
        fixed={"weight_decay": 0.0},
        named="bias",
    ),
    replace(
        _ADAM_MINI,
        numbers={**_ADAM_MINI.numbers, "heads": "heads"},
        prefix="heads_",
        dialect={"blocks": "heads"},
        bridge=ADAM_MINI_HEADS,
        named="q_proj.weight",
        shapes="matrices",
        plain=True,
    ),
    replace(
        _ADAM_MINI,
        prefix="rows_",
        dialect={"blocks": "rows"},
        named="mlp.weight",
        shapes="matrices",
    ),
    replace(
        _ADAM_MINI,
        prefix="tensor_",
        dialect={"blocks": "tensor"},
        named="weight",
        shapes="nonempty",
    ),
)

ADAN_PYTORCH_ROWS: tuple[Row, ...] = (
    Row(
        "adan",
        "Adan",
        {"m": "m", "v": "v", "n": "n", "previous": "prev_grad"},
        {**BETAS, "beta3": "betas", **EPS, **DECAY},
        dialect={"start": "corrected"},
        converted={"beta1": _complement, "beta2": _complement, "beta3": _complement},
    ),
)

CAME_PYTORCH_ROWS: tuple[Row, ...] = (
    Row(
        "came",
        "CAME",
        {**FACTORED, "m": "exp_avg", **INSTABILITY},
        {
            **BETAS,
            "beta3": "betas",
            "eps1": "eps",
            "eps2": "eps",
            "clip_threshold": "clip_threshold",
            **DECAY,
        },
        squeezed={**SIDES, "instability_r": -1, "instability_c": -2},
        shapes="nonempty",
        arithmetic="sequential_float32",
    ),
)

_PRODIGY = Row(
    "prodigy",
    "Prodigy",
    {**MOMENTS, "s": "s"},
    {**BETAS, "d0": "d0", "d_coef": "d_coef", **EPS, **DECAY},
    dialect={"eps_scale": "new", "nan_estimate": "ignored", "weights": "over_d0"},
    counter="",
    bridge=PRODIGY,
    single=True,
    arithmetic="sequential_float32",
)
PRODIGYOPT_ROWS: tuple[Row, ...] = (
    _PRODIGY,
    replace(
        _PRODIGY,
        prefix="corrected_",
        dialect={**_PRODIGY.dialect, "bias_correction": "rate"},
        options={"use_bias_correction": True},
    ),
    replace(
        _PRODIGY,
        prefix="coupled_",
        dialect={**_PRODIGY.dialect, "decay": "coupled"},
        options={"decouple": False},
    ),
    replace(
        _PRODIGY,
        numbers={**_PRODIGY.numbers, "growth_rate": "growth_rate"},
        prefix="limited_",
        dialect={**_PRODIGY.dialect, "growth": "limited"},
    ),
    replace(
        _PRODIGY,
        prefix="safeguard_",
        dialect={**_PRODIGY.dialect, "weights": "safeguard"},
        options={"safeguard_warmup": True},
    ),
)

_ADAFACTOR = Row(
    "adafactor",
    "Adafactor",
    FACTORED,
    {
        "decay_rate": "decay_rate",
        "eps1": "eps2",
        "eps2": "eps2",
        "clip_threshold": "clip_threshold",
        **DECAY,
    },
    dialect={"decay": "step"},
    converted={"decay_rate": operator.neg},
    # The library caps relative steps by 1e-2, its decay by nothing.
    fixed={"beta2_cap": 1.0, "lr": 1e-2},
    squeezed=SIDES,
    # Of other shapes it raises on some: see the findings.
    shapes="matrices",
    arithmetic="sequential_float32",
)
_LAMB = Row(
    "lamb",
    "Lamb",
    MOMENTS,
    {**BETAS, **EPS, **DECAY},
    dialect={"bias_correction": "none", "clip": "norm_10", "guard": "one"},
    arithmetic="sequential_float32",
)
_SGD = Row(
    "sgd",
    "SGDW",
    {"b": "momentum_buffer"},
    {"momentum": "momentum", "dampening": "dampening", **DECAY},
    dialect={"decay": "decoupled"},
    counter="",
    bridge=BUFFER,
)
TORCH_OPTIMIZER_ROWS: tuple[Row, ...] = (
    _ADAFACTOR,
    replace(_ADAFACTOR, prefix="any_shape_", shapes="nonempty"),
    replace(
        _ADAFACTOR,
        state={**FACTORED, "m": "exp_avg"},
        numbers={**_ADAFACTOR.numbers, "beta1": "beta1"},
        prefix="momentum_",
        dialect={"decay": "step", "momentum": "of_step", "step_size": "constant"},
        options={"relative_step": False},
        fixed={"beta2_cap": 1.0},
    ),
    replace(
        _ADAFACTOR,
        prefix="unscaled_",
        dialect={"decay": "step", "parameter_scale": "none", "step_size": "constant"},
        options={"relative_step": False, "scale_parameter": False},
        fixed={"beta2_cap": 1.0},
    ),
    replace(
        _ADAFACTOR,
        prefix="warmup_",
        dialect={"decay": "step", "step_size": "warmup"},
        options={"warmup_init": True},
    ),
    _LAMB,
    replace(
        _LAMB,
        prefix="debiased_",
        dialect={**_LAMB.dialect, "bias_correction": "after_ratio"},
        options={"debias": True},
    ),
    replace(
        _LAMB,
        prefix="unclamped_",
        dialect={"bias_correction": "none", "guard": "one"},
        options={"clamp_value": math.inf},
    ),
    Row(
        "lars",
        "LARS",
        {"b": "momentum_buffer"},
        {"momentum": "momentum", "trust_coefficient": "trust_coefficient", **EPS, **DECAY},
        dialect={"adapts": "with_decay", "guard": "undecayed", "momentum_form": "lr_outside"},
        # Without momentum there is no buffer.
        fixed={"momentum": 0.9},
        counter="",
        arithmetic="sequential_float32",
    ),
    Row(
        "nesterov",
        "SGDW",
        {"u": "momentum_buffer"},
        {"momentum": "momentum", **DECAY},
        dialect={"decay": "decoupled", "form": "torch"},
        options={"momentum": 0.9, "nesterov": True},
        fixed={"momentum": 0.9, "weight_decay": 0.0},
        counter="",
    ),
    Row(
        "radam",
        "RAdam",
        MOMENTS,
        {**BETAS, **EPS, **DECAY},
        dialect={
            "decay": "before",
            "eps_placement": "before_correction",
            "threshold": "from_5",
        },
    ),
    _SGD,
    replace(_SGD, prefix="undecayed_", fixed={"weight_decay": 0.0}),
    Row(
        "shampoo",
        "Shampoo",
        {"m": "momentum_buffer"},
        {
            "momentum": "momentum",
            "eps": "epsilon",
            "precondition_frequency": "update_freq",
            **DECAY,
        },
        dialect={
            "exponent": "order",
            "momentum_form": "fed_back",
            "spectrum": "as_found",
            "statistics": "preconditioned",
        },
        bridge=SHAMPOO,
        shapes="nonempty",
    ),
    Row(
        "swats",
        "SWATS",
        {**MOMENTS, "b": "momentum_buffer"},
        {**BETAS, **EPS},
        bridge=SWATS,
        single=True,
        plain=True,
        arithmetic="sequential_float32",
    ),
)
