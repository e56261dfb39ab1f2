"""Rules that hold a gradient against numbers of its tensor, or against what they expect of it."""

import numpy as np

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, at_most, due, exact, norm
from truestep.properties.kinds.optimizer.laws.images import cast
from truestep.properties.kinds.optimizer.laws.rows import Row, fails
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import holds, obeys


def average_of_a_spike_is_limited(bench: Bench, trial: Trial) -> Claims:
    """After the warm-up, with averages at rest and gamma 1, m is at most a share of lambda_rel."""
    start = trial.plain().where(warmup_steps=0).fresh(max(1, trial.t))
    rest = {k: np.ones_like(start.slot.state[k]) for k in ("gamma",) if k in start.arrays}
    out = bench.step(start.on(**rest))
    share = 1 - exact(trial.hyper.get("beta1", 0.0))
    limit = share * trial.hyper.get("lambda_rel", 1.0)
    yield at_most("m", norm(exact(out.got["m"])), limit, np.sqrt(np.sum(out.bound["m"] ** 2)))


def first_decay_is_over_the_size_of_the_gradient(bench: Bench, trial: Trial) -> Claims:
    """At first, with eps = 0, p moves by lr either way and by lr weight_decay p / rms(g)."""
    start = trial.where(eps=0.0, maximize=False).fresh()
    g, p, lr = exact(start.g), exact(start.p), exact(trial.hyper["lr"])
    decay = lr * trial.hyper.get("weight_decay", 0.0) / np.sqrt(np.mean(g * g))
    yield due("p", bench.step(start), p - decay * p - lr * (g / np.abs(g)))


def first_estimate_trusts_the_prior(bench: Bench, trial: Trial) -> Claims:
    """The first estimate of the gradient is g / (1 + ratio)."""
    start = trial.plain().fresh()
    yield due("m", bench.step(start), exact(start.g) / (1 + exact(trial.hyper.get("ratio", 0.0))))


def first_shrinkage_is_half_the_square_of_lr(bench: Bench, trial: Trial) -> Claims:
    """At first, with eps = 0, p moves by lr eta g / rms(g) and by lr^2 / 2 of itself."""
    start = trial.plain().where(eps=0.0).fresh()
    g, p, lr = exact(start.g), exact(start.p), exact(trial.hyper["lr"])
    share = 1 - exact(trial.hyper.get("momentum", 0.0))
    way = lr * trial.hyper.get("eta", 1.0) * (g / np.sqrt(np.mean(g * g)))
    yield due("p", bench.step(start), p - share * (way + lr * lr / 2 * p))


def first_step_is_clipped_in_the_mean(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state at 0 the root mean square of the step is at most lr clip (1 - beta1)."""
    start = trial.plain().fresh(p=trial.p * 0)
    out = bench.step(start)
    p = exact(out.p)
    share = 1 - exact(trial.hyper.get("beta1", 0.0))
    limit = trial.hyper["lr"] * share * trial.hyper.get("clip", 1.0)
    yield at_most("p", np.sqrt(np.mean(p * p)), limit, np.sqrt(np.mean(out.bound["p"] ** 2)))


def first_step_is_over_beta1(bench: Bench, trial: Trial) -> Claims:
    """At first, with eps = 0, the belief is beta1 g: every element moves by lr / beta1."""
    start = trial.plain().where(eps=0.0).fresh(p=trial.p * 0)
    g, share = exact(start.g), exact(trial.hyper.get("beta1", 1.0))
    yield due("p", bench.step(start), -(trial.hyper["lr"] / share * (g / np.abs(g))))


def first_step_is_of_the_signal_over_the_noise(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state at 0 p moves by lr |g| / (std(g) + eps) g."""
    start = trial.plain().fresh(p=trial.p * 0)
    g = exact(start.g)
    away = g - np.mean(g)
    std = np.sqrt(np.sum(away * away) / max(1, start.g.size - 1))
    rate = trial.hyper["lr"] * (norm(g) / (std + trial.hyper.get("eps", 0.0)))
    yield due("p", bench.step(start), -(rate * g))


def parameter_rests_at_first(bench: Bench, trial: Trial) -> Claims:
    """The first step leaves p bit for bit as it was."""
    start = trial.plain().fresh()
    yield Claim("p", bench.step(start).p, start.p)


def ratio_is_kept(bench: Bench, trial: Trial) -> Claims:
    """From the second step on every number of the tensor stays bit for bit as it was."""
    start = trial.on(t=max(1, trial.t))
    out = bench.step(start)
    for name in trial.arrays:
        if not start.slot.state[name].ndim:
            yield Claim(name, out.state[name], start.slot.state[name])


def second_moment_does_not_see_the_gradient(bench: Bench, trial: Trial) -> Claims:
    """The new v is the same, bit for bit, for another gradient."""
    one, other = bench.step(trial), bench.step(trial.on(gradient=cast(1 - trial.g, trial.g)))
    yield Claim("v", one.state["v"], other.state["v"])


def step_is_descent_where_moments_agree(bench: Bench, trial: Trial) -> Claims:
    """Where v is the same everywhere p moves by lr times the corrected average."""
    start = trial.plain().on(v=np.ones_like(trial.p))
    out = bench.step(start)
    average = exact(out.got["m"]) / (1 - exact(trial.hyper["beta1"]) ** (start.t + 1))
    slack = trial.hyper["lr"] * out.bound["m"] / (1 - trial.hyper["beta1"] ** (start.t + 1))
    claim = due("p", out, exact(start.p) - trial.hyper["lr"] * average)
    yield Claim(claim.tensor, claim.left, claim.right, claim.bound + 2 * slack)


_AFTER = {"t": 3, "m": 1, "v": 1}
_CLIPPED = fails("the way to zero, over the gradient, is clipped", 9, 1, weight_decay=0.5)
_MEASURED = fails("the gradient's size divides the decay", 1, 1, weight_decay=0.5)
_ONE_MEAN = fails("one mean serves all elements", (0, 0, 0), (1, 2, 3))
_ONE_NORM = fails("one norm serves all elements", (0, 0, 0), (1, 2, 3))
_SCALED = holds(decay="before coupled")
_TINY = fails("xi is a number", 0, 1e-10, {"t": 3, "m": 3e-10}, eps=1e-30)

RULES: dict[str, Row] = {
    "adagc": {
        **rows.SYMMETRIC,
        **rows.decoupled("before unscaled"),
        **obeys("average_of_a_spike_is_limited"),
        "equivariant_under_concatenation": _ONE_NORM,
        "equivariant_under_rotation": rows.BY_ELEMENT,
        "first_average_is_at_most_its_share_long": holds({"lambda_abs": 1.0}),
        "first_decay_is_over_the_size_of_the_gradient": fails("its size does not show", 1, 4),
        "first_step_is_at_most_lr": holds(),
        "homogeneous_in_gradient_and_eps": fails(
            "the first norms are held against a number", 0, 1, _AFTER
        ),
        "linear_in_gradients": rows.DIVIDED,
        "parameter_rests_at_first": fails("the first gradient moves it", 0, 1),
        "params_unchanged_when_lr_is_zero": _SCALED,
        "scale_invariant_when_eps_is_zero": fails(
            "the first norms are held against a number", 0, 1, _AFTER
        ),
        "second_moment_does_not_see_the_gradient": fails("its square is averaged", 0, 0.25, _AFTER),
    },
    "adams": {
        **rows.SYMMETRIC,
        **rows.decoupled("before unscaled"),
        "decay_alone_is_geometric": holds(decay="before unscaled", guard="eps"),
        "equivariant_under_concatenation": fails(
            "one mean serves all elements", (1, 1, 1), (1, 2, 3), weight_decay=0.5
        ),
        "equivariant_under_rotation": rows.BY_ELEMENT,
        "first_decay_is_over_the_size_of_the_gradient": holds(decay="before"),
        "first_step_is_at_most_lr": holds(),
        "homogeneous_in_gradient_and_eps": _MEASURED,
        "linear_in_gradients": rows.DIVIDED,
        "first_step_is_over_beta1": fails("no belief", 0, 4),
        "params_unchanged_when_lr_is_zero": _SCALED,
        "scale_invariant_when_eps_is_zero": _MEASURED,
    },
    "adashift": {
        **rows.SYMMETRIC,
        **obeys("homogeneous_in_gradient_and_eps linear_in_gradients parameter_rests_at_first"),
        **obeys("scale_invariant_when_eps_is_zero second_moment_does_not_see_the_gradient"),
        **obeys("state_independent_of_params"),
        "equivariant_under_concatenation": fails(
            "one maximum serves all elements",
            (0, 0, 0),
            (1, 1, 1),
            {"t": 3, "v": 1, "past": ((1, 2, 3),)},
            keep_num=1,
        ),
        "equivariant_under_rotation": fails(
            "the step is taken element by element",
            (0, 0, 0, 0),
            (4, 1, 0, -2),
            {"t": 3, "v": (1, 4, 9, 16), "past": ((4, 1, 0, -2),)},
            keep_num=1,
        ),
        "first_step_is_at_most_lr": holds(),
    },
    "aida": {
        **rows.SYMMETRIC,
        **rows.decoupled("before unscaled"),
        "equivariant_under_concatenation": fails(
            "one product serves all elements", (0, 0, 0), (1, 2, 3), {"t": 3, "m": (3, -1, 1)}
        ),
        "equivariant_under_rotation": rows.BY_ELEMENT,
        "first_step_is_at_most_lr": fails("the belief is shorter than the gradient", 0, 1),
        "first_step_is_over_beta1": holds(root="bare"),
        "homogeneous_in_gradient_and_eps": _TINY,
        "linear_in_gradients": rows.DIVIDED,
        "params_unchanged_when_lr_is_zero": _SCALED,
        "scale_invariant_when_eps_is_zero": _TINY,
    },
    "amos": {
        **rows.SYMMETRIC,
        **obeys("equivariant_under_rotation homogeneous_in_gradient_and_eps"),
        **obeys("decay_alone_is_geometric scale_invariant_when_eps_is_zero"),
        "equivariant_under_concatenation": _ONE_MEAN,
        "first_shrinkage_is_half_the_square_of_lr": holds(scale="given"),
        "first_step_is_at_most_lr": fails("the expected scale may be any", 0, 1, eta=3.0),
        "linear_in_gradients": rows.DIVIDED,
        "linear_in_lr_when_params_are_zero": fails(
            "the decay so far damps the rate by its root", 0, 1, {"t": 3, "v": 1, "b": 1}
        ),
        "params_unchanged_when_lr_is_zero": holds({"momentum": 0.0, "weight_decay": 0.0}),
        "ratio_is_kept": fails("squares are averaged", 0, 2, {"t": 3, "v": 1}),
        "state_independent_of_params": holds({"momentum": 0.0}),
        "state_independent_of_weight_decay": holds({"momentum": 0.0}),
        "step_is_parallel_to_the_gradient": fails("p is drawn to zero", (1, 1), (1, -1)),
        "translates_with_params": fails("p is drawn to zero", 3, 1),
    },
    "avagrad": {
        **rows.SYMMETRIC,
        **rows.decoupled("before unscaled"),
        **obeys("linear_in_gradients"),
        "average_of_a_spike_is_limited": fails("no gradient is clipped", 0, 9),
        "equivariant_under_concatenation": fails(
            "one mean serves all elements", (0, 0, 0), (1, 2, 3), {"t": 3, "v": (1, 4, 9)}
        ),
        "equivariant_under_rotation": fails(
            "the step is taken element by element",
            (0, 0, 0, 0),
            (4, 1, 0, -2),
            {"t": 3, "v": (1, 4, 9, 16)},
        ),
        "first_step_is_at_most_lr": rows.PROPORTIONAL,
        "first_step_is_clipped_in_the_mean": rows.PROPORTIONAL,
        "first_step_is_plain_descent": holds(rates="own"),
        "homogeneous_in_gradient_and_eps": rows.PROPORTIONAL,
        "params_unchanged_when_lr_is_zero": _SCALED,
        "scale_invariant_when_eps_is_zero": fails(
            "the step is proportional to the gradient", 0, 3, _AFTER
        ),
        "step_is_descent_where_moments_agree": holds(rates="own"),
    },
    "fadam": {
        **rows.SYMMETRIC,
        **obeys("first_step_is_clipped_in_the_mean state_independent_of_params"),
        **obeys("state_independent_of_weight_decay"),
        "decay_alone_is_geometric": fails("long ways to zero are clipped", 9, 0, weight_decay=0.5),
        "equivariant_under_concatenation": fails(
            "one mean serves all elements", (1, 2, 30), (1, 2, 3)
        ),
        "equivariant_under_rotation": rows.BY_ELEMENT,
        "first_estimate_trusts_the_prior": fails("its root divides", 0, 2),
        "first_shrinkage_is_half_the_square_of_lr": fails("p is not drawn to zero", 3, 1),
        "first_step_is_at_most_lr": holds(),
        "homogeneous_in_gradient_and_eps": _CLIPPED,
        "linear_in_gradients": rows.DIVIDED,
        "scale_invariant_when_eps_is_zero": _CLIPPED,
        "step_is_descent_where_moments_agree": fails("no rate is a mean", 0, 1, _AFTER),
    },
    "sgd_sai": {
        **rows.SYMMETRIC,
        **rows.DECOUPLED,
        **obeys("ratio_is_kept step_is_parallel_to_the_gradient"),
        "equivariant_under_concatenation": _ONE_MEAN,
        "equivariant_under_reflection": fails("signs make noise", (0,) * 6, (1, 2, 3, 4, 5, 6)),
        "equivariant_under_rotation": fails(
            "turned gradients are noisier", (0,) * 4, (4, 1, 0, -2)
        ),
        "first_step_is_at_most_lr": rows.PROPORTIONAL,
        "first_step_is_of_the_signal_over_the_noise": holds(noise="measured", start="first"),
        "homogeneous_in_gradient_and_eps": rows.PROPORTIONAL,
        "linear_in_gradients": fails("its noise divides", (0, 0, 0), (1, 2, 5)),
        "scale_invariant_when_eps_is_zero": fails(
            "the step is proportional to the gradient", (0, 0, 0), (1, 2, 5)
        ),
    },
    "vsgd": {
        **rows.ELEMENTWISE,
        **rows.decoupled("before"),
        **obeys("first_estimate_trusts_the_prior"),
        "equivariant_under_rotation": rows.BY_ELEMENT,
        "first_step_is_at_most_lr": holds(),
        "first_step_is_of_the_signal_over_the_noise": fails("the first step is short", 0, 2),
        "homogeneous_in_gradient_and_eps": fails("the prior is a number", 0, 1, prior=1.0),
        "linear_in_gradients": fails("the root of its square divides", 0, 2),
        "scale_invariant_when_eps_is_zero": fails("the prior is a number", 0, 1, prior=1.0),
    },
}
