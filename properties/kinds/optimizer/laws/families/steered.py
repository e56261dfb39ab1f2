"""Momenta that look at the change of the gradient or of their own averages: laws, and who obeys."""

import numpy as np

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, at_most, due, exact, norm
from truestep.properties.kinds.optimizer.laws.rows import Row, fails
from truestep.properties.laws.claims import Claims
from truestep.properties.laws.entries import holds, obeys


def first_average_is_at_most_its_share_long(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state the average is at most 1 - beta1 long, however long the gradient."""
    out = bench.step(trial.plain().fresh())
    share = 1 - exact(trial.hyper["beta1"])
    yield at_most("m", norm(exact(out.got["m"])), share, np.sqrt(np.sum(out.bound["m"] ** 2)))


def first_step_counts_both_corrections(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state, eps = 0, p moves by lr_1 (1 + beta2) (2 - beta1) / (1 - beta1) / d."""
    start = trial.plain().where(eps=0.0).fresh(p=trial.p * 0)
    g = exact(start.g)
    beta1, beta2 = (exact(trial.hyper.get(name, 0.0)) for name in ("beta1", "beta2"))
    rate = np.log(2.0) if trial.hyper.get("rate") == "logarithmic" else 1.0
    share = (1 + beta2) * (1 + 1 / (1 - beta1)) / np.sqrt(1 + beta1)
    yield due("p", bench.step(start), -(trial.hyper["lr"] * rate * share) * (g / np.abs(g)))


def first_step_is_a_mean_of_the_short_and_the_long(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state at 0, p moves by a mean of lr g and share kappa / constant times it."""
    start = trial.plain().fresh(p=trial.p * 0)
    constant, kappa, xi = (
        exact(trial.hyper.get(name, 1.0)) for name in ("constant", "kappa", "xi")
    )
    weight = constant * constant * xi / kappa
    share = (constant + weight * weight * kappa / constant) / (constant + weight)
    yield due("p", bench.step(start), -(trial.hyper["lr"] * share) * exact(start.g))


def first_step_is_of_both_betas(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state p moves by lr (1 + beta0) (1 + beta1) g / (|g| + eps) over the norm."""
    start = trial.plain().fresh(p=trial.p * 0)
    g = exact(start.g)
    beta0, beta1 = (exact(trial.hyper.get(name, 0.0)) for name in ("beta0", "beta1"))
    weight = (1 + beta0) * (1 + beta1) / np.sqrt((1 + beta0) ** 2 + beta0**2)
    step = trial.hyper["lr"] * weight * (g / (np.abs(g) + trial.hyper.get("eps", 0.0)))
    yield due("p", bench.step(start), -step)


_LIMITED = "gradients longer than 1 are shortened"
_SCALED = holds(decay="before coupled")
_TOO_LONG = fails("gradients longer than 1 count as they are", 0, 9)

RULES: dict[str, Row] = {
    "accsgd": {
        **rows.LINEAR,
        "decay_alone_is_geometric": holds(),
        "first_step_is_a_mean_of_the_short_and_the_long": holds(),
        "linear_in_lr_when_params_are_zero": fails(
            "the average of points is kept", 0, 1, {"t": 3, "b": 1}
        ),
        "parameter_is_the_slow_point_after_a_slow_step": fails(
            "the average of points is behind the parameter", 0, 1, {"t": 3, "b": 1}
        ),
        "params_unchanged_when_gradients_are_zero": fails(
            "a mean of a number with itself is rounded", 15, 0, constant=0.3, kappa=30.0
        ),
        "params_unchanged_when_lr_is_zero": fails(
            "the parameter is drawn to the average of points", 0, 1, {"t": 3, "b": 1}
        ),
        "slow_point_rests_between_slow_steps": fails(
            "the average follows every point", 0, 1, {"t": 3, "b": 1}
        ),
        "state_independent_of_params": fails("the average is of points", 2, 1),
        "state_independent_of_weight_decay": fails(
            "the decay is part of the gradient", 2, 1, weight_decay=0.5
        ),
    },
    "adapnm": {
        **rows.ADAPTIVE,
        **rows.decoupled("before unscaled"),
        "first_average_is_at_most_its_share_long": _TOO_LONG,
        "first_step_is_at_most_lr": fails("both weights are above 1", 0, 2),
        "first_step_is_of_both_betas": holds(eps_placement="outside"),
        "params_unchanged_when_lr_is_zero": _SCALED,
    },
    "exadam": {
        **rows.ADAPTIVE,
        **rows.decoupled("before unscaled"),
        "first_step_counts_both_corrections": holds({"eps": 0.0}),
        "first_step_is_at_most_lr": fails("the gradient comes on top", 0, 2),
        "first_step_is_of_both_betas": fails("the gradient comes on top", 0, 2),
        "homogeneous_in_gradient_and_eps": fails(
            "eps stands beside squares and beside their root", 0, 1, eps=1.0
        ),
        "params_unchanged_when_lr_is_zero": _SCALED,
    },
    "mars": {
        **rows.SYMMETRIC,
        **rows.DECOUPLED,
        **obeys("first_average_is_at_most_its_share_long"),
        "equivariant_under_concatenation": fails(
            "one norm limits all elements", (1, 2, 3), (1, 2, -1)
        ),
        "equivariant_under_rotation": rows.BY_ELEMENT,
        "first_step_counts_both_corrections": fails("Adam's step, and no more", 0, 2),
        "first_step_is_at_most_lr": holds(),
        "homogeneous_in_gradient_and_eps": fails(_LIMITED, 0, 0.75, gamma=0.0, eps=1.0),
        "linear_in_gradients": rows.DIVIDED,
        "params_unchanged_when_lr_is_zero": holds(decay="before"),
        "scale_invariant_when_eps_is_zero": fails(
            _LIMITED, 0, 0.75, {"t": 3, "m": 1, "v": 1}, gamma=0.0
        ),
    },
    "pid": {
        **rows.LINEAR,
        **rows.decoupled("before unscaled"),
        "becomes_sgd": holds({"derivative": 0.0, "integral": 0.0}, decay="coupled before"),
        "decay_alone_is_geometric": holds(),
        "first_step_is_a_mean_of_the_short_and_the_long": fails(
            "the integral counts besides", 0, 9
        ),
        "params_unchanged_when_lr_is_zero": _SCALED,
    },
}
