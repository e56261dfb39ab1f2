"""Momenta that mix averages and gradients: their laws, and which they obey."""

import numpy as np

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, due, exact
from truestep.properties.kinds.optimizer.laws.images import times
from truestep.properties.kinds.optimizer.laws.peers import as_rule
from truestep.properties.kinds.optimizer.laws.rows import Row, fails
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import holds, obeys


def becomes_sgd(bench: Bench, trial: Trial) -> Claims:
    """Where the rule does without what it adds, it is gradient descent."""
    decay = "coupled" if trial.hyper.get("decay") == "coupled" else "decoupled"
    yield from as_rule(bench, trial, "sgd", {}, decay=decay, dampening=0.0, momentum=0.0)


def first_step_grows_as_a_power_of_the_gradient(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state, with eps = 0, a gradient 16 times as large steps 16^(1 - 2 partial)."""
    start = trial.plain().where(eps=0.0).fresh(p=trial.p * 0)
    one, two = bench.step(start), bench.step(start.on(gradient=times(start.g, 16)))
    growth = float(16 ** (1 - 2 * trial.hyper.get("partial", 0.0)))
    larger = growth * exact(one.p)
    yield Claim("p", two.wide("p"), larger.v, larger.e + two.bound["p"] + growth * one.bound["p"])


def first_step_is_limited_by_its_share(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state p moves by lr (1 - beta3) g / (|g| + eps)."""
    start = trial.plain().fresh(p=trial.p * 0)
    g = exact(start.g)
    share = 1 - exact(trial.hyper.get("beta3", 0.0))
    step = trial.hyper["lr"] * (share * (g / (np.abs(g) + trial.hyper["eps"])))
    yield due("p", bench.step(start), -step)


def first_step_is_of_the_positive_average(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state p moves by lr (1 + beta0) (1 - beta1^2) g over the weights' norm."""
    start = trial.plain().fresh(p=trial.p * 0)
    beta0, beta1 = (exact(trial.hyper.get(name, 0.0)) for name in ("beta0", "beta1"))
    weight = (1 + beta0) * (1 - beta1 * beta1) / np.sqrt((1 + beta0) ** 2 + beta0**2)
    yield due("p", bench.step(start), -(trial.hyper["lr"] * weight) * exact(start.g))


def first_step_counts_the_last_gradient_besides(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state p moves by lr (1 + alpha) g / (|g| + eps)."""
    start = trial.plain().fresh(p=trial.p * 0)
    g = exact(start.g)
    share = 1 + exact(trial.hyper.get("alpha", 0.0))
    step = trial.hyper["lr"] * (share * (g / (np.abs(g) + trial.hyper["eps"])))
    yield due("p", bench.step(start), -step)


def first_step_is_the_cube_root_of_the_gradient(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state, with eps = 0, p moves by (1 - momentum) (lr^2 g)^(1/3)."""
    start = trial.plain().where(eps=0.0).fresh(p=trial.p * 0)
    g = exact(start.g)
    root = exact(trial.hyper["lr"]) ** (2 / 3) * np.abs(g) ** (1 / 3)
    share = 1 - exact(trial.hyper.get("momentum", 0.0))
    yield due("p", bench.step(start), -share * root * (g / np.abs(g)))


_CUBE_ROOT = fails("steps grow as cube roots of gradients", 0, 1000)
_SCALED = holds(decay="coupled before")

_POWER = fails("a power below the root divides", 0, 100)

RULES: dict[str, Row] = {
    "adamod": {
        **rows.ADAPTIVE,
        **rows.decoupled("before unscaled"),
        **obeys("step_at_most_adams step_within_the_cauchy_schwarz_bound"),
        "first_step_is_limited_by_its_share": holds(correction="moments"),
        "linear_in_lr_when_params_are_zero": fails(
            "the limit is of all rates so far", 0, 1, {"t": 3, "limit": 0.001}
        ),
        "params_unchanged_when_lr_is_zero": _SCALED,
    },
    "aggmo": {
        **rows.LINEAR,
        **rows.decoupled("before"),
        "becomes_sgd": holds({"beta1": 0.0, "beta2": 0.0, "beta3": 0.0}, decay="coupled before"),
        "decay_alone_is_geometric": holds(),
        "params_unchanged_when_lr_is_zero": _SCALED,
    },
    "grokfast_adamw": {
        **rows.ADAPTIVE,
        **rows.DECOUPLED,
        "becomes_adamw": holds({"amplification": 0.0}, eps_placement="outside"),
        "params_unchanged_when_lr_is_zero": holds(decay="before"),
    },
    "madgrad": {
        **rows.ADAPTIVE,
        **rows.decoupled("decoupled"),
        **obeys("accumulators_never_decrease"),
        "first_step_is_at_most_lr": _CUBE_ROOT,
        "first_step_is_the_cube_root_of_the_gradient": holds(
            {"eps": 0.0}, rate="plain with_eps", start="kept"
        ),
        "homogeneous_in_gradient_and_eps": _CUBE_ROOT,
        "linear_in_lr_when_params_are_zero": _CUBE_ROOT,
        "params_unchanged_when_gradients_are_zero": fails(
            "a mean of a number with itself is rounded", 3, 0, momentum=0.3
        ),
        "params_unchanged_when_lr_is_zero": fails(
            "the parameter is drawn to the point of the sums", 0, 1, {"t": 3, "s": 1, "v": 1}
        ),
        "scale_invariant_when_eps_is_zero": _CUBE_ROOT,
        "velocity_persists_when_gradients_vanish": holds(start="kept"),
    },
    "optimistic_gradient": {
        **rows.LINEAR,
        "becomes_sgd": holds({"alpha": 1.0, "beta": 0.0}),
        "state_independent_of_params": holds(),
    },
    "padam": {
        **rows.ADAPTIVE,
        **rows.decoupled("before unscaled"),
        "first_step_grows_as_a_power_of_the_gradient": holds({"eps": 0.0}),
        "first_step_is_at_most_lr": _POWER,
        "homogeneous_in_gradient_and_eps": _POWER,
        "params_unchanged_when_lr_is_zero": _SCALED,
        "scale_invariant_when_eps_is_zero": _POWER,
    },
    "pnm": {
        **rows.LINEAR,
        **rows.decoupled("before unscaled"),
        "decay_alone_is_geometric": holds(),
        "first_step_is_at_most_lr": fails("the step is proportional to the gradient", 0, 9),
        "first_step_is_of_the_positive_average": holds(),
        "params_unchanged_when_lr_is_zero": _SCALED,
    },
    "qhm": {
        **rows.LINEAR,
        **rows.decoupled("before"),
        "becomes_sgd": holds({"nu": 0.0}, decay="coupled before"),
        "decay_alone_is_geometric": holds(),
        "first_step_is_at_most_lr": fails("the step is proportional to the gradient", 0, 9),
        "params_unchanged_when_lr_is_zero": _SCALED,
    },
    "simplified_ademamix": {
        **rows.ADAPTIVE,
        **rows.decoupled("in_step before unscaled"),
        "first_step_counts_the_last_gradient_besides": holds(correction="moment", momentum="sum"),
        "first_step_is_at_most_lr": fails("the last gradient comes on top", 0, 2, alpha=1.0),
        "params_unchanged_when_lr_is_zero": holds(decay="in_step before coupled"),
    },
}
