"""Rates that follow from sums or products of gradients: laws, and which rules obey them."""

import numpy as np

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, due, exact, way
from truestep.properties.kinds.optimizer.laws.rows import Row, fails
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import holds, obeys


def first_step_is_a_share_of_the_first_estimate(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state p moves by (1 - beta) lr d0 in all, whatever |g|."""
    start = trial.plain().fresh()
    length, slack = way(start, bench.step(start))
    share = 1 - exact(trial.hyper.get("beta", 0.0))
    due_ = share * (trial.hyper["lr"] * exact(trial.hyper["d0"]))
    yield Claim("p", np.asarray(length.v), due_.v, length.e + due_.e + slack)


def first_step_is_lr_times_the_first_estimate(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state every element moves by lr d0 against its gradient's sign."""
    start = trial.plain().fresh(p=trial.p * 0)
    step = trial.hyper["lr"] * exact(trial.hyper.get("d0", 1.0)) * np.sign(exact(start.g))
    yield due("p", bench.step(start), -step)


def second_rate_grows_by_the_square_of_the_gradient(bench: Bench, trial: Trial) -> Claims:
    """Without momentum and decay, one gradient twice raises the rate by hypergrad_lr |g|^2."""
    start = trial.plain().where(momentum=0.0).fresh()
    out = bench.run(start, [start.g] * 2)[-1]
    g = exact(start.g)
    growth = trial.hyper.get("hypergrad_lr", 0.0) * np.sum(g * g)
    yield due("rate", out, exact(start.slot.state["rate"]) + growth)


def way_is_measured_from_the_start(bench: Bench, trial: Trial) -> Claims:
    """Without momentum and decay, p before the step says nothing about p after it."""
    start = trial.plain().where(beta=0.0)
    a, b = bench.step(start), bench.step(start.on(p=start.p * 0))
    yield from bench.agree(a, b, bitwise=False, names=["p"])


_FAR = {"t": 3, "G": 1, "a": 1, "n": 1, "s": 1, "w": 3}
_ONE = fails("one estimate serves all elements", (0, 0, 0), (1, 2, 3), {**_FAR, "p0": 0})
_WAY: Row = {
    **obeys("first_estimate_is_kept way_is_measured_from_the_start"),
    "equivariant_under_concatenation": _ONE,
    "first_step_is_at_most_lr": fails("the first estimate may be any", 0, 2, d0=9.0),
    "linear_in_lr_when_params_are_zero": fails("the way so far is kept", 0, 1, {**_FAR, "p0": 0}),
    "params_unchanged_when_lr_is_zero": fails(
        "the way so far is kept", 0, 1, {**_FAR, "p0": 0}, beta=0.5
    ),
    "state_independent_of_params": fails(
        "the decay is part of the gradient", 2, 1, weight_decay=0.5
    ),
    "state_independent_of_weight_decay": fails(
        "the decay is part of the gradient", 2, 1, weight_decay=0.5
    ),
}

_KEPT = {"t": 3, "b": 1, "m": 1, "rate": 1, "u": 1, "v": 1}
_RATED: Row = {
    "equivariant_under_concatenation": fails(
        "one rate serves all elements", (0, 0, 0), (1, 2, 3), _KEPT, hypergrad_lr=0.1
    ),
    "linear_in_lr_when_params_are_zero": fails("lr is the first rate alone", 0, 1, _KEPT),
    "params_unchanged_when_lr_is_zero": fails("lr is the first rate alone", 0, 1, _KEPT),
    "state_independent_of_params": fails(
        "the decay is part of the gradient", 2, 1, weight_decay=0.5
    ),
    "state_independent_of_weight_decay": fails(
        "the decay is part of the gradient", 2, 1, weight_decay=0.5
    ),
}

RULES: dict[str, Row] = {
    "adam_hd": {
        **rows.SYMMETRIC,
        **_RATED,
        "becomes_adam": holds({"hypergrad_lr": 0.0}, eps_placement="outside"),
        "decay_alone_is_geometric": fails(
            "the decay is a gradient, whose size does not show", 1, 0, weight_decay=0.5
        ),
        "equivariant_under_rotation": rows.BY_ELEMENT,
        "first_step_is_at_most_lr": holds(),
        "homogeneous_in_gradient_and_eps": holds({"hypergrad_lr": 0.0}),
        "linear_in_gradients": fails("squares of the gradient divide", 0, 2),
        "scale_invariant_when_eps_is_zero": holds({"hypergrad_lr": 0.0}),
        "second_rate_grows_by_the_square_of_the_gradient": fails(
            "steps have no size", 0, 2, hypergrad_lr=0.1
        ),
    },
    "dadapt_adagrad": {
        **rows.SYMMETRIC,
        **_WAY,
        **obeys("accumulators_never_decrease"),
        **obeys("homogeneous_in_gradient_and_eps scale_invariant_when_eps_is_zero"),
        "decay_alone_is_geometric": fails(
            "the decay is a gradient, whose size does not show", 1, 0, weight_decay=0.5
        ),
        "equivariant_under_rotation": rows.BY_ELEMENT,
        "first_step_is_a_share_of_the_first_estimate": fails(
            "small gradients step less, beside what the squares begin with", 0, 1, initial_total=1.0
        ),
        "linear_in_gradients": fails("squares of the gradient divide", 0, 2),
    },
    "dadapt_adan": {
        **rows.SYMMETRIC,
        **rows.decoupled("before prox"),
        **obeys("homogeneous_in_gradient_and_eps scale_invariant_when_eps_is_zero"),
        "decay_alone_is_geometric": holds(),
        "equivariant_under_concatenation": _ONE,
        "equivariant_under_rotation": rows.BY_ELEMENT,
        "first_estimate_is_kept": holds({"eps": 2.0**-10}),
        "first_step_is_at_most_lr": fails("the first estimate may be any", 0, 2, d0=9.0),
        "linear_in_gradients": fails("squares of the gradient divide", 0, 2),
        "linear_in_lr_when_params_are_zero": fails(
            "the average goes on with the rates of before", 0, 1, {"t": 3, "m": 1, "n": 1, "s": 1}
        ),
        "params_unchanged_when_lr_is_zero": fails(
            "the average goes on", 0, 1, {"t": 3, "m": 1, "n": 1, "s": 1}
        ),
        "way_is_measured_from_the_start": fails("each step goes on from p", 1, 1),
    },
    "dadapt_lion": {
        **rows.SYMMETRIC,
        **rows.decoupled("before unscaled"),
        **obeys("first_estimate_is_kept first_step_is_lr_times_the_first_estimate"),
        **obeys("invariant_under_any_positive_scale"),
        "decay_alone_is_geometric": holds(decay="before unscaled"),
        "equivariant_under_concatenation": _ONE,
        "equivariant_under_rotation": rows.BY_ELEMENT,
        "first_step_is_a_share_of_the_first_estimate": fails(
            "every element moves by as much", (0, 0), (1, 2)
        ),
        "first_step_is_at_most_lr": fails("the first estimate may be any", 0, 2, d0=9.0),
        "linear_in_gradients": fails("a sign has no size", 0, 2, {"t": 3}),
        "params_unchanged_when_lr_is_zero": holds(decay="before coupled"),
    },
    "dadapt_sgd": {
        **rows.ALONG,
        **_WAY,
        **obeys("first_step_is_a_share_of_the_first_estimate"),
        "decay_alone_is_geometric": holds(),
        "first_step_is_lr_times_the_first_estimate": fails(
            "all elements move by as much together", (0, 0), (1, 2)
        ),
        "linear_in_gradients": fails("the first gradient's size divides", 0, 2),
    },
    "sgd_hd": {
        **rows.ALONG,
        **_RATED,
        "decay_alone_is_geometric": holds(),
        "first_step_is_at_most_lr": rows.PROPORTIONAL,
        "first_step_is_plain_descent": holds({"momentum": 0.0}),
        "linear_in_gradients": holds({"hypergrad_lr": 0.0}),
        "second_rate_grows_by_the_square_of_the_gradient": holds({"momentum": 0.0}),
    },
}
