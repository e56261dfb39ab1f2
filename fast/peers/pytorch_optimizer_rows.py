"""The table of pytorch-optimizer's optimizers: which reference rule each computes, and its options.

Arithmetic: every torch operation rounds to float32; functions of the step counter, which the
library keeps in the parameter group, are Python doubles. torch's norm and dot add in a few lanes,
one element after another. The optimizers that it re-exports from
torch (SGD, Adam, AdamW, NAdam, RMSprop, LBFGS) are judged as torch's.

Hyperparameters are fixed where the library keeps no state that the reference has (a buffer without
momentum), or where it does not know them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

PATHS = ("single", "foreach")


@dataclass(frozen=True, slots=True)
class Row:
    """One of the library's optimizers as an implementation of a reference rule.

    state: the reference's fields and the library's names of tensors. numbers: the reference's
    hyperparameters and the library's arguments, besides lr and maximize; several that share an
    argument ("betas") form a tuple. options: other constructor arguments. group: entries of the
    parameter group. scalars: the reference's fields and names of numbers in the parameter group.
    squeezed: axes of size 1 that the library leaves out. bridge: what carries the rest of the state
    across, by its name in pytorch_optimizer_states.py. first: the library's number of the first
    step, less one. module: name of the parameter of a model, for optimizers that are built of one.
    fused: whether the step is made inside backward(). estimate: whether step() takes estimates of
    the Hessian's diagonal.
    """

    rule: str
    optimizer: str
    state: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    dialect: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    paths: tuple[str, ...] = PATHS
    scalars: Mapping[str, str] = field(default_factory=dict)
    squeezed: Mapping[str, int] = field(default_factory=dict)
    bridge: str = ""
    group: Mapping[str, Any] = field(default_factory=dict)
    first: int = 0
    module: str = ""
    fused: bool = False
    shapes: Literal["any", "nonempty", "matrices"] = "any"
    single: bool = False
    arithmetic: str = "ieee_float32"
    estimate: bool = False


MOMENTS = {"m": "exp_avg", "v": "exp_avg_sq"}
DECAY = {"weight_decay": "weight_decay"}
EPS = {"eps": "eps"}
BETAS = {"beta1": "betas", "beta2": "betas"}
BETAS3 = {**BETAS, "beta3": "betas"}
FACTORED = {"r": "exp_avg_sq_row", "c": "exp_avg_sq_col", "v": "exp_avg_sq"}
SIDES = {"r": -1, "c": -2}
INSTABILITY = {"instability_r": "exp_avg_res_row", "instability_c": "exp_avg_res_col"}
WEIGHTS = {"r": "r", "weight_lr_power": "weight_lr_power", "warmup_steps": "warmup_steps"}
# torch.sign(nan) is 0.
NAN_SIGN = {"nan_sign": "zero"}
COUPLED = {"weight_decouple": False}
DECOUPLED = {"weight_decouple": True}

_ADADELTA = Row(
    "adadelta",
    "AdaDelta",
    {"v": "square_avg", "u": "acc_delta"},
    {"rho": "rho", **EPS, **DECAY},
)
_ADAFACTOR = Row(
    "adafactor",
    "AdaFactor",
    FACTORED,
    {"beta2_cap": "betas", "eps1": "eps1", "eps2": "eps2", **DECAY},
    dialect={"decay": "step"},
    options={"betas": (None,)},
    # The library caps its decay by a beta2 below 1, and its relative steps by 1e-2.
    fixed={"beta2_cap": 0.999, "lr": 1e-2},
    squeezed=SIDES,
    shapes="nonempty",
    arithmetic="sequential_float32",
)
_ADAMAX = Row("adamax", "AdaMax", {"m": "exp_avg", "u": "exp_inf"}, {**BETAS, **EPS, **DECAY})
_ADAN = Row(
    "adan",
    "Adan",
    {"m": "exp_avg", "v": "exp_avg_diff", "n": "exp_avg_sq", "previous": "previous_grad"},
    {**BETAS3, **EPS, **DECAY},
    dialect={"start": "repeated"},
    fixed={"maximize": False},
    bridge="adan",
)
_ADEMAMIX = Row(
    "ademamix",
    "AdEMAMix",
    {"m1": "exp_avg", "m2": "exp_avg_slow", "v": "exp_avg_sq"},
    {**BETAS3, "alpha": "alpha", **EPS, **DECAY},
    dialect={"decay": "coupled"},
)
_CAME = Row(
    "came",
    "CAME",
    {**FACTORED, "m": "exp_avg", **INSTABILITY},
    {**BETAS3, "eps1": "eps1", "eps2": "eps2", "clip_threshold": "clip_threshold", **DECAY},
    squeezed={**SIDES, "instability_r": -1, "instability_c": -2},
    shapes="nonempty",
    arithmetic="sequential_float32",
)
_LAMB = Row(
    "lamb",
    "Lamb",
    MOMENTS,
    {**BETAS, **EPS, **DECAY},
    dialect={"bias_correction": "none", "clip": "norm_10", "guard": "one", "ratio": "eps"},
    options={"weight_decouple": False},
    arithmetic="sequential_float32",
)
_LION = Row("lion", "Lion", {"m": "exp_avg"}, {**BETAS, **DECAY}, dialect=NAN_SIGN)
_LOMO = Row(
    "lomo",
    "LOMO",
    dialect={"overflow": "skip"},
    # The library decays nothing, and adds 1e-6 to the norm.
    fixed={"eps": 1e-6, "weight_decay": 0.0},
    paths=("fused",),
    module="weight",
    fused=True,
    arithmetic="sequential_float32",
)
_MUON = Row(
    "muon",
    "Muon",
    {"b": "momentum_buffer"},
    {
        "momentum": "momentum",
        "nesterov": "nesterov",
        "ns_a": "ns_coeffs",
        "ns_b": "ns_coeffs",
        "ns_c": "ns_coeffs",
        "ns_steps": "ns_steps",
        **DECAY,
    },
    dialect={"momentum_form": "ema", "norm_guard": "floor", "scale": "tall"},
    fixed={"eps": 1e-7, "rms": 0.2},
    group={"use_muon": True},
    shapes="matrices",
    arithmetic="bfloat16_newton_schulz",
)
_PRODIGY = Row(
    "prodigy",
    "Prodigy",
    {**MOMENTS, "s": "s", "p0": "p0"},
    {**BETAS, "d0": "d0", "d_coef": "d_coef", **EPS, **DECAY},
    dialect={"eps_scale": "new", "nan_estimate": "ignored", "weights": "over_d0"},
    first=1,
    bridge="prodigy",
    single=True,
    arithmetic="sequential_float32",
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
    scalars={"weight_sum": "weight_sum", "lr_max": "lr_max"},
)
_SGD = Row(
    "sgd",
    "SGDW",
    {"b": "momentum_buffer"},
    {"momentum": "momentum", "dampening": "dampening", **DECAY},
    dialect={"decay": "decoupled"},
    bridge="sgd",
)
_SHAMPOO = Row(
    "shampoo",
    "Shampoo",
    {"m": "momentum_buffer"},
    {
        "momentum": "momentum",
        "eps": "matrix_eps",
        "precondition_frequency": "preconditioning_compute_steps",
        **DECAY,
    },
    dialect={"momentum_form": "fed_back", "spectrum": "as_found", "timing": "multiples"},
    fixed={"maximize": False},
    # lerp takes the momentum in float32, and one minus it too.
    arithmetic="float32_hyper",
    paths=("single",),
    bridge="shampoo",
    shapes="nonempty",
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
_SM3 = Row(
    "sm3",
    "SM3",
    {"m": "momentum_buffer"},
    {"momentum": "momentum", "beta": "beta", **EPS},
    dialect={"accumulator": "average_held"},
    fixed={"momentum": 0.9, "weight_decay": 0.0},
    bridge="sm3",
    shapes="nonempty",
)
_SOAP = Row(
    "soap",
    "SOAP",
    MOMENTS,
    {
        **BETAS,
        "shampoo_beta": "shampoo_beta",
        "precondition_frequency": "precondition_frequency",
        "max_dim": "max_precondition_dim",
        **EPS,
        **DECAY,
    },
    dialect={"eps_placement": "before_correction", "order": "sorted"},
    paths=("single",),
    bridge="soap",
    shapes="nonempty",
)
_SOPHIA = Row(
    "sophia",
    "SophiaH",
    {"m": "momentum", "h": "hessian_moment"},
    {**BETAS, "limit": "p", "period": "update_period", **EPS, **DECAY},
    # The library does not scale the Hessian.
    fixed={"gamma": 1.0},
    estimate=True,
)
_SWATS = Row(
    "swats",
    "SWATS",
    MOMENTS,
    {**BETAS, **EPS},
    bridge="swats",
    single=True,
    arithmetic="sequential_float32",
)

ROWS: tuple[Row, ...] = (
    _ADADELTA,
    replace(_ADADELTA, prefix="decoupled_", dialect={"decay": "before"}, options=DECOUPLED),
    _ADAFACTOR,
    replace(
        _ADAFACTOR,
        state={**FACTORED, "m": "exp_avg"},
        numbers={"beta1": "betas", **_ADAFACTOR.numbers},
        prefix="momentum_",
        dialect={"decay": "step", "momentum": "of_step", "step_size": "constant"},
        options={"relative_step": False, "momentum_dtype": "float32"},
        fixed={"beta2_cap": 0.999},
    ),
    replace(
        _ADAFACTOR,
        prefix="unscaled_",
        dialect={"parameter_scale": "none", "step_size": "constant"},
        options={"betas": (None,), "relative_step": False, "scale_parameter": False},
        fixed={"beta2_cap": 0.999},
    ),
    Row(
        "adalomo",
        "AdaLOMO",
        FACTORED,
        {"eps1": "eps1", "eps2": "eps2", **DECAY},
        options={"loss_scale": 0.0},
        fixed={"maximize": False},
        paths=("fused",),
        squeezed=SIDES,
        module="weight",
        fused=True,
        shapes="matrices",
        arithmetic="sequential_float32",
    ),
    Row(
        "adam_mini",
        "AdamMini",
        {"m": "m", "v": "v"},
        {**BETAS, **EPS, **DECAY},
        prefix="embedding_",
        dialect={"blocks": "elements"},
        paths=("single",),
        module="embed",
    ),
    Row(
        "adam_mini",
        "AdamMini",
        {"m": "m", "v": "v_mean"},
        {**BETAS, **EPS, **DECAY},
        dialect={"blocks": "tensor"},
        bridge="adam_mini",
        module="weight",
        shapes="nonempty",
    ),
    _ADAMAX,
    replace(_ADAMAX, prefix="decoupled_", dialect={"decay": "before"}, options=DECOUPLED),
    _ADAN,
    replace(
        _ADAN,
        prefix="decoupled_",
        dialect={"start": "repeated", "decay": "before"},
        options=DECOUPLED,
    ),
    replace(_ADAN, prefix="maximizing_", fixed={"maximize": True}),
    _ADEMAMIX,
    replace(_ADEMAMIX, prefix="decoupled_", dialect={"decay": "before"}, options=DECOUPLED),
    replace(
        _ADEMAMIX,
        prefix="warmup_",
        options={"t_alpha_beta3": 100},
        fixed={"alpha_warmup": 100, "beta3_warmup": 100},
    ),
    _CAME,
    replace(_CAME, prefix="coupled_", dialect={"decay": "coupled"}, options=COUPLED),
    _LAMB,
    # AdamD's option leaves lr alone, in the place of dividing it by 1 - beta1^t.
    replace(_LAMB, prefix="adam_debias_", options={"weight_decouple": False, "adam_debias": True}),
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
        arithmetic="sequential_float32",
    ),
    _LION,
    replace(_LION, prefix="coupled_", dialect={**NAN_SIGN, "decay": "coupled"}, options=COUPLED),
    replace(
        _LION,
        prefix="unscaled_",
        dialect={**NAN_SIGN, "decay": "unscaled"},
        options={"fixed_decay": True},
    ),
    _LOMO,
    replace(
        _LOMO,
        numbers={"clip_norm": "clip_grad_norm"},
        prefix="norm_",
        dialect={"clip": "norm", "overflow": "skip"},
    ),
    replace(
        _LOMO,
        numbers={"clip_value": "clip_grad_value"},
        prefix="value_",
        dialect={"clip": "value", "overflow": "skip"},
    ),
    _MUON,
    replace(
        _MUON,
        prefix="adjusted_",
        dialect={**_MUON.dialect, "scale": "rms"},
        options={"use_adjusted_lr": True},
    ),
    Row(
        "nesterov",
        "SGDW",
        {"u": "momentum_buffer"},
        {"momentum": "momentum", **DECAY},
        dialect={"decay": "decoupled", "form": "torch"},
        options={"nesterov": True},
        fixed={"momentum": 0.9},
        bridge="sgd",
    ),
    _PRODIGY,
    replace(
        _PRODIGY,
        prefix="coupled_",
        dialect={**_PRODIGY.dialect, "decay": "coupled"},
        options=COUPLED,
    ),
    replace(
        _PRODIGY,
        numbers={**_PRODIGY.numbers, "growth_rate": "growth_rate"},
        prefix="limited_",
        dialect={**_PRODIGY.dialect, "growth": "limited", "weights": "safeguard"},
        options={"safeguard_warmup": True},
    ),
    replace(
        _PRODIGY,
        prefix="corrected_",
        dialect={**_PRODIGY.dialect, "bias_correction": "rate"},
        options={"bias_correction": True},
    ),
    _RADAM,
    replace(
        _RADAM,
        prefix="coupled_",
        dialect={**_RADAM.dialect, "decay": "coupled"},
        options=COUPLED,
    ),
    replace(
        _RADAM,
        prefix="degenerated_",
        dialect={**_RADAM.dialect, "unrectified": "momentum"},
        options={"degenerated_to_sgd": True},
    ),
    _SCHEDULE_FREE,
    # Where the 1e-15 that the library adds inside the root is less than a rounding.
    replace(_SCHEDULE_FREE, prefix="large_eps_", fixed={"eps": 1.0}),
    Row(
        "schedule_free_sgd",
        "ScheduleFreeSGD",
        {"z": "z"},
        {"beta": "momentum", **WEIGHTS, **DECAY},
        scalars={"weight_sum": "weight_sum", "lr_max": "lr_max"},
    ),
    _SGD,
    replace(_SGD, prefix="coupled_", dialect={}, options=COUPLED),
    _SHAMPOO,
    replace(
        _SHAMPOO,
        prefix="decoupled_",
        dialect={**_SHAMPOO.dialect, "decay": "before"},
        options=DECOUPLED,
    ),
    replace(_SHAMPOO, prefix="maximizing_", fixed={"eps": 1e-2, "maximize": True}),
    _SIGNSGD,
    replace(
        _SIGNSGD,
        prefix="coupled_",
        dialect={**NAN_SIGN, "decay": "coupled"},
        options={"momentum": 0.0, **COUPLED},
    ),
    _SIGNUM,
    replace(_SIGNUM, prefix="coupled_", dialect={**NAN_SIGN, "decay": "coupled"}, options=COUPLED),
    _SM3,
    replace(
        _SM3,
        numbers={"momentum": "momentum", **EPS},
        prefix="summed_",
        dialect={},
        options={"beta": 0.0},
    ),
    _SOAP,
    replace(
        _SOAP,
        prefix="normalized_",
        dialect={**_SOAP.dialect, "normalization": "rms_eps"},
        options={"normalize_gradient": True},
    ),
    _SOPHIA,
    replace(_SOPHIA, prefix="coupled_", dialect={"decay": "coupled"}, options=COUPLED),
    replace(
        _SOPHIA, prefix="unscaled_", dialect={"decay": "unscaled"}, options={"fixed_decay": True}
    ),
    Row(
        "stable_adamw",
        "StableAdamW",
        MOMENTS,
        {**BETAS, **EPS, **DECAY},
    ),
    _SWATS,
)
