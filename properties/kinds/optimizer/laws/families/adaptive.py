"""AdaGrad, RMSProp, Adam and what was made of them: their laws, and which they obey."""

import numpy as np

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, at_most, due, exact
from truestep.properties.kinds.optimizer.laws.images import behaviour, cast
from truestep.properties.kinds.optimizer.laws.peers import as_rule
from truestep.properties.kinds.optimizer.laws.rows import ZEROS, G, Row, fails
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import holds, obeys
from truestep.reference.declared import SECOND, SIZE
from truestep.reference.optimizers import OPTIMIZERS

# What never falls, by rule; of others their squares are looked at.
GROWING = {
    "adagrad": ("total",),
    "amsgrad": ("v_max",),
    "prodigy": ("d", "d_max"),
    "schedule_free_adamw": ("weight_sum", "lr_max"),
    "schedule_free_sgd": ("weight_sum", "lr_max"),
    "sm3": ("mu",),
}


def accumulators_never_decrease(bench: Bench, trial: Trial) -> Claims:
    """A stored sum or maximum is at least what it was."""
    squares = [k for k in trial.arrays if behaviour(bench, k) is SECOND]
    out = bench.step(trial)
    for name in GROWING.get(bench.capability.rule, squares):
        new, old = out.state[name], trial.slot.state[name]
        yield Claim(name, np.maximum(new, old), new)


def becomes_adam(bench: Bench, trial: Trial) -> Claims:
    """Where the rule does without what it adds, it is Adam, from Adam's moments."""
    start = trial.plain()
    still = {k: start.slot.state[k] * 0 for k in ("switched", "v_max") if k in start.arrays}
    rate = {
        k: np.full_like(start.slot.state[k], trial.hyper["lr"])
        for k in ("rate",)
        if k in start.arrays
    }
    yield from as_rule(bench, start.on(**still, **rate), "adam", {"m": "m", "v": "v"})


def becomes_adamw(bench: Bench, trial: Trial) -> Claims:
    """Where the rule does without what it adds, it is AdamW, from AdamW's moments."""
    moments = {"m": "m1" if "m1" in trial.arrays else "m", "v": "v"}
    decay = trial.hyper.get("decay")
    decay = decay if decay in OPTIMIZERS["adamw"].DIALECTS["decay"] else "before"
    yield from as_rule(bench, trial, "adamw", moments, decay=decay)


def becomes_rmsprop(bench: Bench, trial: Trial) -> Claims:
    """Without an average of gradients and corrections, it is RMSProp with alpha = beta2."""
    start = trial.where(beta1=0.0)
    alpha = trial.hyper.get("beta2", trial.hyper.get("alpha", trial.hyper.get("rho", 0.0)))
    yield from as_rule(bench, start, "rmsprop", {"v": "v"}, alpha=alpha)


def constant_gradients_give_constant_steps(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state one gradient again and again moves p by lr g / (|g| + eps) each time."""
    start = trial.plain().fresh(p=trial.p * 0)
    path = bench.run(start, [start.g] * 3)
    g = exact(start.g)
    step = trial.hyper["lr"] * (g / (np.abs(g) + trial.hyper["eps"]))
    for i, out in enumerate(path):
        yield due("p", out, -float(i + 1) * step)


def denominator_covers_the_gradient(bench: Bench, trial: Trial) -> Claims:
    """What a step is divided by, or its square, is never below the gradient's."""
    out = bench.step(trial.plain())
    for name in trial.arrays:
        if behaviour(bench, name).nonnegative and trial.p.shape == out.got[name].shape:
            size = np.abs(exact(trial.g))
            needed = size if behaviour(bench, name) is SIZE else size * size
            yield at_most(name, needed, exact(out.got[name]), out.bound[name])


def first_step_is_measured_by_eps(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state the step is lr sqrt(eps) g / sqrt((1 - rho) g^2 + eps)."""
    start = trial.plain().fresh(p=trial.p * 0)
    g, eps = exact(start.g), trial.hyper["eps"]
    rho = trial.hyper.get("rho", trial.hyper.get("alpha", 0.0))
    step = exact(np.sqrt(eps)) * g / np.sqrt((1 - rho) * (g * g) + eps)
    yield due("p", bench.step(start), -trial.hyper["lr"] * step)


def first_step_looks_ahead(bench: Bench, trial: Trial) -> Claims:
    """The first step is lr g / (|g| + eps) times 1 + what the momentum adds for the next step."""
    beta1, psi = trial.hyper["beta1"], trial.hyper.get("momentum_decay", 0.0)
    start = trial.plain().fresh(p=trial.p * 0)
    mu, after = (exact(beta1 * (1 - 0.5 * 0.96 ** (t * psi))) for t in (1, 2))
    ahead = after * (1 - beta1) / (1 - mu * after)
    if trial.hyper.get("form") == "constant":
        ahead = exact(beta1) * (1 - beta1) / (1 - exact(beta1) * exact(beta1))
    elif trial.hyper.get("form") == "one_correction":
        ahead = exact(beta1)
    g = exact(start.g)
    step = (1 + ahead) * (g / (np.abs(g) + trial.hyper["eps"]))
    yield due("p", bench.step(start), -trial.hyper["lr"] * step)


def order_of_gradients_leaves_the_accumulator(bench: Bench, trial: Trial) -> Claims:
    """Squares are summed: the order in which gradients came does not show."""
    start = trial.plain()
    g, h = start.g, cast(start.g[::-1].copy() / 2, start.g)
    one, other = bench.run(start, [g, h])[-1], bench.run(start, [h, g])[-1]
    for name in trial.arrays:
        if behaviour(bench, name) is SECOND:
            bound = one.bound[name] + other.bound[name]
            yield Claim(name, one.got[name], other.got[name], bound)


_OWN_RATE = "each element has a rate of its own"
_AHEAD = fails(
    "the look-ahead part comes on top", 0, 3, {"t": 99999, "m": 1, "v": 1, "mu_product": 0.1}
)
_LOOKS_AHEAD = fails("the look-ahead part comes on top", 0, 2)

RULES: dict[str, Row] = {
    "adadelta": {
        **rows.ADAPTIVE,
        **rows.decoupled("before"),
        **obeys("first_step_is_measured_by_eps"),
        "first_step_is_at_most_lr": fails(
            "the first step is as long as the root of eps lets it", 0, 3, lr=1.0, eps=1.0
        ),
        "homogeneous_in_gradient_and_eps": fails(
            "one eps is added to squares of gradients and to squares of steps",
            0,
            2,
            lr=1.0,
            eps=0.01,
        ),
    },
    "adagrad": {
        **rows.ADAPTIVE,
        **rows.decoupled("before"),
        **obeys(
            "accumulators_cover_the_sum_of_squares accumulators_never_decrease",
            "denominator_covers_the_gradient order_of_gradients_leaves_the_accumulator",
            "squares_over_roots_telescope",
        ),
        "constant_gradients_give_constant_steps": fails("steps shrink as squares add up", 0, 2),
        "first_step_is_the_cube_root_of_the_gradient": fails("a square root divides", 0, 2),
        "small_sums_give_exact_zeros": fails("there is no threshold", 1, 1),
    },
    "adam": {
        **rows.ADAPTIVE,
        **rows.decoupled("before after"),
        "becomes_adamw": holds(bias_correction="both", decay="before after"),
        "becomes_rmsprop": holds(decay="coupled before", eps_placement="outside inside floor"),
        "channels_are_parallel_to_the_gradients": fails(_OWN_RATE, ZEROS, ((1, 2), (3, 1))),
        "constant_gradients_give_constant_steps": holds(
            bias_correction="both", eps_placement="outside"
        ),
        "denominator_covers_the_gradient": fails("an average lags behind", 0, 2),
        "descends_quadratics_by_the_exact_gradient": fails(
            "the step is divided by a size of the gradients", 1, 2
        ),
        "differences_vanish_when_gradients_are_constant": fails(
            "v is of squares here, not of differences", 0, 2
        ),
        "equivariant_under_rotation_of_rows": fails(
            _OWN_RATE, ((0, 0, 0, 0), (0, 0, 0, 0)), ((0.1, 0.2, 0.3, 0), (0.3, 0.1, 0.1, 0.5))
        ),
        "first_step_is_at_most_lr": holds(bias_correction="both"),
        "first_step_grows_as_a_power_of_the_gradient": fails(
            "the root divides, and steps do not grow", 0, 2
        ),
        "first_step_is_of_the_positive_average": fails(
            "the step is divided by a size of the gradients", 0, 2
        ),
        "first_step_is_plain_descent": fails(
            "the step is divided by a size of the gradients", 0, 2
        ),
        "first_step_leaves_params": fails("the first step moves already", 0, 2),
        "first_step_looks_ahead": fails("the momentum is the corrected average", 0, 2),
        "first_step_of_every_row_has_rms_lr": fails(
            "an element without gradient does not move, and others do not make up for it",
            ZEROS,
            ((1, 0), (3, 1)),
        ),
        "implied_rate_projects_the_step_on_the_gradient": fails(
            "the rate of a step is not lr", 0, 2
        ),
        "linear_in_lr_when_params_are_zero": holds(decay="coupled before"),
        "step_at_most_the_momentum_over_the_root_of_eps": holds(eps_placement="inside"),
        "step_is_its_size_or_nothing": fails("eps shortens steps", 0, 2, eps=1.0),
        "step_is_lr_or_nothing": fails("eps shortens steps", 0, 2, eps=1.0),
        "step_is_parallel_to_the_gradient": fails(_OWN_RATE, (0, 0), (1, 3)),
        "step_shares_its_singular_vectors_with_the_gradient": fails(_OWN_RATE, ZEROS, G),
        "step_within_the_cauchy_schwarz_bound": holds(bias_correction="both"),
    },
    "adam_16bit": {
        **rows.ADAPTIVE,
        **obeys("state_independent_of_params step_within_the_cauchy_schwarz_bound"),
        "step_at_most_the_momentum_over_the_root_of_eps": holds(floor_placement="inside"),
    },
    "adamax": {
        **rows.ADAPTIVE,
        **rows.decoupled("before in_step"),
        **obeys(
            "constant_gradients_give_constant_steps denominator_covers_the_gradient",
            "step_within_the_geometric_bound",
        ),
    },
    "adamw": {
        **rows.ADAPTIVE,
        **rows.decoupled("unscaled before after in_step"),
        **obeys("step_within_the_cauchy_schwarz_bound"),
        "becomes_adam": holds(bias_correction="moments"),
        "constant_gradients_give_constant_steps": holds(eps_placement="outside"),
        "decay_divides_when_gradients_are_zero": fails(
            "the decay multiplies", 2, 0, weight_decay=0.5, decay="before"
        ),
        "linear_in_lr_when_params_are_zero": holds(decay="unscaled before in_step"),
        "norm_of_step_is_lr_times_norm_of_params": fails(
            "the parameter's norm does not enter", 3, 1
        ),
        "params_unchanged_when_lr_is_zero": holds(decay="before after in_step"),
        "step_at_most_the_momentum_over_the_root_of_eps": fails(
            "eps stands outside of the root", 0, 0.001, eps=0.01
        ),
    },
    "amsgrad": {
        **rows.ADAPTIVE,
        **rows.decoupled("before in_step"),
        **obeys("accumulators_never_decrease becomes_adam step_at_most_adams"),
        "becomes_rmsprop": fails(
            "the largest second moment divides, not the last", 0, 1, {"t": 3, "v": 1, "v_max": 9}
        ),
        "constant_gradients_give_constant_steps": holds(
            bias_correction="both", eps_placement="outside"
        ),
        "first_step_is_at_most_lr": holds(bias_correction="both"),
        "step_within_the_cauchy_schwarz_bound": holds(bias_correction="both"),
    },
    "nadam": {
        **rows.ADAPTIVE,
        **rows.decoupled("before in_step"),
        "first_step_is_at_most_lr": _LOOKS_AHEAD,
        "first_step_looks_ahead": holds(eps_placement="outside"),
        "step_at_most_adams": _AHEAD,
        "step_at_most_lr_times_the_ratio_of_the_moments": _AHEAD,
        "step_within_the_cauchy_schwarz_bound": _LOOKS_AHEAD,
        "step_within_the_geometric_bound": _LOOKS_AHEAD,
    },
    "radam": {
        **rows.ELEMENTWISE,
        **rows.decoupled("before"),
        **obeys("decay_alone_is_geometric step_is_parallel_to_the_gradient"),
        "equivariant_under_rotation": rows.BY_ELEMENT,
        "first_step_is_at_most_lr": holds(unrectified="still"),
        "first_step_is_plain_descent": holds(unrectified="momentum"),
        "homogeneous_in_gradient_and_eps": holds(unrectified="still"),
        "linear_in_gradients": fails(
            "rectified steps are divided by a size of the gradients", 0, 2, {"t": 99}
        ),
        "scale_invariant_when_eps_is_zero": holds(unrectified="still"),
        "step_at_most_adams": holds({"beta2": 0.99}),
    },
    "rmsprop": {
        **rows.ADAPTIVE,
        **rows.decoupled("before"),
        **obeys("velocity_persists_when_gradients_vanish"),
        "accumulators_cover_the_sum_of_squares": fails("an average forgets", 0, 2),
        "accumulators_never_decrease": fails("an average forgets", 0, 1, {"t": 3, "v": 9}),
        "first_step_is_at_most_lr": holds(
            {"centered": False, "momentum": 0.0, "initial_v": 0.0},
            bias_correction="both in_average",
        ),
        "first_step_is_measured_by_eps": fails("the step is measured by lr", 0, 2, eps=0.01),
        "linear_in_lr_when_params_are_zero": holds(momentum_form="lr_outside"),
        "order_of_gradients_leaves_the_accumulator": fails("an average forgets", (0, 0), (2, 1)),
        "params_unchanged_when_lr_is_zero": holds(momentum_form="lr_outside"),
        "rms_of_step_is_clipped": fails(
            "the average that divides begins at zero", ZEROS, ((1, 2), (3, 4))
        ),
        "step_at_most_lr_over_the_root_of_one_minus_alpha": holds(
            {"centered": False, "momentum": 0.0}
        ),
        "step_at_most_lr_times_limit": fails("the average that divides begins at zero", 0, 2),
    },
}
