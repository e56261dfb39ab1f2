"""Rules that are told the function's value: their laws, and which they obey."""

import numpy as np

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, exact
from truestep.properties.kinds.optimizer.laws.images import cast, coarse
from truestep.properties.kinds.optimizer.laws.rows import Row, fails
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import holds, obeys


def first_step_lowers_the_linear_model_to_its_bound(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state, f + <g, p' - p> is the function's bound, or as low as the rate allows.

    Without decay and eps, and with f = 0 for a rule that is not told.
    """
    gradient = coarse(trial.g)
    gradient = cast(np.where(gradient == 0, 1, gradient), gradient)
    start = trial.plain().where(eps=0.0).fresh(p=coarse(trial.p), gradient=gradient)
    g, h = exact(start.g), trial.hyper
    gap = exact(start.slot.inputs.get("value", 0.0)) - h.get("f_min", h.get("lower_bound", 0.0))
    if h.get("gap") != "signed":
        gap = np.maximum(gap, 0.0)
    allowed = h["lr"] * h.get("max_step", 1.0) * np.sum(np.abs(g) if "beta2" in h else g * g)
    out = bench.step(start)
    fall = np.sum((exact(start.p) - exact(out.p)) * g)
    due = np.minimum(gap, allowed)
    slack = np.sum(out.bound["p"] * np.abs(start.g.astype(np.float64)))
    yield Claim("p", np.asarray(fall.v), due.v, fall.e + due.e + slack)


def value_at_the_bound_moves_nothing(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state, without decay, p stays where the function is as low as it can be."""
    low = trial.hyper.get("f_min", trial.hyper.get("lower_bound", 0.0))
    start = trial.plain().fresh(value=np.asarray(low, dtype=trial.p.dtype), p=trial.p * 0)
    yield Claim("p", bench.step(start).state["p"], start.p)


_LOW = {"value": 0.01}
_HIGH = {"value": 100}
_LIMITED = fails("a low value limits the step, whatever lr is", 0, 2, inputs=_LOW)
_SHORTER = fails("a longer gradient makes a shorter step", 0, 2, inputs=_LOW)
_WHOLE = fails("one step serves all elements", (0, 0, 0), (1, 2, 3), inputs={"value": 0.1})
_PRODUCTS = fails("products with the parameter are averaged", 2, 1, inputs=_LOW)

_OWN: Row = {
    "equivariant_under_concatenation": _WHOLE,
    "first_step_is_at_most_lr": fails("the step is along the gradient", 0, 3, inputs=_HIGH),
    "linear_in_gradients": _SHORTER,
    "linear_in_lr_when_params_are_zero": _LIMITED,
}
_AVERAGED: Row = {
    **obeys("decay_alone_is_geometric first_step_lowers_the_linear_model_to_its_bound"),
    "state_independent_of_params": _PRODUCTS,
    "state_independent_of_weight_decay": holds(bound="given"),
    "translates_with_params": _PRODUCTS,
    "value_at_the_bound_moves_nothing": holds({"lower_bound": 0.0}),
}

RULES: dict[str, Row] = {
    "momo": {**rows.ALONG, **_OWN, **_AVERAGED},
    "momo_adam": {
        **rows.SYMMETRIC,
        **_OWN,
        **_AVERAGED,
        **obeys("first_step_is_at_most_lr"),
        "equivariant_under_rotation": fails(
            "the step is taken element by element", (0, 0, 0, 0), (4, 1, 0, -2), inputs=_HIGH
        ),
        "homogeneous_in_gradient_and_eps": holds({"lower_bound": 0.0}, guard="zero"),
        "scale_invariant_when_eps_is_zero": holds({"lower_bound": 0.0}, guard="zero"),
    },
    "polyak_sgd": {
        **rows.ALONG,
        **_OWN,
        "first_step_lowers_the_linear_model_to_its_bound": holds({"lr": 1.0}),
        "homogeneous_in_gradient_and_eps": fails(
            "the bound of the step has a scale of its own", 0, 1, inputs=_HIGH
        ),
        "linear_in_lr_when_params_are_zero": holds(norm="gradient"),
        "scale_invariant_when_eps_is_zero": fails(
            "the bound of the step has a scale of its own", 0, 1, inputs=_HIGH
        ),
        "value_at_the_bound_moves_nothing": holds({"f_min": 0.0}),
    },
}
