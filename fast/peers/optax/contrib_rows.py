"""The table of optax.contrib's optimizers: which reference rule each computes, in which form."""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
import optax

from truestep.fast.peers.optax.row import ADAM, ARITHMETIC, BETAS, DECAY, MOMENTS, WAYS, Row
from truestep.fast.protocol import Array, Fixed, Slot
from truestep.reference.declared import Hyper
from truestep.reference.newton_schulz import COEFFICIENTS


def _adam_within(hyper: Hyper, slots: Sequence[Slot]) -> dict[str, object]:
    return {"base_optimizer": optax.scale_by_adam(hyper.beta1, hyper.beta2, hyper.eps)}


def _given_estimate(hyper: Hyper, slots: Sequence[Slot]) -> dict[str, object]:
    """In the place of an estimator of the Hessian's diagonal, one that returns what is given."""
    estimates = [jnp.asarray(slot.inputs["estimate"]) for slot in slots]
    return {
        "hessian_diagonal_fn": optax.GradientTransformation(
            lambda params: optax.EmptyState(), lambda grads, state, params=None: (estimates, state)
        )
    }


def _first_distance(hyper: Hyper, slots: Sequence[Slot]) -> dict[str, object]:
    return {"init_step": (INIT_STEPS[hyper.start], hyper.r_eps)}


def _examples(param: Array, slot: Slot) -> Array:
    return np.concatenate([slot.grad[None], slot.inputs["others"]])


def _sgd_within(hyper: Hyper, slots: Sequence[Slot]) -> dict[str, object]:
    return {"base_optimizer": optax.sgd(hyper.lr)}


def _descent_within(hyper: Hyper, slots: Sequence[Slot]) -> dict[str, object]:
    return {"base_optimizer": optax.sgd(hyper.lr), "num_betas": hyper.memories}


# Decays that jnp.where chooses or lerp takes are arrays, as injected ones are.
CHOSEN = dict.fromkeys(WAYS, ARITHMETIC["injected"])
# DoG's starts, and optax's names for them.
INIT_STEPS = {"distance": "distance", "heuristic": "heuristic", "rate": "learning_rate"}
# What momo and momo_adam know of the function.
MODEL = {"f": "barf", "c": "gamma", "bound": "lb"}
MUON = {"beta": "momentum", "eps": "eps", "nesterov": "nesterov", **DECAY}
ITERATED = {**MUON, "ns_coeffs": ("ns_a", "ns_b", "ns_c"), "ns_steps": "ns_steps"}
MUON_DIALECT = {"decay": "in_step", "momentum_form": "debiased", "scale": "wide"}
# Forms of muon that divide by another norm than Frobenius's, with what optax fixes in each.
NORMS: Mapping[str, Mapping[str, Fixed]] = {
    "aol": {"eps": 1e-8},
    "schatten": {"eps": 1e-8},
    "spectral": {},
}
PRODIGY_DIALECT = {"bias_correction": "rate", "eps_scale": "new", "guard": "none"}
SCHEDULE_FREE = {"z": "z", "weight_sum": "weight_sum", "lr_max": "max_lr"}
AVERAGED = {"b1": "beta", "weight_lr_power": "weight_lr_power", **DECAY}
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

CONTRIB_ROWS: tuple[Row, ...] = (
    Row(
        "acprop",
        MOMENTS,
        # The reference has one eps for both places.
        {**BETAS, "eps": "eps", "eps_root": "eps", **DECAY},
        dialect={"deviation": "old"},
    ),
    Row(
        "ademamix",
        {"m1": "m1", "m2": "m2", "v": "nu"},
        {**ADAM, "b3": "beta3", "alpha": "alpha", **DECAY},
        fixed={"alpha_warmup": 0, "beta3_warmup": 0},
        started={"count": 0, "count_m2": 0},
    ),
    Row("adopt", MOMENTS, ADAM, arithmetic=CHOSEN),
    Row(
        "adopt",
        MOMENTS,
        ADAM,
        options={"use_clipping": False},
        dialect={"clip": "none"},
        prefix="unclipped_",
        arithmetic=CHOSEN,
    ),
    Row(
        "cocob",
        {
            "p0": "init_particles",
            "s": "cumulative_gradients",
            "size": "scale",
            "total": "subgradients",
            "reward": "reward",
        },
        {"alpha": "alpha", "eps": "eps", **DECAY},
        dialect={"form": "added"},
    ),
    Row(
        "dadapt_adam",
        {
            "m": "exp_avg",
            "v": "exp_avg_sq",
            "s": "grad_sum",
            "r": "numerator_weighted",
            "d": "estim_lr",
        },
        {"betas": ("beta1", "beta2"), "eps": "eps", "estim_lr0": "d0", **DECAY},
        constructor="dadapt_adamw",
        dialect={"bias_correction": "rate", "decay": "in_step", "guard": "none"},
        shapes="nonempty",
        single=True,
        apart=True,
    ),
    *(
        Row(
            "dog",
            {"p0": "init_params", "r": "max_dist", "G": "sum_sq_norm_grads"},
            {"eps": "eps", **DECAY},
            made=_first_distance,
            dialect={"start": start},
            begun="is_init_step",
            apart=True,
            single=True,
            prefix=f"{start}_",
        )
        for start in INIT_STEPS
    ),
    Row(
        "dowg",
        {"p0": "init_params", "d": "estim_sq_dist", "G": "weighted_sq_norm_grads"},
        {"init_estim_sq_dist": "d0", "eps": "eps", **DECAY},
        apart=True,
        single=True,
    ),
    Row(
        "dpsgd",
        {"b": "trace"},
        {
            "l2_norm_clip": "clip",
            "momentum": "momentum",
            "nesterov": "nesterov",
            "noise_multiplier": "noise_multiplier",
        },
        options={"seed": 0},
        dialect={"unknown_length": "unclipped"},
        gradient=_examples,
        drawn="noise",
        apart=True,
        single=True,
    ),
    Row(
        "galore",
        {"left": "projector", "right": "^projector", **MOMENTS},
        {"rank": "rank", "update_proj_gap": "update_gap", "scale": "scale", **DECAY},
        made=_adam_within,
        dialect={"decay": "before", "side": "larger"},
        ways=("eager",),
        shapes="matrices",
    ),
    Row(
        "madgrad",
        {"s": "s", "v": "grad_sum_sq", "p0": "x0"},
        {"momentum": "momentum", "eps": "eps", **DECAY},
        dialect={"form": "added", "rate": "with_eps"},
    ),
    Row(
        "mechanic",
        {"p0": "x0", "m": "m", "v": "v", "r": "r", "s": "s"},
        {"eps": "eps", "s_init": "s_init", **DECAY},
        constructor="mechanize",
        rate="",
        made=_descent_within,
        dialect={"bet": "owed", "form": "added", "limit": "last_size", "way": "recomputed"},
        apart=True,
        single=True,
    ),
    *(
        Row(
            rule,
            {**moments, **MODEL},
            {**numbers, "lower_bound": "lower_bound", **DECAY},
            handed=("value",),
            options={"adapt_lower_bound": bool(prefix)},
            dialect={"bound": bound, "decay": "in_step", "guard": "small"},
            apart=True,
            single=True,
            prefix=prefix,
            arithmetic=arithmetic,
        )
        for rule, moments, numbers, arithmetic in (
            ("momo", {"m": "exp_avg"}, {"beta": "beta"}, CHOSEN),
            ("momo_adam", {"m": "exp_avg", "v": "exp_avg_sq"}, ADAM, ARITHMETIC),
        )
        for prefix, bound in (("", "given"), ("adapted_", "adapted"))
    ),
    Row("muon", {"b": "mu"}, ITERATED, dialect=MUON_DIALECT, ways=("eager",), shapes="matrices"),
    Row(
        "muon",
        {"b": "mu"},
        {**MUON, "consistent_rms": "rms"},
        options={"adaptive": True, "ns_coeffs": "dion"},
        dialect={
            **MUON_DIALECT,
            "coefficients": "quintic",
            "magnitude": "dual_norm",
            "scale": "rms",
        },
        fixed={"ns_steps": 5},
        ways=("eager",),
        shapes="matrices",
        prefix="dion_",
    ),
    # Of its own it knows dion; any other list it is given.
    *(
        Row(
            "muon",
            {"b": "mu"},
            {**MUON, "ns_steps": "ns_steps"},
            options={"ns_coeffs": COEFFICIENTS[name]},
            dialect={**MUON_DIALECT, "coefficients": name},
            fixed={"ns_steps": len(COEFFICIENTS[name])},
            ways=("eager",),
            shapes="matrices",
            prefix=f"{name}_",
            level="deep",
        )
        for name in ("cans", "eight_and_two", "polar_express")
    ),
    *(
        Row(
            "muon",
            {"b": "mu"},
            ITERATED,
            options={"preconditioning": norm},
            dialect={**MUON_DIALECT, "norm": norm},
            fixed=fixed,
            ways=("eager",),
            shapes="matrices",
            prefix=f"{norm}_",
            level="deep",
        )
        for norm, fixed in NORMS.items()
    ),
    *(
        Row(
            "prodigy",
            PRODIGY,
            DISTANCE,
            options={"safeguard_warmup": bool(prefix)},
            dialect={**PRODIGY_DIALECT, "weights": weights},
            shapes="nonempty",
            single=True,
            apart=True,
            prefix=prefix,
        )
        for prefix, weights in (("", "over_d0"), ("safeguard_", "safeguard"))
    ),
    Row(
        "schedule_free_adamw",
        {**SCHEDULE_FREE, "v": "nu"},
        {**ADAM, "weight_lr_power": "weight_lr_power", **DECAY},
        dialect={"bias_correction": "moment", "form": "through_x"},
        fixed={"r": 0.0, "warmup_steps": 0},
        started={"count": 0, "step_count": 1},
        apart=True,
        level="smoke",
    ),
    Row(
        "schedule_free_sgd",
        SCHEDULE_FREE,
        AVERAGED,
        dialect={"form": "through_x"},
        fixed={"r": 0.0, "warmup_steps": 0},
        started={"step_count": 1},
        apart=True,
        level="smoke",
    ),
    Row(
        "schedule_free_sgd",
        SCHEDULE_FREE,
        {**AVERAGED, "warmup_steps": "warmup_steps"},
        dialect={"form": "through_x"},
        fixed={"r": 0.0, "warmup_steps": 4},
        started={"count": 0, "step_count": 1},
        apart=True,
        prefix="warmup_",
    ),
    Row(
        "schedule_free_sgd",
        SCHEDULE_FREE,
        {"b1": "beta", "weight_lr_power": "weight_lr_power"},
        constructor="schedule_free",
        made=_sgd_within,
        dialect={"form": "through_x"},
        fixed={"r": 0.0, "warmup_steps": 0},
        started={"step_count": 1},
        apart=True,
        prefix="wrapper_",
    ),
    Row(
        "simplified_ademamix",
        {"m": "m", "v": "n"},
        {**ADAM, "alpha": "alpha", **DECAY},
        started={"t": 0},
        arithmetic=CHOSEN,
    ),
    Row(
        "sophia",
        {"m": "mu", "h": "nu"},
        {**ADAM, "gamma": "gamma", "clip_threshold": "limit", "update_interval": "period", **DECAY},
        made=_given_estimate,
        dialect={"bias_correction": "first", "decay": "in_step", "refresh": "after"},
    ),
)
