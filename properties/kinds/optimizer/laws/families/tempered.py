"""Rules that adapt inertia, forget their moments or clip what spikes: laws, and which they obey."""

import numpy as np

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, at_most, due, exact
from truestep.properties.kinds.optimizer.laws.images import cast
from truestep.properties.kinds.optimizer.laws.rows import Row, fails
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import holds, obeys


def first_average_of_equal_gradients_is_beta0_of_them(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state, with gradients of one size, m is beta0^dampening g, within limits."""
    g = cast(np.where(trial.g < 0, -1.0, 1.0), trial.g)
    out = bench.step(trial.plain().fresh(gradient=g))
    share = np.maximum(np.minimum(exact(trial.hyper.get("beta0", 0.5)), 1.0), trial.hyper["eps"])
    yield due("m", out, share ** exact(trial.hyper.get("dampening", 1.0)) * exact(g))


def moments_are_forgotten_at_a_reset(bench: Bench, trial: Trial) -> Claims:
    """At the first reset what m and v were before has no effect on what they are then."""
    fresh = trial.where(reset=2).fresh(t=1)
    behind = fresh.on(m=trial.slot.state["m"], v=trial.slot.state["v"])
    one, two = bench.step(fresh), bench.step(behind)
    for name in ("m", "v"):
        yield Claim(name, one.state[name], two.state[name])


def step_at_most_a_right_angle(bench: Bench, trial: Trial) -> Claims:
    """From any state, without decay, no element moves by more than lr a pi / 2."""
    out = bench.step(trial.plain())
    limit = trial.hyper["lr"] * exact(trial.hyper.get("a", 1.0)) * exact(np.pi / 2)
    yield at_most("p", np.abs(exact(out.p) - exact(trial.p)), limit, out.bound["p"])


def second_moment_never_grows_when_threshold_is_one(bench: Bench, trial: Trial) -> Claims:
    """A gradient that is clipped to the root of the moment leaves the moment as it is."""
    out = bench.step(trial.where(calm=0, threshold=1.0))
    yield at_most("v", exact(out.got["v"]), exact(trial.slot.state["v"]), out.bound["v"])


_BEHIND = {"t": 1, "m": 1, "v": 1, "c": 0.5}
_ONE_MEAN = fails("one mean serves all elements", (1, 2, 3), (1, 2, -1), {"t": 3, "m": 1})
_SCALED = holds(decay="before coupled of_momentum")

RULES: dict[str, Row] = {
    "adam_atan2": {
        **rows.ADAPTIVE,
        **rows.decoupled("before unscaled"),
        **obeys("step_at_most_a_right_angle"),
        "first_step_is_at_most_lr": holds({"a": 1.0, "b": 1.0}),
        "params_unchanged_when_lr_is_zero": holds(decay="before cautious"),
        "state_independent_of_params": holds(),
        "state_independent_of_weight_decay": holds(),
    },
    "adai": {
        **rows.SYMMETRIC,
        **rows.decoupled("before unscaled"),
        **obeys("first_average_of_equal_gradients_is_beta0_of_them"),
        "equivariant_under_concatenation": _ONE_MEAN,
        "equivariant_under_rotation": rows.BY_ELEMENT,
        "first_average_of_every_row_sums_to_zero": fails(
            "gradients keep their means", rows.P, rows.G
        ),
        "first_slow_step_is_alpha_of_descent": fails("the whole step is taken", 0, 3),
        "first_step_is_at_most_lr": rows.PROPORTIONAL,
        "first_step_is_plain_descent": holds({"dampening": 1.0}),
        "homogeneous_in_gradient_and_eps": rows.PROPORTIONAL,
        "linear_in_gradients": rows.DIVIDED,
        "moments_are_forgotten_at_a_reset": fails("moments are kept", 0, 2, _BEHIND),
        "params_unchanged_when_gradients_are_zero": fails("0/0 without any gradient", 2, 0),
        "params_unchanged_when_lr_is_zero": _SCALED,
        "scale_invariant_when_eps_is_zero": rows.PROPORTIONAL,
        "second_moment_never_grows_when_threshold_is_one": fails(
            "no gradient is clipped", 0, 9, _BEHIND
        ),
    },
    "spam": {
        **rows.ADAPTIVE,
        **rows.DECOUPLED,
        **obeys("moments_are_forgotten_at_a_reset second_moment_never_grows_when_threshold_is_one"),
        "first_average_of_equal_gradients_is_beta0_of_them": fails(
            "the average takes 1 - beta1 of them", 0, 1
        ),
        "first_step_is_at_most_lr": holds(),
        "step_at_most_a_right_angle": fails("no angle", 0, 2, {"t": 30, "m": 9}),
        "linear_in_lr_when_params_are_zero": holds({"weight_decay": 0.0}),
    },
    "stable_spam": {
        **rows.SYMMETRIC,
        **rows.DECOUPLED,
        **obeys("first_average_is_at_most_its_share_long moments_are_forgotten_at_a_reset"),
        **obeys("scale_invariant_when_eps_is_zero"),
        "equivariant_under_concatenation": fails(
            "one norm serves all elements", (1, 2, 3), (1, 2, -1)
        ),
        "equivariant_under_rotation": rows.BY_ELEMENT,
        "first_step_is_at_most_lr": holds(),
        "homogeneous_in_gradient_and_eps": fails(
            "one eps stands beside norms and beside their quotients", 0, 1, eps=1.0
        ),
        "linear_in_gradients": fails("the norm of the gradient does not show", 0, 2),
    },
}
