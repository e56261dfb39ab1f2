"""The table of optax's optimizers: which reference rule each computes, in which form, how rounded.

Ways to the same numbers:

eager: the constructor is given Python numbers, and update runs operation by operation.
scheduled: the learning rate is a schedule, here a constant one, evaluated at every step.
injected: optax.inject_hyperparams; every number is a float32 array that lives in the state.
jit: as eager, but update and apply_updates are one function compiled by jax.jit.

Arithmetic: 1 - decay and other sums of hyperparameters are Python doubles, unless injected; powers
of the step count are float32 with a float32 base; XLA flushes subnormal numbers on the CPU too, and
computes 1 / sqrt within two ulps where optax calls rsqrt.

optax has no maximize and, for most rules, no decay of its own: scale(-1.0) goes ahead of everything
where the objective is to grow, and add_decayed_weights ahead of the constructor where `coupled`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from truestep.fast.protocol import Slot

WAYS = {"eager": "smoke", "injected": "standard", "scheduled": "standard", "jit": "deep"}
EVERY_WAY = tuple(WAYS)
ARITHMETIC = {
    "eager": "xla_eager_float32",
    "injected": "xla_float32",
    "jit": "xla_eager_float32",
    "scheduled": "xla_eager_float32",
}
RSQRT = dict.fromkeys(WAYS, "xla_rsqrt_float32")


@dataclass(frozen=True, slots=True)
class Row:
    """One of optax's constructors as an implementation of a reference rule.

    constructor: its name in optax. state: the reference's fields and optax's names; a sign before
    the name where optax keeps the opposite ("-") or the transpose ("^"). numbers: optax's
    arguments, besides learning_rate, and the fields of Hyper that they are given, or a tuple of
    them. optional: arguments that are None where the number is 0. options: arguments that do not
    vary. made: makes the arguments that take more, of (optax, hyper, slots). coupled:
    add_decayed_weights comes first. started: names of counters, with what they hold before the
    first step. apart: one call for each tensor, as where state is shared by all tensors. ways:
    those of WAYS it is run in. prefix: of the variants' names, where a rule has several rows.
    level: the least at which the row is run; the rules that most users are on join first.
    arithmetic: by way. dialect, fixed, single, shapes: as in Capability.
    """

    rule: str
    constructor: str
    state: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    made: Callable[[Any, Any, Sequence[Slot]], Mapping[str, Any]] | None = None
    dialect: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    coupled: bool = False
    started: Mapping[str, int] = field(default_factory=lambda: {"count": 0})
    apart: bool = False
    single: bool = False
    shapes: str = "any"
    ways: tuple[str, ...] = ("eager", "jit")
    prefix: str = ""
    level: str = "smoke"
    arithmetic: Mapping[str, str] = field(default_factory=lambda: ARITHMETIC)


FACTORED = {"r": "v_row", "c": "v_col", "v": "v"}
SLICES = {"m": "nu", "mu": "mu"}


def _adam_within(optax: Any, hyper: Any, slots: Sequence[Slot]) -> dict[str, Any]:
    return {"base_optimizer": optax.scale_by_adam(hyper.beta1, hyper.beta2, hyper.eps)}


def _given_estimate(optax: Any, hyper: Any, slots: Sequence[Slot]) -> dict[str, Any]:
    """In the place of an estimator of the Hessian's diagonal, one that returns what is given."""
    import jax.numpy

    estimates = [jax.numpy.asarray(slot.inputs["estimate"]) for slot in slots]
    return {
        "hessian_diagonal_fn": optax.GradientTransformation(
            lambda params: optax.EmptyState(), lambda grads, state, params=None: (estimates, state)
        )
    }


MOMENTS = {"m": "mu", "v": "nu"}
BETAS = {"b1": "beta1", "b2": "beta2"}
ADAM = {**BETAS, "eps": "eps"}
ADAM_INSIDE = {**BETAS, "eps_root": "eps"}
DECAY = {"weight_decay": "weight_decay"}
MUON = {"beta": "momentum", "eps": "eps", "nesterov": "nesterov", **DECAY}
SCHEDULE_FREE = {"z": "z", "weight_sum": "weight_sum", "lr_max": "max_lr"}
PRODIGY = {
    "m": "exp_avg",
    "v": "exp_avg_sq",
    "s": "grad_sum",
    "p0": "params0",
    "r": "numerator_weighted",
    "d": "estim_lr",
    "d_max": "estim_lr",
}
DISTANCE = {
    "betas": ("beta1", "beta2"),
    "eps": "eps",
    "estim_lr0": "d0",
    "estim_lr_coef": "d_coef",
    **DECAY,
}

ROWS: tuple[Row, ...] = (
    Row(
        "adadelta",
        "adadelta",
        {"v": "e_g", "u": "e_x"},
        numbers={"rho": "rho", "eps": "eps", **DECAY},
        level="standard",
    ),
    Row(
        "adafactor",
        "adafactor",
        {**FACTORED, "m": "ema"},
        numbers={
            "decay_rate": "decay_rate",
            "eps": "eps1",
            "clipping_threshold": "clip_threshold",
            "min_dim_size_to_factor": "min_size",
            "momentum": "beta1",
            "weight_decay_rate": "weight_decay",
        },
        dialect={
            "axes": "largest",
            "decay": "unscaled",
            "momentum": "of_step",
            "step_size": "constant",
        },
        fixed={"beta2_cap": 1.0, "eps2": 1e-3},
    ),
    Row(
        "adafactor",
        "adafactor",
        FACTORED,
        numbers={"decay_rate": "decay_rate", "eps": "eps1", "min_dim_size_to_factor": "min_size"},
        options={"clipping_threshold": None, "multiply_by_parameter_scale": False},
        dialect={
            "axes": "largest",
            "clip": "none",
            "parameter_scale": "none",
            "step_size": "constant",
        },
        fixed={"beta2_cap": 1.0, "weight_decay": 0.0},
        prefix="plain_",
        level="standard",
    ),
    Row(
        "adagrad",
        "adagrad",
        {"total": "sum_of_squares"},
        numbers={"eps": "eps", "initial_accumulator_value": "initial_total"},
        dialect={"eps_placement": "inside", "guard": "still"},
        fixed={"lr_decay": 0.0},
        coupled=True,
        arithmetic=RSQRT,
    ),
    Row("adam", "adam", MOMENTS, numbers=ADAM, coupled=True, ways=EVERY_WAY),
    Row(
        "adam",
        "adam",
        MOMENTS,
        numbers=ADAM_INSIDE,
        options={"eps": 0.0},
        dialect={"eps_placement": "inside"},
        coupled=True,
        prefix="eps_root_",
        level="standard",
    ),
    Row(
        "adamax",
        "adamax",
        {"m": "mu", "u": "nu"},
        numbers=ADAM,
        coupled=True,
    ),
    Row(
        "adamax",
        "adamaxw",
        {"m": "mu", "u": "nu"},
        numbers={**ADAM, **DECAY},
        dialect={"decay": "in_step"},
        prefix="adamaxw_",
        level="standard",
    ),
    Row(
        "adamw",
        "adamw",
        MOMENTS,
        numbers={**ADAM, **DECAY},
        dialect={"decay": "in_step"},
        ways=EVERY_WAY,
    ),
    Row(
        "adan",
        "adan",
        {"m": "m", "v": "v", "n": "n", "previous": "g"},
        numbers={**ADAM, "b3": "beta3", **DECAY},
        options={"eps_root": 0.0},
        dialect={"decay": "in_step", "start": "corrected"},
        started={"t": 0},
        level="standard",
    ),
    Row(
        "ademamix",
        "contrib.ademamix",
        {"m1": "m1", "m2": "m2", "v": "nu"},
        numbers={**ADAM, "b3": "beta3", "alpha": "alpha", **DECAY},
        fixed={"alpha_warmup": 0, "beta3_warmup": 0},
        started={"count": 0, "count_m2": 0},
        level="standard",
    ),
    Row(
        "amsgrad",
        "amsgrad",
        {**MOMENTS, "v_max": "nu_max"},
        numbers=ADAM,
        dialect={"bias_correction": "both", "maximum": "debiased"},
        coupled=True,
    ),
    Row(
        "amsgrad",
        "amsgrad",
        {**MOMENTS, "v_max": "nu_max"},
        numbers=ADAM_INSIDE,
        options={"eps": 0.0, "bias_correction_mu": False, "bias_correction_nu": False},
        dialect={"eps_placement": "inside"},
        coupled=True,
        prefix="paper_",
        level="standard",
    ),
    Row(
        "galore",
        "contrib.galore",
        {"left": "projector", "right": "^projector", **MOMENTS},
        numbers={"rank": "rank", "update_proj_gap": "update_gap", "scale": "scale", **DECAY},
        made=_adam_within,
        dialect={"decay": "before", "side": "larger"},
        ways=("eager",),
        shapes="matrices",
        level="standard",
    ),
    Row(
        "lamb",
        "lamb",
        MOMENTS,
        numbers={**ADAM, **DECAY},
        dialect={"guard": "one"},
    ),
    Row(
        "lars",
        "lars",
        {"b": "-trace"},
        numbers={
            "momentum": "momentum",
            "trust_coefficient": "trust_coefficient",
            "eps": "eps",
            **DECAY,
        },
        dialect={"guard": "one", "ratio": "norm_of_sum"},
        level="standard",
    ),
    Row(
        "lion",
        "lion",
        {"m": "mu"},
        numbers={**BETAS, **DECAY},
        dialect={"decay": "in_step"},
        ways=EVERY_WAY,
    ),
    Row(
        "muon",
        "contrib.muon",
        {"b": "mu"},
        numbers={**MUON, "ns_coeffs": ("ns_a", "ns_b", "ns_c"), "ns_steps": "ns_steps"},
        dialect={"decay": "in_step", "momentum_form": "debiased", "scale": "wide"},
        ways=("eager",),
        shapes="matrices",
        level="standard",
    ),
    Row(
        "muon",
        "contrib.muon",
        {"b": "mu"},
        numbers={**MUON, "consistent_rms": "rms"},
        options={"adaptive": True, "ns_coeffs": "dion"},
        dialect={
            "coefficients": "quintic",
            "magnitude": "dual_norm",
            "decay": "in_step",
            "momentum_form": "debiased",
            "scale": "rms",
        },
        fixed={"ns_steps": 5},
        ways=("eager",),
        shapes="matrices",
        prefix="dion_",
        level="standard",
    ),
    Row(
        "muon",
        "contrib.muon",
        {"b": "mu"},
        numbers={**MUON, "ns_coeffs": ("ns_a", "ns_b", "ns_c"), "ns_steps": "ns_steps"},
        options={"preconditioning": "aol"},
        dialect={"decay": "in_step", "momentum_form": "debiased", "norm": "aol", "scale": "wide"},
        fixed={"eps": 1e-8},
        ways=("eager",),
        shapes="matrices",
        prefix="aol_",
        level="deep",
    ),
    Row(
        "muon",
        "contrib.muon",
        {"b": "mu"},
        numbers={**MUON, "ns_coeffs": ("ns_a", "ns_b", "ns_c"), "ns_steps": "ns_steps"},
        options={"preconditioning": "schatten"},
        dialect={
            "decay": "in_step",
            "momentum_form": "debiased",
            "norm": "schatten",
            "scale": "wide",
        },
        fixed={"eps": 1e-8},
        ways=("eager",),
        shapes="matrices",
        prefix="schatten_",
        level="deep",
    ),
    Row(
        "muon",
        "contrib.muon",
        {"b": "mu"},
        numbers={**MUON, "ns_coeffs": ("ns_a", "ns_b", "ns_c"), "ns_steps": "ns_steps"},
        options={"preconditioning": "spectral"},
        dialect={
            "decay": "in_step",
            "momentum_form": "debiased",
            "norm": "spectral",
            "scale": "wide",
        },
        ways=("eager",),
        shapes="matrices",
        prefix="spectral_",
        level="deep",
    ),
    Row(
        "nadam",
        "nadam",
        MOMENTS,
        numbers=ADAM,
        dialect={"form": "constant"},
        fixed={"momentum_decay": 0.0},
        coupled=True,
        level="standard",
    ),
    Row(
        "nadam",
        "nadamw",
        MOMENTS,
        numbers={**ADAM, **DECAY},
        dialect={"decay": "in_step", "form": "constant"},
        fixed={"momentum_decay": 0.0},
        prefix="nadamw_",
        level="standard",
    ),
    Row(
        "nesterov",
        "sgd",
        {"u": "trace"},
        numbers={"momentum": "momentum"},
        options={"nesterov": True},
        dialect={"form": "torch"},
        coupled=True,
    ),
    Row(
        "prodigy",
        "contrib.prodigy",
        PRODIGY,
        numbers=DISTANCE,
        dialect={
            "bias_correction": "rate",
            "eps_scale": "new",
            "guard": "none",
            "weights": "over_d0",
        },
        shapes="nonempty",
        single=True,
        apart=True,
        level="standard",
    ),
    Row(
        "prodigy",
        "contrib.prodigy",
        PRODIGY,
        numbers=DISTANCE,
        options={"safeguard_warmup": True},
        dialect={
            "bias_correction": "rate",
            "eps_scale": "new",
            "guard": "none",
            "weights": "safeguard",
        },
        shapes="nonempty",
        single=True,
        apart=True,
        prefix="safeguard_",
        level="standard",
    ),
    Row(
        "radam",
        "radam",
        MOMENTS,
        numbers=ADAM,
        dialect={"threshold": "from_5"},
        coupled=True,
    ),
    Row(
        "rmsprop",
        "rmsprop",
        {"v": "nu", "mean": "mu", "b": "-trace"},
        numbers={
            "decay": "alpha",
            "eps": "eps",
            "initial_scale": "initial_v",
            "centered": "centered",
            "momentum": "momentum",
        },
        optional=("momentum",),
        dialect={"eps_placement": "inside", "momentum_form": "lr_inside"},
        coupled=True,
        arithmetic=RSQRT,
    ),
    Row(
        "rmsprop",
        "rmsprop",
        {"v": "nu", "mean": "mu", "b": "-trace"},
        numbers={
            "decay": "alpha",
            "eps": "eps",
            "initial_scale": "initial_v",
            "centered": "centered",
            "momentum": "momentum",
        },
        optional=("momentum",),
        options={"bias_correction": True, "eps_in_sqrt": False},
        dialect={"bias_correction": "both", "momentum_form": "lr_inside"},
        coupled=True,
        prefix="corrected_",
        level="standard",
    ),
    Row(
        "schedule_free_adamw",
        "contrib.schedule_free_adamw",
        {**SCHEDULE_FREE, "v": "nu"},
        numbers={**ADAM, "weight_lr_power": "weight_lr_power", **DECAY},
        dialect={"bias_correction": "moment", "form": "through_x"},
        fixed={"r": 0.0, "warmup_steps": 0},
        started={"count": 0, "step_count": 1},
        apart=True,
    ),
    Row(
        "schedule_free_sgd",
        "contrib.schedule_free_sgd",
        SCHEDULE_FREE,
        numbers={"b1": "beta", "weight_lr_power": "weight_lr_power", **DECAY},
        dialect={"form": "through_x"},
        fixed={"r": 0.0, "warmup_steps": 0},
        started={"step_count": 1},
        apart=True,
    ),
    Row(
        "schedule_free_sgd",
        "contrib.schedule_free_sgd",
        SCHEDULE_FREE,
        numbers={
            "b1": "beta",
            "warmup_steps": "warmup_steps",
            "weight_lr_power": "weight_lr_power",
            **DECAY,
        },
        dialect={"form": "through_x"},
        fixed={"r": 0.0, "warmup_steps": 4},
        started={"count": 0, "step_count": 1},
        apart=True,
        prefix="warmup_",
        level="standard",
    ),
    Row(
        "sgd",
        "sgd",
        {"b": "trace"},
        numbers={"momentum": "momentum"},
        optional=("momentum",),
        dialect={"first_step": "damped"},
        fixed={"dampening": 0.0},
        coupled=True,
        ways=EVERY_WAY,
    ),
    Row("signsgd", "sign_sgd", dialect={"decay": "coupled"}, coupled=True),
    Row(
        "signum",
        "signum",
        {"m": "ema"},
        numbers={"beta": "momentum"},
        dialect={"decay": "coupled"},
        coupled=True,
        level="standard",
    ),
    Row(
        "sm3",
        "sm3",
        SLICES,
        numbers={"momentum": "momentum"},
        fixed={"eps": 1e-8},
        coupled=True,
        shapes="nonempty",
        arithmetic=RSQRT,
        level="standard",
    ),
    Row(
        "sm3",
        "scale_by_sm3",
        SLICES,
        numbers={"b1": "momentum", "b2": "beta", "eps": "eps"},
        dialect={"accumulator": "average"},
        coupled=True,
        shapes="nonempty",
        prefix="average_",
        level="standard",
        arithmetic=RSQRT,
    ),
    Row(
        "sophia",
        "contrib.sophia",
        {"m": "mu", "h": "nu"},
        numbers={
            **ADAM,
            "gamma": "gamma",
            "clip_threshold": "limit",
            "update_interval": "period",
            **DECAY,
        },
        made=_given_estimate,
        dialect={"bias_correction": "first", "decay": "in_step", "refresh": "after"},
        level="standard",
    ),
)
