"""Gradient descent, its momenta and averages, root finding, filters: their laws and entries."""

from collections.abc import Callable

import numpy as np

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, due, exact
from truestep.properties.kinds.optimizer.laws.images import cast, coarse, scaled
from truestep.properties.kinds.optimizer.laws.rows import ZEROS, Row, fails
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import holds, obeys, tried_at
from truestep.reference.optimizers import FROM_FUNCTION
from truestep.reference.validation import Array


def first_step_is_plain_descent(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state, without decay, p' = p - lr g."""
    start = trial.plain().flat().fresh()
    out = bench.step(start)
    yield due("p", out, exact(start.p) - trial.hyper["lr"] * exact(start.g))


def step_is_parallel_to_the_gradient(bench: Bench, trial: Trial) -> Claims:
    """Without decay and past, p moves along the gradient, or along the input of an example."""
    for start in (coarse(trial.p) * 0, coarse(trial.p)):
        at = trial.plain().flat().fresh(p=start, gradient=coarse(trial.g))
        out = bench.step(at)
        g = at.g.astype(np.float64)
        way = exact(out.p) - exact(start)
        most = np.unravel_index(np.argmax(np.abs(g)), g.shape)
        left, right = way * exact(g[most]), way[most] * exact(g)
        bound = out.bound["p"] * np.abs(g[most]) + np.abs(g) * out.bound["p"][most]
        yield Claim("p", left.v, right.v, left.e + right.e + bound)


def velocity_persists_when_gradients_vanish(bench: Bench, trial: Trial) -> Claims:
    """Without decay, a step with g = 0 repeats the step before it, times momentum."""
    start = trial.plain().fresh(trial.t, p=trial.p * 0)
    first, second = bench.run(start, [trial.g, trial.g * 0])
    mu = trial.hyper["momentum"]
    left = exact(second.p) - exact(first.p)
    right = mu * (exact(first.p) - exact(start.p))
    bound = second.bound["p"] + (1 + mu) * first.bound["p"]
    yield Claim("p", left.v, right.v, left.e + right.e + bound)


def average_is_the_mean_of_the_points(bench: Bench, trial: Trial) -> Claims:
    """What the rule keeps as its average is the mean of the points, from the first averaged on."""
    start = trial.fresh()
    path = bench.run(start, [start.g, -start.g, start.g / 2, start.g])
    averaged = "average" if "average" in path[-1].got else "p"
    points = path[1:] if "t0" in trial.hyper else path
    total = sum((exact(x.p) for x in points[1:]), exact(points[0].p))
    bound = path[-1].bound[averaged] + sum(x.bound["p"] for x in points) / len(points)
    mean = total / float(len(points))
    yield Claim(averaged, path[-1].wide(averaged), mean.v, mean.e + bound)


def _less(x: Array) -> Callable[[Array], Array]:
    return lambda p: p - x


def mean_of_the_observations_when_steps_are_one_over_t(bench: Bench, trial: Trial) -> Claims:
    """With lr = 1, steps lr / t and g = p - x_t, p is the mean of x_1..x_t, wherever it began."""
    start = trial.plain().fresh()
    seen = [start.g, -2 * start.g, start.g[::-1].copy(), start.g]
    path = bench.run(start, [_less(x) for x in seen])
    total = sum((exact(x) for x in seen[1:]), exact(seen[0]))
    yield due("p", path[-1], total / float(len(seen)))


def descends_quadratics_by_the_exact_gradient(bench: Bench, trial: Trial) -> Claims:
    """On f = a p^2 / 2 + b p the step is -lr / t^power (a p + b), whatever widths are used."""
    a, p, b = np.abs(coarse(trial.p)), coarse(trial.p), coarse(trial.g)
    function = bench.capability.rule in FROM_FUNCTION
    start = trial.plain().on(p=p, gradient=b if function else cast(a * p + b, p), curvature=a)
    out = bench.step(start)
    rate = trial.hyper["lr"] / (start.t + 1) ** trial.hyper.get("power", 0.0)
    gradient = a.astype(np.float64) * p.astype(np.float64) + b.astype(np.float64)
    yield due("p", out, exact(p) - rate * exact(gradient))


def moves_only_on_mistakes(bench: Bench, trial: Trial) -> Claims:
    """An example on whose right side p stands, by response times <p, x>, leaves p as it is."""
    p, x = coarse(trial.p), coarse(trial.g)
    score = np.sum(p.astype(np.float64) * x.astype(np.float64))
    if score == 0:
        return
    start = trial.on(p=p, gradient=x, response=cast(np.asarray(np.sign(score)), x))
    yield Claim("p", bench.step(start).state["p"], p)


def path_from_zero_scales_with_lr(bench: Bench, trial: Trial) -> Claims:
    """From p = 0 on, doubling lr doubles p, since what counts as a mistake stays."""
    rate = float(np.float32(trial.hyper["lr"]))
    examples = [trial.g, -trial.g, trial.g[::-1].copy()]
    start = trial.fresh(p=trial.p * 0, response=np.sign(trial.slot.inputs["response"]))
    once = bench.run(start.where(lr=rate), examples)
    twice = bench.run(start.where(lr=2 * rate), examples)
    for a, b in zip(once, twice, strict=True):
        yield from bench.agree(scaled(a, {"p": 2}), b, bitwise=False)


def correction_shrinks_the_error_by_its_power(bench: Bench, trial: Trial) -> Claims:
    """The error on the example just seen is 1 - lr |x|^2 times what it was, or 1 - lr if divided.

    Twice the lr where the step descends the square itself.
    """
    p, x = coarse(trial.p), coarse(trial.g)
    d = coarse(trial.slot.inputs["response"].reshape(1))[0]
    start = trial.where(eps=0.0).on(p=p, gradient=x, response=np.asarray(d))
    power = float(np.sum(x.astype(np.float64) ** 2))
    if power == 0:
        return
    out = bench.step(start)
    rate = trial.hyper["lr"] * (2 if trial.hyper.get("loss") == "square" else 1)
    if trial.hyper.get("normalization") == "none":
        rate = rate * power
    error = exact(d) - np.sum(exact(out.p) * exact(x))
    before = exact(d) - np.sum(exact(p) * exact(x))
    right = (1 - rate) * before
    slack = np.sum(out.bound["p"] * np.abs(x.astype(np.float64)))
    yield Claim("p", error.v, right.v, error.e + right.e + slack)


_AVERAGE = {"t": 3, "average": 1}
_AVERAGED = fails("the average is one of parameters", 2, 1, _AVERAGE)
_DECAYED_POINT = fails("the average is one of decayed parameters", 2, 1, _AVERAGE, weight_decay=0.5)
_NOT_AVERAGED = fails("nothing is averaged", 1, 1)
_ONE = {"response": 1}
_SCALE_OF_ITS_OWN = fails("the error has a scale of its own", 0, 1, inputs=_ONE)
_SWITCHED = fails(
    "after the switch the rate is the implied one", 0, 1, {"t": 3, "sgd_lr": 0.5, "switched": 1}
)
_TWO_EXAMPLES = fails(
    "the error is that of all elements together", (1, 2, 3), (1, 1, 1), inputs=_ONE
)

RULES: dict[str, Row] = {
    "asgd": {
        **rows.LINEAR,
        **obeys("first_step_is_plain_descent"),
        "average_is_the_mean_of_the_points": holds({"t0": 0}),
        "linear_in_lr_when_params_are_zero": holds({"lambd": 0.0}),
        "state_independent_of_params": _AVERAGED,
        "state_independent_of_weight_decay": _DECAYED_POINT,
    },
    "heavy_ball": {
        **rows.LINEAR,
        **obeys(
            "first_step_is_plain_descent state_independent_of_weight_decay",
            "velocity_persists_when_gradients_vanish",
        ),
        "linear_in_lr_when_params_are_zero": fails(
            "the last way is kept, and lr is in it", 0, 1, {"t": 3, "p_previous": 1}
        ),
        "params_unchanged_when_lr_is_zero": fails(
            "the ball rolls on", 0, 1, {"t": 3, "p_previous": 1}
        ),
        "state_independent_of_params": fails("the state is the last parameter", 0, 1),
    },
    "kiefer_wolfowitz": {
        **rows.LINEAR,
        **obeys("descends_quadratics_by_the_exact_gradient first_step_is_plain_descent"),
        "never_climbs": fails("steps may be too long", 1, 1, lr=1.0),
    },
    "lms": {
        **rows.ALONG,
        **obeys("correction_shrinks_the_error_by_its_power"),
        "equivariant_under_concatenation": _TWO_EXAMPLES,
        "first_step_is_at_most_lr": fails(
            "the step is proportional to the error", 0, 1, inputs={"response": 5}
        ),
        "homogeneous_in_gradient_and_eps": _SCALE_OF_ITS_OWN,
        "linear_in_gradients": fails(
            "the input enters the error and the step", (1, 2), (1, 3), inputs=_ONE
        ),
        "moves_only_on_mistakes": fails(
            "every error is corrected, whatever its side", (1, 2), (1, 3), inputs=_ONE
        ),
        "path_from_zero_scales_with_lr": fails(
            "the error shrinks by lr", (1, 2), (1, 3), inputs=_ONE
        ),
        "scale_invariant_when_eps_is_zero": _SCALE_OF_ITS_OWN,
        "translates_with_params": fails("the error depends on the parameter", 1, 1, inputs=_ONE),
    },
    "nesterov": {
        **rows.LINEAR,
        "first_step_is_plain_descent": holds(form="lookahead"),
        "linear_in_lr_when_params_are_zero": holds(form="torch"),
        "params_unchanged_when_lr_is_zero": holds(form="torch"),
        "state_independent_of_params": holds(decay="decoupled"),
        "state_independent_of_weight_decay": holds(decay="decoupled"),
        "velocity_persists_when_gradients_vanish": holds(form="lookahead"),
    },
    "perceptron": {
        **rows.ALONG,
        **obeys("moves_only_on_mistakes path_from_zero_scales_with_lr"),
        "correction_shrinks_the_error_by_its_power": fails(
            "a correction does not look at the size of the error",
            (-1, -2),
            (1, 3),
            inputs=_ONE,
            lr=0.5,
        ),
        "equivariant_under_concatenation": fails(
            "the score is that of all elements together", (1, -2, -3), (1, 1, 1), inputs=_ONE
        ),
        "first_step_is_at_most_lr": fails(
            "a correction is as long as the input", -1, 5, inputs=_ONE
        ),
        "linear_in_gradients": fails(
            "each example is a mistake or not by itself", (4, -1, -2), (4, 1, 0), inputs=_ONE
        ),
        "translates_with_params": fails("the score depends on the parameter", 1, 1, inputs=_ONE),
    },
    "polyak_ruppert": {
        **rows.LINEAR,
        **obeys("descends_quadratics_by_the_exact_gradient first_step_is_plain_descent"),
        "average_is_the_mean_of_the_points": holds({"start": 0}, average="uniform"),
        "mean_of_the_observations_when_steps_are_one_over_t": holds({"lr": 1.0, "power": 1.0}),
        "state_independent_of_params": _AVERAGED,
        "state_independent_of_weight_decay": _DECAYED_POINT,
    },
    "robbins_monro": tried_at(
        {"target": 0.0},
        {
            **rows.LINEAR,
            "descends_quadratics_by_the_exact_gradient": holds({"offset": 0.0}),
            "first_step_is_plain_descent": holds({"offset": 0.0}),
            "mean_of_the_observations_when_steps_are_one_over_t": holds(
                {"lr": 1.0, "offset": 0.0, "power": 1.0}
            ),
        },
    ),
    "sgd": {
        **rows.LINEAR,
        "norm_is_kept_along_orthogonal_gradients": fails("straight steps lengthen", (1, 2), (1, 1)),
        **rows.decoupled("decoupled"),
        **obeys("decay_alone_is_geometric velocity_persists_when_gradients_vanish"),
        "average_is_the_mean_of_the_points": _NOT_AVERAGED,
        "becomes_signsgd": rows.PROPORTIONAL,
        "depends_on_signs_alone": rows.PROPORTIONAL,
        "first_bet_does_not_look_at_the_size": rows.PROPORTIONAL,
        "first_step_is_as_long_as_the_first_distance": rows.PROPORTIONAL,
        "bets_scale_with_the_first_scale": rows.PROPORTIONAL,
        "first_estimate_is_kept": rows.PROPORTIONAL,
        "first_step_is_plain_descent": holds(first_step="copy"),
        "first_step_lowers_the_linear_model_to_its_bound": rows.PROPORTIONAL,
        "first_step_of_a_rank_one_matrix_is_flat": fails(
            "the step is proportional to the gradient", ZEROS, ((1, 2), (2, 4))
        ),
        "implied_rate_projects_the_step_on_the_gradient": holds(first_step="copy"),
        "invariant_under_any_positive_scale": rows.PROPORTIONAL,
        "linear_in_lr_when_params_are_zero": holds(momentum_form="lr_outside"),
        "mean_of_the_observations_when_steps_are_one_over_t": fails(
            "all steps have one rate", 1, 2, lr=1.0
        ),
        "norm_of_step_at_most_lr_times_norm_of_params": fails(
            "the parameter's norm does not enter", 1, 3
        ),
        "norm_of_step_grows_by_at_most_growth": fails(
            "a large gradient makes a large step", ZEROS, ((1, 2), (3, 4))
        ),
        "params_unchanged_when_lr_is_zero": holds(momentum_form="lr_outside"),
        "point_of_the_gradient_lies_between_average_and_fast_point": _NOT_AVERAGED,
        "squares_over_roots_telescope": rows.PROPORTIONAL,
        "step_at_most_lr_over_the_root_of_one_minus_alpha": rows.PROPORTIONAL,
        "step_scales_with_params": fails("the parameter's size does not enter", 1, 3),
        "value_at_the_bound_moves_nothing": rows.PROPORTIONAL,
    },
    "swats": {
        **rows.ADAPTIVE,
        **obeys(
            "becomes_adam implied_rate_projects_the_step_on_the_gradient",
            "state_independent_of_params step_within_the_cauchy_schwarz_bound",
        ),
        "equivariant_under_concatenation": fails(
            "the implied rate is one for the whole tensor", (0, 0, 0), (1, 2, 3)
        ),
        "homogeneous_in_gradient_and_eps": fails(
            "eps is also what two rates may differ by, which fall as gradients grow",
            1,
            2,
            {"t": 3, "m": 1, "v": 4, "average": 0.0001},
            eps=0.01,
        ),
        "linear_in_lr_when_params_are_zero": _SWITCHED,
        "params_unchanged_when_lr_is_zero": _SWITCHED,
    },
}
