"""Rules that find the size of a step elsewhere than its direction: laws, and which obey them."""

import numpy as np

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, at_most, due, exact
from truestep.properties.kinds.optimizer.laws.images import cast, coarse
from truestep.properties.kinds.optimizer.laws.rows import Row, fails
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import holds, obeys

# Of an average, far above what one coarse gradient adds to it.
_FAR = 2.0**14


def first_step_is_descent_by_the_curvature(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state p moves by lr g over twice lips, or over lips where a step counts."""
    start = trial.plain().fresh(p=trial.p * 0)
    factor = 1.0 if trial.hyper.get("count") == "with" else 2.0
    rate = trial.hyper["lr"] / (factor * exact(trial.hyper.get("lips", 1.0)))
    yield due("p", bench.step(start), -(rate * exact(start.g)))


def first_step_is_of_the_numerator(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state p moves by min(lr, 1) (1 - beta3) scale v^power g / (|g| + eps)."""
    start = trial.plain().fresh(p=trial.p * 0)
    g = exact(start.g)
    beta2, beta3, scale, power = (
        exact(trial.hyper.get(name, 0.5)) for name in ("beta2", "beta3", "scale", "power")
    )
    numerator = (1 - beta3) * (scale * ((1 - beta2) * (g * g)) ** power)
    step = numerator * (g / (np.abs(g) + trial.hyper.get("eps", 0.0)))
    yield due("p", bench.step(start), -(min(trial.hyper["lr"], 1.0) * step))


def first_velocity_is_of_the_flattened_gradient(bench: Bench, trial: Trial) -> Claims:
    """From rest p moves by a share of lr g / (1 + (g max|g|)^2)."""
    start = trial.plain().fresh(p=trial.p * 0)
    g = exact(start.g)
    counted = trial.hyper.get("count") == "with"
    beta = trial.hyper.get("beta", 0.0)
    share = 1 - ((exact(beta) + 1) / 3 if counted else exact(0.5))
    steep = g * np.max(np.abs(g))
    yield due("p", bench.step(start), -(trial.hyper["lr"] * share) * (g / (1 + steep * steep)))


def step_at_most_lr_times_the_average(bench: Bench, trial: Trial) -> Claims:
    """No element moves further than lr times its corrected average of gradients."""
    start = trial.plain()
    out = bench.step(start)
    left = 1 - exact(trial.hyper.get("beta", 0.0)) ** (start.t + 1)
    average = out.got.get("m", np.zeros_like(start.p))
    limit = np.abs(exact(average)) / left * trial.hyper["lr"]
    # The kernel's own average is within its bound of the one that is due.
    slack = out.bound["p"] + trial.hyper["lr"] * (out.bound.get("m", 0.0) / left.v)
    yield at_most("p", np.abs(exact(out.p) - exact(start.p)), limit, slack)


def step_is_of_two_signs(bench: Bench, trial: Trial) -> Claims:
    """Without a decay no element moves further than lr (1 + gamma)."""
    start = trial.plain()
    out = bench.step(start)
    limit = trial.hyper["lr"] * (1 + exact(np.full(start.p.shape, trial.hyper.get("gamma", 0.0))))
    yield at_most("p", np.abs(exact(out.p) - exact(start.p)), limit, out.bound["p"])


def step_turns_round_with_a_large_average(bench: Bench, trial: Trial) -> Claims:
    """From p = 0, averages far beyond the gradient, of either sign, move p as far either way."""
    start = trial.plain().on(p=trial.p * 0, gradient=coarse(trial.g))
    far = cast(np.full(start.p.shape, _FAR), start.p)
    one, other = (bench.step(start.on(m=m)) for m in (far, -far))
    yield Claim("p", one.got["p"], -other.got["p"], one.bound["p"] + other.bound["p"])


_AFTER = {"t": 9, "m": 1, "v": 1, "a": 1}
_SCALED = holds(decay="before coupled")

_BEHIND = fails("the other point draws", 0, 1, {"t": 3, "x": 1})

RULES: dict[str, Row] = {
    "a2grad": {
        **rows.SYMMETRIC,
        **obeys(
            "equivariant_under_rotation first_step_is_descent_by_the_curvature",
            "state_independent_of_params",
        ),
        "equivariant_under_concatenation": fails(
            "one sum serves all elements", (0, 0, 0), (1, 2, 3), {"t": 3}
        ),
        "first_step_is_at_most_lr": fails("a small curvature steps far", 0, 3, lips=0.1),
        "linear_in_gradients": rows.DIVIDED,
        "linear_in_lr_when_params_are_zero": _BEHIND,
        "params_unchanged_when_gradients_are_zero": fails(
            "a mean of a number with itself is rounded", 1.6666666666666667, 0
        ),
        "params_unchanged_when_lr_is_zero": _BEHIND,
    },
    "adamg": {
        **rows.ADAPTIVE,
        **rows.decoupled("before unscaled"),
        **obeys("first_step_is_of_the_numerator"),
        "first_step_is_at_most_lr": fails("it grows with the gradient", 0, 1e9, scale=1.0),
        "homogeneous_in_gradient_and_eps": fails("it grows with the gradient", 0, 2),
        "linear_in_lr_when_params_are_zero": fails("at most 1 / sqrt(t)", 0, 2, lr=1.0),
        "params_unchanged_when_lr_is_zero": _SCALED,
        "scale_invariant_when_eps_is_zero": fails("it grows with the gradient", 0, 2),
    },
    "ano": {
        **rows.ADAPTIVE,
        **rows.decoupled("before unscaled"),
        "params_unchanged_when_lr_is_zero": _SCALED,
        "step_is_of_two_signs": fails(
            "a gradient beyond the past steps far", 0, 9, {**_AFTER, "v": 0.01}
        ),
        "step_turns_round_with_a_large_average": holds({"beta1": 0.9}),
    },
    "focus": {
        **rows.ELEMENTWISE,
        **obeys("step_is_of_two_signs"),
        "decay_alone_is_geometric": holds({"gamma": 0.0}),
        "equivariant_under_rotation": rows.BY_ELEMENT,
        "first_step_is_at_most_lr": holds({"gamma": 0.0}),
        "first_velocity_is_of_the_flattened_gradient": fails("its sign", 0, 2),
        "linear_in_gradients": fails("signs", 0, 2),
        "linear_in_lr_when_params_are_zero": holds(),
        "params_unchanged_when_gradients_are_zero": fails(
            "the average is off by its rounding", 7.857142857142857, 0, beta2=0.999, gamma=0.5
        ),
        "state_independent_of_params": fails("points are averaged", 2, 1),
        "state_independent_of_weight_decay": holds(),
        "step_turns_round_with_a_large_average": fails(
            "the average of points draws besides", 0, 1, _AFTER, gamma=0.5
        ),
        "translates_with_params": fails("the average of points began at zero", 2, 1, _AFTER),
    },
    "gravity": {
        **rows.SYMMETRIC,
        **obeys("first_velocity_is_of_the_flattened_gradient state_independent_of_params"),
        "equivariant_under_concatenation": fails(
            "one maximum serves all elements", (0, 0, 0), (1, 2, 3)
        ),
        "equivariant_under_rotation": rows.BY_ELEMENT,
        "first_step_is_at_most_lr": holds(),
        "first_step_is_descent_by_the_curvature": fails(
            "long gradients count for short ones", 0, 2
        ),
        "first_step_is_of_the_numerator": fails("long gradients count for short ones", 0, 2),
        "linear_in_gradients": fails("long gradients count for short ones", 0, 2),
        "step_at_most_lr_times_the_average": fails("the velocity is of no gradient", 0, 2),
    },
    "msvag": {
        **rows.ELEMENTWISE,
        **obeys(
            "first_step_is_plain_descent state_independent_of_params",
            "step_at_most_lr_times_the_average",
        ),
        "equivariant_under_rotation": fails(
            "the step is taken element by element", (0, 0, 0, 0), (4, 1, 0, -2), {"t": 9, "v": 3}
        ),
        "first_step_is_at_most_lr": rows.PROPORTIONAL,
        "linear_in_gradients": fails("where they vary they count for less", 0, 2, {"t": 9, "v": 9}),
    },
}
