"""The table of optax's own optimizers: which reference rule each computes, and in which form."""

from collections.abc import Sequence

import optax

from truestep.fast.peers.optax.row import ADAM, BETAS, DECAY, EVERY_WAY, MOMENTS, RSQRT, Row
from truestep.fast.protocol import Slot
from truestep.reference.declared import Hyper


def _rate_of_optimism(hyper: Hyper, slots: Sequence[Slot]) -> dict[str, object]:
    return {"learning_rate": hyper.alpha}


def _descent_within(hyper: Hyper, slots: Sequence[Slot]) -> dict[str, object]:
    decay = optax.add_decayed_weights(hyper.weight_decay)
    return {"fast_optimizer": optax.chain(decay, optax.sgd(hyper.lr, hyper.momentum))}


ADAM_INSIDE = {**BETAS, "eps_root": "eps"}
FACTORED = {"r": "v_row", "c": "v_col", "v": "v"}
RMSPROP = {
    "decay": "alpha",
    "eps": "eps",
    "initial_scale": "initial_v",
    "centered": "centered",
    "momentum": "momentum",
}
SLICES = {"m": "nu", "mu": "mu"}

ROWS: tuple[Row, ...] = (
    Row(
        "adabelief",
        MOMENTS,
        # The reference has one eps for both places.
        {**BETAS, "eps": "eps", "eps_root": "eps"},
    ),
    Row("adadelta", {"v": "e_g", "u": "e_x"}, {"rho": "rho", "eps": "eps", **DECAY}),
    Row(
        "adafactor",
        {**FACTORED, "m": "ema"},
        {
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
        level="smoke",
    ),
    Row(
        "adafactor",
        FACTORED,
        {"decay_rate": "decay_rate", "eps": "eps1", "min_dim_size_to_factor": "min_size"},
        options={"clipping_threshold": None, "multiply_by_parameter_scale": False},
        dialect={
            "axes": "largest",
            "clip": "none",
            "parameter_scale": "none",
            "step_size": "constant",
        },
        fixed={"beta2_cap": 1.0, "weight_decay": 0.0},
        prefix="plain_",
    ),
    Row(
        "adagrad",
        {"total": "sum_of_squares"},
        {"eps": "eps", "initial_accumulator_value": "initial_total"},
        dialect={"eps_placement": "inside", "guard": "still"},
        fixed={"lr_decay": 0.0},
        arithmetic=RSQRT,
    ),
    Row("adam", MOMENTS, ADAM, ways=EVERY_WAY, level="smoke"),
    Row(
        "adam",
        MOMENTS,
        ADAM_INSIDE,
        options={"eps": 0.0},
        dialect={"eps_placement": "inside"},
        prefix="eps_root_",
    ),
    Row("adamax", {"m": "mu", "u": "nu"}, ADAM),
    Row(
        "adamax",
        {"m": "mu", "u": "nu"},
        {**ADAM, **DECAY},
        constructor="adamaxw",
        dialect={"decay": "in_step"},
        prefix="adamaxw_",
    ),
    Row(
        "adamw",
        MOMENTS,
        {**ADAM, **DECAY},
        dialect={"decay": "in_step"},
        ways=EVERY_WAY,
        level="smoke",
    ),
    Row(
        "adan",
        {"m": "m", "v": "v", "n": "n", "previous": "g"},
        {**ADAM, "b3": "beta3", **DECAY},
        options={"eps_root": 0.0},
        dialect={"decay": "in_step", "start": "corrected"},
        started={"t": 0},
    ),
    Row(
        "amsgrad",
        {**MOMENTS, "v_max": "nu_max"},
        ADAM,
        dialect={"bias_correction": "both", "maximum": "debiased"},
    ),
    Row(
        "amsgrad",
        {**MOMENTS, "v_max": "nu_max"},
        ADAM_INSIDE,
        options={"eps": 0.0, "bias_correction_mu": False, "bias_correction_nu": False},
        dialect={"eps_placement": "inside"},
        prefix="paper_",
    ),
    Row(
        "fromage", numbers={"min_norm": "min_norm"}, dialect={"guard": "floor", "shrink": "in_step"}
    ),
    Row("lamb", MOMENTS, {**ADAM, **DECAY}, dialect={"guard": "one"}, level="smoke"),
    Row(
        "lars",
        {"b": "-trace"},
        {"momentum": "momentum", "trust_coefficient": "trust_coefficient", "eps": "eps", **DECAY},
        dialect={"guard": "one", "ratio": "norm_of_sum"},
    ),
    Row(
        "lion",
        {"m": "mu"},
        {**BETAS, **DECAY},
        dialect={"decay": "in_step"},
        ways=EVERY_WAY,
        level="smoke",
    ),
    *(
        Row(
            "lookahead",
            {"b": "trace"},
            {"sync_period": "k", "slow_step_size": "alpha"},
            rate="",
            made=_descent_within,
            options={"reset_state": bool(prefix)},
            dialect={"form": "added", "pullback": pullback},
            paired="slow",
            since={"steps_since_sync": "k"},
            prefix=prefix,
        )
        for prefix, pullback in (("", "none"), ("reset_", "reset"))
    ),
    Row("nadam", MOMENTS, ADAM, dialect={"form": "constant"}, fixed={"momentum_decay": 0.0}),
    Row(
        "nadam",
        MOMENTS,
        {**ADAM, **DECAY},
        constructor="nadamw",
        dialect={"decay": "in_step", "form": "constant"},
        fixed={"momentum_decay": 0.0},
        prefix="nadamw_",
    ),
    Row(
        "nesterov",
        {"u": "trace"},
        {"momentum": "momentum"},
        constructor="sgd",
        options={"nesterov": True},
        dialect={"form": "torch"},
        level="smoke",
    ),
    Row("noisy_sgd", numbers={"eta": "eta", "gamma": "gamma"}, options={"key": 0}, drawn="noise"),
    Row("novograd", {"m": "mu", "v": "nu"}, {**ADAM, **DECAY}),
    Row(
        "optimistic_adam",
        {**MOMENTS, "previous": "previous_gradient"},
        {**ADAM, "alpha": "alpha", "beta": "beta"},
        constructor="optimistic_adam_v2",
        dialect={"momentum": "nesterov"},
        begun="is_initial_step",
    ),
    Row(
        "optimistic_adam",
        {**MOMENTS, "previous": "previous_gradient"},
        {**ADAM, "alpha": "alpha", "beta": "beta"},
        constructor="optimistic_adam_v2",
        options={"nesterov": False},
        begun="is_initial_step",
        prefix="plain_",
    ),
    Row(
        "optimistic_adam",
        {**MOMENTS, "previous": "previous_gradient"},
        {**ADAM, "optimism": "beta"},
        constructor="optimistic_adam",
        made=_rate_of_optimism,
        dialect={"momentum": "nesterov"},
        # Two rates, of the update and of its change, are all that it has.
        fixed={"lr": 1.0},
        begun="is_initial_step",
        prefix="first_version_",
    ),
    Row(
        "optimistic_gradient",
        {"previous": "previous_gradient"},
        {"alpha": "alpha", "beta": "beta"},
        constructor="optimistic_gradient_descent",
        begun="is_initial_step",
    ),
    *(
        Row(
            "polyak_sgd",
            numbers={"max_learning_rate": "max_step", "f_min": "f_min", "eps": "eps"},
            rate="scaling",
            handed=("value",),
            options={"variant": variant},
            dialect={"gap": gap, "guard": "small", "norm": "step"},
            apart=True,
            single=True,
            prefix=prefix,
        )
        for prefix, variant, gap in (("", "sps", "signed"), ("plus_", "sps+", "positive"))
    ),
    Row("radam", MOMENTS, ADAM, dialect={"threshold": "from_5"}),
    Row(
        "rmsprop",
        {"v": "nu", "mean": "mu", "b": "-trace"},
        RMSPROP,
        optional=("momentum",),
        dialect={"eps_placement": "inside", "momentum_form": "lr_inside"},
        arithmetic=RSQRT,
        level="smoke",
    ),
    Row(
        "rmsprop",
        {"v": "nu", "mean": "mu", "b": "-trace"},
        RMSPROP,
        optional=("momentum",),
        options={"bias_correction": True, "eps_in_sqrt": False},
        dialect={"bias_correction": "both", "momentum_form": "lr_inside"},
        prefix="corrected_",
    ),
    Row(
        "rprop",
        {"prev": "prev_updates", "size": "step_sizes"},
        {
            "eta_minus": "eta_minus",
            "eta_plus": "eta_plus",
            "min_step_size": "size_min",
            "max_step_size": "size_max",
        },
        dialect={"limits": "changed", "memory": "step"},
    ),
    Row(
        "sgd",
        {"b": "trace"},
        {"momentum": "momentum"},
        optional=("momentum",),
        dialect={"first_step": "damped"},
        fixed={"dampening": 0.0},
        ways=EVERY_WAY,
        level="smoke",
    ),
    Row("signsgd", constructor="sign_sgd", dialect={"decay": "coupled"}, level="smoke"),
    Row("signum", {"m": "ema"}, {"beta": "momentum"}, dialect={"decay": "coupled"}),
    Row(
        "sm3",
        SLICES,
        {"momentum": "momentum"},
        fixed={"eps": 1e-8},
        shapes="nonempty",
        arithmetic=RSQRT,
    ),
    Row(
        "sm3",
        SLICES,
        {"b1": "momentum", "b2": "beta", "eps": "eps"},
        constructor="scale_by_sm3",
        dialect={"accumulator": "average"},
        shapes="nonempty",
        prefix="average_",
        arithmetic=RSQRT,
    ),
    Row(
        "yogi",
        MOMENTS,
        ADAM,
        dialect={"bias_correction": "both", "start": "both"},
        fixed={"initial": 1e-6},
    ),
)
