"""Rules that find their own rate: their laws, and which they obey."""

import numpy as np

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, due, exact, way
from truestep.properties.kinds.optimizer.laws.images import scaled
from truestep.properties.kinds.optimizer.laws.rows import Row, fails
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import holds, obeys


def first_bet_does_not_look_at_the_size(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state, with eps = 0, p moves by sign(g) / max(2, alpha), whatever |g|."""
    start = trial.plain().where(eps=0.0, lr=1.0).fresh()
    g = exact(start.g)
    share = 1 / np.maximum(2.0, exact(trial.hyper.get("alpha", 0.0)))
    yield due("p", bench.step(start), exact(start.p) - share * (g / np.abs(g)))


def first_step_is_as_long_as_the_first_distance(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state, with eps = 0, p moves by lr times the first distance, whatever |g|."""
    start = trial.plain().where(eps=0.0).fresh()
    length, slack = way(start, bench.step(start))
    distance = exact(trial.hyper.get("r_eps", 1.0))
    if "d0" in trial.hyper:
        distance = np.sqrt(exact(trial.hyper["d0"]))
    due_ = trial.hyper["lr"] * distance
    yield Claim("p", np.asarray(length.v), due_.v, length.e + due_.e + slack)


def first_estimate_is_kept(bench: Bench, trial: Trial) -> Claims:
    """After the first step the estimate is d0, bit for bit, and with none p does not move."""
    start = trial.plain().fresh()
    out = bench.step(start)
    if "d" not in out.state:  # a rule without an estimate
        yield Claim("p", out.state["p"], start.p)
        return
    yield Claim("d", out.state["d"], start.slot.state["d"])
    if "r" in out.state:
        yield Claim("r", out.state["r"], start.slot.state["r"])


def bets_scale_with_the_first_scale(bench: Bench, trial: Trial) -> Claims:
    """Without decay, doubling s_init, what is bet and the scales doubles the way from the start."""
    start = trial.plain()
    doubled = {k: start.slot.state[k] * 2 for k in ("r", "s") if k in start.arrays}
    image = start.where(s_init=2 * trial.hyper.get("s_init", 0.0)).on(**doubled)
    origin = exact(start.slot.state.get("p0", start.p))
    a, b = bench.step(start), bench.step(image)
    left, right = 2 * (exact(a.p) - origin), exact(b.p) - origin
    yield Claim("p", left.v, right.v, left.e + right.e + 2 * a.bound["p"] + b.bound["p"])
    yield from bench.agree(scaled(a, dict.fromkeys(doubled, 2)), b, bitwise=False, names=[*doubled])


_BETTING = {"t": 3, "way": -1, "m": 1, "v": 1, "r": 1, "s": 1}
_GOES_ON = fails("the way goes on", 0, 1, _BETTING)
_MEASURED = fails("the tuned rule's steps are as long as the gradient", 1, 1, _BETTING)

_DISTANT: Row = {
    **rows.ALONG,
    **obeys("accumulators_never_decrease"),
    "decay_alone_is_geometric": fails(
        "the decay is a gradient, whose size does not show", 1, 0, weight_decay=0.5
    ),
    "equivariant_under_concatenation": fails(
        "one distance serves all elements", (0, 0, 0), (1, 2, -3)
    ),
    "linear_in_gradients": fails("squares of the gradient divide", 0, 2),
    "state_independent_of_params": fails("the way travelled is kept", 2, 1, {"p0": 0}),
    "state_independent_of_weight_decay": fails(
        "the decay is part of the gradient", 2, 1, weight_decay=0.5
    ),
}

RULES: dict[str, Row] = {
    "cocob": {
        **rows.ADAPTIVE,
        "decay_alone_is_geometric": fails(
            "the decay is a gradient, whose size does not show", 1, 0, weight_decay=0.5
        ),
        **obeys("invariant_under_any_positive_scale"),
        "first_bet_does_not_look_at_the_size": holds(),
        "first_step_is_at_most_lr": holds({"lr": 1.0}),
        "linear_in_gradients": fails("the size of the gradient does not show", 0, 2),
        "linear_in_lr_when_params_are_zero": fails(
            "lr multiplies gradients, whose size does not show", 0, 2
        ),
        # In float16 the size that it begins with is 0 for the eps of before.
        "params_unchanged_when_gradients_are_zero": holds({"eps": 2.0**-10}),
        "params_unchanged_when_lr_is_zero": fails(
            "the bet of the sums so far is made anew", 1, 2, {"s": 1, "size": 1, "total": 1}
        ),
        "state_independent_of_params": fails(
            "the way travelled enters the reward", 2, 1, {"p0": 0}
        ),
        "state_independent_of_weight_decay": fails(
            "the decay is part of the gradient", 2, 1, weight_decay=0.5
        ),
    },
    "dadapt_adam": {
        **rows.SYMMETRIC,
        **rows.decoupled("before in_step unscaled"),
        **obeys("homogeneous_in_gradient_and_eps scale_invariant_when_eps_is_zero"),
        "equivariant_under_concatenation": fails(
            "one estimate serves all elements",
            (0, 0, 0),
            (1, 2, 3),
            {"t": 3, "s": 1, "v": 1},
            beta2=0.5,
        ),
        "equivariant_under_rotation": rows.BY_ELEMENT,
        "first_estimate_is_kept": holds({"eps": 2.0**-10}),
        "first_step_is_at_most_lr": fails("the first estimate may be any", 0, 2, d0=9.0),
        "linear_in_gradients": fails("squares of the gradient divide", 0, 2),
        "linear_in_lr_when_params_are_zero": fails(
            "the average goes on with the rates of before", 0, 1, {"t": 3, "m": 1, "v": 1}
        ),
        "params_unchanged_when_gradients_are_zero": holds({"eps": 2.0**-10}, guard="skip"),
        "params_unchanged_when_lr_is_zero": fails(
            "the average goes on", 0, 1, {"t": 3, "m": 1, "v": 1, "s": 1}
        ),
    },
    "dog": {
        **_DISTANT,
        **obeys("order_of_gradients_leaves_the_accumulator"),
        "first_step_is_as_long_as_the_first_distance": holds({"eps": 0.0}, start="distance"),
        "first_step_is_at_most_lr": fails("the first distance may be any", 0, 2, r_eps=3.0),
        "homogeneous_in_gradient_and_eps": holds(start="distance heuristic"),
        "scale_invariant_when_eps_is_zero": holds(start="distance heuristic"),
    },
    "dowg": {
        **_DISTANT,
        **obeys("homogeneous_in_gradient_and_eps scale_invariant_when_eps_is_zero"),
        "first_step_is_as_long_as_the_first_distance": holds({"eps": 0.0}),
        "first_step_is_at_most_lr": fails("the first distance may be any", 0, 2, d0=9.0),
    },
    "mechanic": {
        **rows.ALONG,
        **obeys("linear_in_gradients"),
        "bets_scale_with_the_first_scale": holds(way="kept"),
        "decay_alone_is_geometric": holds(),
        "equivariant_under_concatenation": fails(
            "one scale serves all elements", (0, 0, 0), (1, 2, 3), _BETTING
        ),
        "first_step_is_at_most_lr": holds(limit="none"),
        "homogeneous_in_gradient_and_eps": _MEASURED,
        "linear_in_lr_when_params_are_zero": _GOES_ON,
        "params_unchanged_when_lr_is_zero": _GOES_ON,
        "scale_invariant_when_eps_is_zero": _MEASURED,
        "state_independent_of_params": fails(
            "the decay is part of what is bet on", 2, 1, _BETTING, weight_decay=0.5
        ),
        "state_independent_of_weight_decay": fails(
            "the decay is part of what is bet on", 2, 1, _BETTING, weight_decay=0.5
        ),
    },
}
