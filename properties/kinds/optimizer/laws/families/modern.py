"""Adan, Prodigy, Schedule-Free and others: what no other rule does, and which laws they obey."""

import numpy as np

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, due, exact
from truestep.properties.kinds.optimizer.laws.rows import Row, fails
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import Void, holds, obeys


def point_of_the_gradient_lies_between_average_and_fast_point(bench: Bench, trial: Trial) -> Claims:
    """p = beta mean(z_1..z_t) + (1 - beta) z_t with equal weights, where z is the fast point."""
    start = trial.where(r=0.0, weight_lr_power=0.0).fresh()
    path = bench.run(start, [start.g, -start.g, start.g / 2, start.g])
    fast = "z" if "z" in start.arrays else "p"
    beta = trial.hyper.get("beta", trial.hyper.get("beta1", 0.5))
    mean = sum((exact(x.got[fast]) for x in path[1:]), exact(path[0].got[fast]))
    formula = beta * (mean / float(len(path))) + (1 - beta) * exact(path[-1].got[fast])
    slack = sum(x.bound[fast] for x in path)
    last = path[-1]
    yield Claim("p", last.wide("p"), formula.v, formula.e + last.bound["p"] + slack)


def decay_divides_when_gradients_are_zero(bench: Bench, trial: Trial) -> Claims:
    """With g = 0 from the fresh state, p' = p / (1 + lr weight_decay)."""
    start = trial.fresh(gradient=trial.g * 0)
    out = bench.step(start)
    rate = 1 + exact(trial.hyper["lr"]) * trial.hyper["weight_decay"]
    yield due("p", out, exact(start.p) / rate)


def implied_rate_projects_the_step_on_the_gradient(bench: Bench, trial: Trial) -> Claims:
    """The first step d and the descent -rate g have the same component along d.

    rate: the average of the implied rates, freed from its start, or lr where there is none.
    """
    start = trial.plain().fresh(p=trial.p * 0)
    out = bench.step(start)
    d, g = exact(out.p), exact(start.g)
    rate, off = exact(trial.hyper["lr"]), np.zeros(())
    if out.got.get("average", out.p).ndim == 0:
        kept = 1 - exact(trial.hyper["beta2"])
        rate, off = exact(out.got["average"]) / kept, out.bound["average"] / kept.v
    square, along = np.sum(d * d), -rate * np.sum(d * g)
    size = np.abs(out.wide("p")) * out.bound["p"] + out.bound["p"] ** 2
    slack = 2 * np.sum(size) + np.abs(rate.v) * np.sum(out.bound["p"] * np.abs(start.g))
    slack = slack + off * np.abs(np.sum(d.v * start.g.astype(np.float64)))
    yield Claim("p", square.v, along.v, square.e + along.e + slack)


def differences_vanish_when_gradients_are_constant(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state one gradient again and again leaves v, of differences, at zero."""
    start = trial.plain().fresh()
    # One that the last gradient is kept as, where a rule keeps it.
    kept = np.asarray(start.slot.state.get("previous", start.g)).dtype
    with np.errstate(over="ignore"):
        g = start.g.astype(kept).astype(start.g.dtype)
    out = bench.run(start, [g, g])[-1]
    yield Claim("v", out.state["v"], out.state["v"] * 0)


_FAST_POINT = {"t": 3, "z": 3, "weight_sum": 1, "lr_max": 1}
_DECAYED = fails("the fast point decays", 2, 1, _FAST_POINT, weight_decay=0.5)
_AVERAGING: Row = {
    **obeys(
        "accumulators_never_decrease point_of_the_gradient_lies_between_average_and_fast_point"
    ),
    "linear_in_lr_when_params_are_zero": fails(
        "lr weighs the points that are averaged", 0, 1, _FAST_POINT
    ),
    "params_unchanged_when_gradients_are_zero": holds(form="direct"),
    "params_unchanged_when_lr_is_zero": fails(
        "the parameter is drawn to the fast point", 0, 1, _FAST_POINT
    ),
    "state_independent_of_params": _DECAYED,
    "state_independent_of_weight_decay": _DECAYED,
}

RULES: dict[str, Row] = {
    "adan": {
        **rows.ADAPTIVE,
        **rows.DECOUPLED,
        **obeys("differences_vanish_when_gradients_are_constant"),
        "constant_gradients_give_constant_steps": holds(eps_placement="outside"),
        "decay_divides_when_gradients_are_zero": holds(decay="prox"),
        "linear_in_lr_when_params_are_zero": holds(decay="before in_step"),
    },
    "ademamix": {
        **rows.ADAPTIVE,
        **rows.decoupled("in_step before after"),
        "becomes_adamw": holds({"alpha": 0.0}, decay="in_step before after"),
        "first_step_counts_the_last_gradient_besides": fails(
            "the slow average begins at (1 - beta3) g", 0, 2
        ),
        "first_step_is_at_most_lr": fails("the slow average comes on top", 0, 2, beta3=0.9),
        "first_step_is_limited_by_its_share": fails("nothing limits rates", 0, 2, beta3=0.9),
        "linear_in_lr_when_params_are_zero": holds(decay="in_step before coupled"),
    },
    "prodigy": {
        **rows.ADAPTIVE,
        "accumulators_never_decrease": holds(growth="unlimited"),
        "decay_alone_is_geometric": holds(decay="before", guard="skip"),
        "equivariant_under_concatenation": fails(
            "one estimate serves all elements",
            (0, 0, 0),
            (1, 2, -3),
            {"t": 3, "p0": (1, 2, 3)},
            lr=1.0,
            d0=0.1,
        ),
        "independent_of_other_tensors": Void("one estimate serves all tensors of a model"),
        "linear_in_lr_when_params_are_zero": holds(eps_scale="old"),
        "params_unchanged_when_gradients_are_zero": holds(guard="skip"),
        "params_unchanged_when_lr_is_zero": holds(guard="skip"),
        "state_independent_of_params": fails(
            "the estimate is that of the way travelled", 2, 1, {"t": 3, "p0": 1}, lr=1.0, d0=0.1
        ),
        "state_independent_of_weight_decay": holds(decay="before"),
    },
    "schedule_free_adamw": {
        **rows.ADAPTIVE,
        **_AVERAGING,
        **obeys("decay_alone_is_geometric"),
        "first_step_is_at_most_lr": holds(rectification="none silent"),
        "homogeneous_in_gradient_and_eps": holds(rectification="none silent"),
        "scale_invariant_when_eps_is_zero": holds(rectification="none silent"),
    },
    "schedule_free_sgd": {**rows.LINEAR, **_AVERAGING},
    "stable_adamw": {
        **rows.ADAPTIVE,
        **rows.DECOUPLED,
        **obeys(
            "step_at_most_lr_times_the_ratio_of_the_moments step_within_the_cauchy_schwarz_bound"
        ),
        # The size of the update is 1 then, which a lower threshold clips.
        "constant_gradients_give_constant_steps": holds({"clip_threshold": 1.0}),
        "equivariant_under_concatenation": fails(
            "the size of the update is that of the whole tensor",
            (0, 0, 0),
            (1, 9, 9),
            {"t": 9, "m": (1, 1, 1), "v": (1, 1, 1)},
            beta2=0.9,
        ),
    },
}
