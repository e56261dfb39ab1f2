"""The table of pytorch-optimizer's optimizers: which reference rule each computes, and its options.

Arithmetic: every torch operation rounds to float32; functions of the step counter, which the
library keeps in the parameter group, are Python doubles. torch's norm and dot add in a few lanes,
one element after another. The optimizers that it re-exports from
torch (SGD, Adam, AdamW, NAdam, RMSprop, LBFGS) are judged as torch's.

Hyperparameters are fixed where the library keeps no state that the reference has (a buffer without
momentum), or where it does not know them.
"""

from dataclasses import replace

from truestep.fast.peers import torch_like
from truestep.fast.peers.pytorch_optimizer.corrected_rows import CORRECTED_ROWS
from truestep.fast.peers.pytorch_optimizer.distance_rows import DISTANCE_ROWS
from truestep.fast.peers.pytorch_optimizer.magnitude_rows import MAGNITUDE_ROWS
from truestep.fast.peers.pytorch_optimizer.matrix_rows import MATRIX_ROWS
from truestep.fast.peers.pytorch_optimizer.measured_rows import MEASURED_ROWS
from truestep.fast.peers.pytorch_optimizer.memory_rows import MEMORY_ROWS
from truestep.fast.peers.pytorch_optimizer.moment_rows import MOMENT_ROWS
from truestep.fast.peers.pytorch_optimizer.row import (
    BETAS3,
    BY_GROUP,
    COUPLED,
    DECOUPLED,
    NAN_SIGN,
    WEIGHTS,
    Row,
)
from truestep.fast.peers.pytorch_optimizer.states import DADAPT, PRODIGY, SWATS
from truestep.fast.peers.pytorch_optimizer.tempered_rows import TEMPERED_ROWS
from truestep.fast.peers.torch_like import BETAS, BUFFER, DECAY, EPS, MOMENTS, SEQUENTIAL, begins

_ADADELTA = Row(
    "adadelta", "AdaDelta", {"v": "square_avg", "u": "acc_delta"}, {"rho": "rho", **EPS, **DECAY}
)
_ADAHESSIAN = Row(
    "adahessian",
    "AdaHessian",
    {"m": "exp_avg", "v": "exp_hessian_diag_sq"},
    {**BETAS, "hessian_power": "hessian_power", "period": "update_period", **EPS, **DECAY},
)
_ADAMAX = Row("adamax", "AdaMax", {"m": "exp_avg", "u": "exp_inf"}, {**BETAS, **EPS, **DECAY})
_ADAN = Row(
    "adan",
    "Adan",
    {"m": "exp_avg", "v": "exp_avg_diff", "n": "exp_avg_sq", "previous": "-previous_grad"},
    {**BETAS3, **EPS, **DECAY},
    dialect={"start": "repeated"},
    fixed={"maximize": False},
    fresh=begins,
)
_ADEMAMIX = Row(
    "ademamix",
    "AdEMAMix",
    {"m1": "exp_avg", "m2": "exp_avg_slow", "v": "exp_avg_sq"},
    {**BETAS3, "alpha": "alpha", **EPS, **DECAY},
    dialect={"decay": "coupled"},
    fixed={"alpha_warmup": 0, "beta3_warmup": 0},
)
_DADAPT_ADAM = Row(
    "dadapt_adam",
    "DAdaptAdam",
    {**MOMENTS, "s": "s"},
    {**BETAS, "d0": "d0", **EPS, **DECAY},
    dialect={"decay": "before", "nan_estimate": "ignored"},
    options=DECOUPLED,
    bridge=DADAPT,
    single=True,
    arithmetic=SEQUENTIAL,
)
_FTRL = Row(
    "ftrl",
    "FTRL",
    {"z": "z", "n": "n"},
    {"beta": "beta", "lambda_1": "lambda_1", "lambda_2": "lambda_2"},
)
_LAMB = Row(
    "lamb",
    "Lamb",
    MOMENTS,
    {**BETAS, **EPS, **DECAY},
    dialect={"bias_correction": "none", "clip": "norm_10", "guard": "one", "ratio": "eps"},
    options={"weight_decouple": False},
    arithmetic=SEQUENTIAL,
)
_CAUTIOUS_LION = Row(
    "cautious_lion",
    "Lion",
    {"m": "exp_avg"},
    {**BETAS, **DECAY},
    dialect=NAN_SIGN,
    options={"cautious": True},
)
_LION = Row("lion", "Lion", {"m": "exp_avg"}, {**BETAS, **DECAY}, dialect=NAN_SIGN)
_PRODIGY = Row(
    "prodigy",
    "Prodigy",
    {**MOMENTS, "s": "s", "p0": "p0"},
    {**BETAS, "d0": "d0", "d_coef": "d_coef", **EPS, **DECAY},
    dialect={"eps_scale": "new", "nan_estimate": "ignored", "weights": "over_d0"},
    bridge=PRODIGY,
    single=True,
    arithmetic=SEQUENTIAL,
)
_RADAM = Row(
    "radam",
    "RAdam",
    MOMENTS,
    {**BETAS, **EPS, **DECAY},
    dialect={
        "decay": "before",
        "eps_placement": "before_correction",
        "threshold": "from_5",
        "unrectified": "still",
    },
)
_SCHEDULE_FREE = Row(
    "schedule_free_adamw",
    "ScheduleFreeAdamW",
    {"z": "z", "v": "exp_avg_sq"},
    {**BETAS, **WEIGHTS, **EPS, **DECAY},
    dialect={"bias_correction": "moment"},
    shared={**BY_GROUP, "weight_sum": "weight_sum", "lr_max": "lr_max"},
)
_SCHEDULE_FREE_RADAM = replace(
    _SCHEDULE_FREE,
    optimizer="ScheduleFreeRAdam",
    numbers={
        name: theirs for name, theirs in _SCHEDULE_FREE.numbers.items() if name != "warmup_steps"
    },
    prefix="radam_",
    dialect={"bias_correction": "moment", "rectification": "silent"},
    fixed={"warmup_steps": 0},
)
_SGD = Row(
    "sgd",
    "SGDW",
    {"b": "momentum_buffer"},
    {"momentum": "momentum", "dampening": "dampening", **DECAY},
    dialect={"decay": "decoupled"},
    fresh=begins,
    bridge=BUFFER,
)
_SIGNSGD = Row(
    "signsgd",
    "SignSGD",
    {},
    DECAY,
    dialect={**NAN_SIGN, "decay": "before"},
    options={"momentum": 0.0},
)
_SIGNUM = Row(
    "signum",
    "SignSGD",
    {"m": "momentum_buffer"},
    {"momentum": "momentum", **DECAY},
    dialect={**NAN_SIGN, "decay": "before"},
    fixed={"momentum": 0.9},
)
_SOPHIA = Row(
    "sophia",
    "SophiaH",
    {"m": "momentum", "h": "hessian_moment"},
    {**BETAS, "limit": "p", "period": "update_period", **EPS, **DECAY},
    # The library does not scale the Hessian.
    fixed={"gamma": 1.0},
)
_SWATS = Row(
    "swats",
    "SWATS",
    {**MOMENTS, "b": "momentum_buffer"},
    {**BETAS, **EPS},
    bridge=SWATS,
    single=True,
    arithmetic=SEQUENTIAL,
)
_TIGER = Row(
    "signum",
    "Tiger",
    {"m": "exp_avg"},
    {"momentum": "beta", **DECAY},
    prefix="tiger_",
    dialect={**NAN_SIGN, "decay": "before"},
)

ROWS: tuple[torch_like.Row, ...] = (
    *CORRECTED_ROWS,
    *DISTANCE_ROWS,
    *MAGNITUDE_ROWS,
    *MATRIX_ROWS,
    *MEASURED_ROWS,
    *MEMORY_ROWS,
    *MOMENT_ROWS,
    *TEMPERED_ROWS,
    _ADADELTA,
    _ADADELTA.but("decoupled_", {"decay": "before"}, DECOUPLED),
    _ADAHESSIAN,
    _ADAHESSIAN.but("coupled_", {"decay": "coupled"}, COUPLED),
    _ADAHESSIAN.but("unscaled_", {"decay": "unscaled"}, {"fixed_decay": True}),
    _ADAMAX,
    _ADAMAX.but("decoupled_", {"decay": "before"}, DECOUPLED),
    _ADAN,
    _ADAN.but("decoupled_", {"start": "repeated", "decay": "before"}, DECOUPLED),
    _ADAN.but("maximizing_", fixed={"maximize": True}),
    _ADEMAMIX,
    _ADEMAMIX.but("decoupled_", {"decay": "before"}, DECOUPLED),
    _ADEMAMIX.but(
        "warmup_", options={"t_alpha_beta3": 100}, fixed={"alpha_warmup": 100, "beta3_warmup": 100}
    ),
    _DADAPT_ADAM,
    _DADAPT_ADAM.but("coupled_", {"decay": "coupled"}, COUPLED),
    _DADAPT_ADAM.but("corrected_", {"bias_correction": "rate"}, {"bias_correction": True}),
    _DADAPT_ADAM.but("unscaled_", {"decay": "unscaled"}, {"fixed_decay": True}),
    replace(
        _DADAPT_ADAM.but("limited_", {"growth": "limited"}),
        numbers={**_DADAPT_ADAM.numbers, "growth_rate": "growth_rate"},
    ),
    _FTRL,
    _LAMB,
    # AdamD's option leaves lr alone, in the place of dividing it by 1 - beta1^t.
    _LAMB.but("adam_debias_", options={"weight_decouple": False, "adam_debias": True}),
    replace(
        _LAMB,
        prefix="decoupled_adam_debias_",
        dialect={**_LAMB.dialect, "decay": "before"},
        options={"adam_debias": True},
    ),
    Row(
        "lars",
        "LARS",
        {"b": "momentum_buffer"},
        {"momentum": "momentum", "trust_coefficient": "trust_coefficient", **DECAY},
        dialect={"guard": "divisor", "momentum_form": "lr_outside"},
        fixed={"eps": 0.0, "momentum": 0.9},
        # Vectors take a step of SGD.
        shapes="matrices",
        arithmetic=SEQUENTIAL,
    ),
    _CAUTIOUS_LION,
    _CAUTIOUS_LION.but("coupled_", {"decay": "coupled"}, COUPLED),
    _LION,
    _LION.but("coupled_", {**NAN_SIGN, "decay": "coupled"}, COUPLED),
    _LION.but("unscaled_", {**NAN_SIGN, "decay": "unscaled"}, {"fixed_decay": True}),
    Row(
        "nesterov",
        "SGDW",
        {"u": "momentum_buffer"},
        {"momentum": "momentum", **DECAY},
        dialect={"decay": "decoupled", "form": "torch"},
        options={"nesterov": True},
        fixed={"momentum": 0.9},
        fresh=begins,
        bridge=BUFFER,
    ),
    _PRODIGY,
    _PRODIGY.but("coupled_", {"decay": "coupled"}, COUPLED),
    replace(
        _PRODIGY.but(
            "limited_", {"growth": "limited", "weights": "safeguard"}, {"safeguard_warmup": True}
        ),
        numbers={**_PRODIGY.numbers, "growth_rate": "growth_rate"},
    ),
    _PRODIGY.but("corrected_", {"bias_correction": "rate"}, {"bias_correction": True}),
    _RADAM,
    _RADAM.but("coupled_", {"decay": "coupled"}, COUPLED),
    _RADAM.but("degenerated_", {"unrectified": "momentum"}, {"degenerated_to_sgd": True}),
    _SCHEDULE_FREE,
    # Where the 1e-15 that the library adds inside the root is less than a rounding.
    _SCHEDULE_FREE.but("large_eps_", fixed={"eps": 1.0}),
    _SCHEDULE_FREE_RADAM,
    Row(
        "schedule_free_sgd",
        "ScheduleFreeSGD",
        {"z": "z"},
        {"beta": "momentum", **WEIGHTS, **DECAY},
        shared={**BY_GROUP, "weight_sum": "weight_sum", "lr_max": "lr_max"},
    ),
    _SGD,
    replace(_SGD, prefix="coupled_", dialect={}, options=COUPLED),
    _SIGNSGD,
    _SIGNSGD.but("coupled_", {**NAN_SIGN, "decay": "coupled"}, {"momentum": 0.0, **COUPLED}),
    _SIGNUM,
    _SIGNUM.but("coupled_", {**NAN_SIGN, "decay": "coupled"}, COUPLED),
    _TIGER,
    _TIGER.but("coupled_tiger_", {**NAN_SIGN, "decay": "coupled"}, COUPLED),
    _SOPHIA,
    _SOPHIA.but("coupled_", {"decay": "coupled"}, COUPLED),
    _SOPHIA.but("unscaled_", {"decay": "unscaled"}, {"fixed_decay": True}),
    Row(
        "stable_adamw",
        "StableAdamW",
        MOMENTS,
        {**BETAS, **EPS, **DECAY},
        # The root mean square is held against 1.
        fixed={"clip_threshold": 1.0},
    ),
    _SWATS,
)
