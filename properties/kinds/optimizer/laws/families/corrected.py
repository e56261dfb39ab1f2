"""Rules that correct a step by norms, by ways or by the parameter: laws, and which they obey."""

import numpy as np

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, due, exact
from truestep.properties.kinds.optimizer.laws.images import cast
from truestep.properties.kinds.optimizer.laws.rows import Row, fails
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import holds


def first_step_is_divided_by_the_slowest_memory(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state p moves by lr g / sqrt((1 - beta2)^2 g^2 + eps)."""
    start = trial.plain().fresh(p=trial.p * 0)
    g = exact(start.g)
    share = (1 - exact(trial.hyper.get("beta2", 0.0))) * g
    root = np.sqrt(share * share + exact(trial.hyper["eps"]))
    yield due("p", bench.step(start), -trial.hyper["lr"] * (g / root))


def first_step_is_the_inverse_of_the_gradient(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state, without delta and eps, p moves by lr / g."""
    start = trial.plain().where(delta=0.0, eps=0.0).fresh(p=trial.p * 0)
    yield due("p", bench.step(start), -exact(trial.hyper["lr"]) / exact(start.g))


def step_is_tangent_where_gradients_are_orthogonal(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state, with eps = 0, p moves at right angles to p where g is at them."""
    flat = trial.p.reshape(-1)
    even = flat[: flat.size // 2 * 2].reshape(-1, 2)
    g = np.zeros_like(flat)
    # Sizes that differ, so that no step by signs is at right angles too.
    size = np.arange(1, len(even) + 1)[:, None] * np.array([-1, 1])
    g[: even.size] = (even[:, ::-1] * cast(size, flat)).reshape(-1)
    start = trial.plain().where(eps=0.0).fresh(gradient=g.reshape(trial.p.shape))
    start = start.on(p=cast(flat * (np.arange(flat.size) < even.size), flat).reshape(trial.p.shape))
    out = bench.step(start)
    p = exact(start.p)
    along = np.sum(p * (exact(out.p) - p))
    slack = np.sum(np.abs(start.p.astype(np.float64)) * out.bound["p"])
    yield Claim("p", along.v, np.zeros(()), along.e + slack)


# Rows at right angles to their gradients; one alone; elements of which each is in a row of its own.
_RIGHT = (((2, 0), (0, 1)), ((0, 1), (1, 0)))
_ONE_ROW = (((1, 0, 0), (0, 1, 0), (0, 1, 0)), ((0, 1, 0), (0, 1, 0), (0, 1, 0)))
_MIXED = (((1, 2, 3), (3, 1, -2)), ((2, -1, 0), (1, 1, 2)))
_BEHIND = {"t": 3, "b": 1, "m": 1, "v": 1}
_BY_NORM = fails("eps is added to norms of the parameter", *_RIGHT, _BEHIND, eps=1.0)
_MEASURED = fails("whether the step is projected depends on the parameter", *_RIGHT, _BEHIND)
_APART = fails("all rows decide whether one is projected", *_ONE_ROW, _BEHIND)
_ROWS = fails("rows are projected by themselves", *_MIXED, _BEHIND, delta=0.5)
_SCALED = holds(decay="before coupled")

RULES: dict[str, Row] = {
    "adamp": {
        **rows.ADAPTIVE,
        **rows.decoupled("before unscaled"),
        "becomes_adamw": holds({"delta": 0.0, "nesterov": False}, decay="before"),
        "equivariant_under_concatenation": _APART,
        "equivariant_under_permutation": _ROWS,
        "first_step_is_at_most_lr": fails("what is left may be longer", *_MIXED, delta=0.5),
        "homogeneous_in_gradient_and_eps": _BY_NORM,
        "params_unchanged_when_lr_is_zero": _SCALED,
        "translates_with_params": _MEASURED,
    },
    "adanorm": {
        **rows.ADAPTIVE,
        **rows.decoupled("before unscaled"),
        "becomes_adamw": holds({"r": 0.0}, decay="before"),
        "equivariant_under_concatenation": fails(
            "one norm serves all elements", (1, 2, 3), (1, 2, -1), {"t": 3, "e": 9}
        ),
        "first_step_is_divided_by_the_slowest_memory": fails("the memory is of all steps", 0, 2),
        "params_unchanged_when_lr_is_zero": _SCALED,
    },
    "adasmooth": {
        **rows.ADAPTIVE,
        "decay_alone_is_geometric": holds(decay="before unscaled"),
        "first_step_is_at_most_lr": fails("the first square hardly counts", 0, 2),
        "first_step_is_divided_by_the_slowest_memory": holds(),
        "first_step_is_the_inverse_of_the_gradient": fails("a root divides", 0, 2),
        "homogeneous_in_gradient_and_eps": fails(
            "eps stands beside ways and beside squares", 0, 1, {"previous": 1}, eps=1.0
        ),
        "params_unchanged_when_lr_is_zero": _SCALED,
        "state_independent_of_params": fails("the way is kept", 2, 1, {"previous": 0}),
        "state_independent_of_weight_decay": fails(
            "the decay is part of the way or the gradient", 2, 1, weight_decay=0.5
        ),
    },
    "kate": {
        **rows.ADAPTIVE,
        **rows.decoupled("before unscaled"),
        "first_step_is_at_most_lr": fails("small gradients step far", 0, 0.1),
        "first_step_is_the_inverse_of_the_gradient": holds({"delta": 0.0, "eps": 0.0}),
        "homogeneous_in_gradient_and_eps": fails("steps shrink as gradients grow", 0, 2),
        "params_unchanged_when_lr_is_zero": _SCALED,
        "scale_invariant_when_eps_is_zero": fails("steps shrink as gradients grow", 0, 2),
        "step_is_tangent_where_gradients_are_orthogonal": fails(
            "the step is taken element by element", (4, 1, 2, 3), (4, 1, 0, -2)
        ),
    },
    "sgdp": {
        **rows.SYMMETRIC,
        **rows.decoupled("before unscaled"),
        "becomes_sgd": holds(
            {"dampening": 0.0, "delta": 0.0, "momentum": 0.0, "nesterov": False}, decay="before"
        ),
        "equivariant_under_concatenation": _APART,
        "equivariant_under_permutation": _ROWS,
        "equivariant_under_rotation": _ROWS,
        "first_step_is_at_most_lr": rows.PROPORTIONAL,
        "homogeneous_in_gradient_and_eps": rows.PROPORTIONAL,
        "linear_in_gradients": _ROWS,
        "params_unchanged_when_lr_is_zero": _SCALED,
        "scale_invariant_when_eps_is_zero": rows.PROPORTIONAL,
        "step_is_tangent_where_gradients_are_orthogonal": holds({"delta": 0.5, "eps": 0.0}),
        "step_is_parallel_to_the_gradient": _ROWS,
        "translates_with_params": _MEASURED,
    },
}
