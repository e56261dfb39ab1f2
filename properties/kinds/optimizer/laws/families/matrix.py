"""Rules that treat a matrix as one, its singular vectors, its sides: their laws and entries."""

import numpy as np

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, at_most, exact, norm, way
from truestep.properties.kinds.optimizer.laws.images import behaviour, coarse
from truestep.properties.kinds.optimizer.laws.peers import evaluated
from truestep.properties.kinds.optimizer.laws.rows import ZEROS, G, P, Row, fails
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import holds, obeys
from truestep.reference.validation import Array


def step_shares_its_singular_vectors_with_the_gradient(bench: Bench, trial: Trial) -> Claims:
    """Without decay and past, both (p' - p) g^T and g^T (p' - p) are symmetric matrices."""
    start = trial.plain().fresh(p=trial.p * 0, gradient=coarse(trial.g))
    out = bench.step(start)
    p, g = exact(out.p), exact(start.g)
    size = np.abs(start.g.astype(np.float64))
    for product, off in ((p @ g.T, out.bound["p"] @ size.T), (g.T @ p, size.T @ out.bound["p"])):
        yield Claim("p", product.v, product.v.T, product.e + product.e.T + off + off.T)


def step_is_no_longer_than_adams(bench: Bench, trial: Trial) -> Claims:
    """Without decay the step has at most the norm of Adam's from the same moments.

    It has that norm but for what keeps a norm of zero from dividing.
    """
    start = trial.plain()
    out = bench.step(start)
    h = trial.hyper
    beta2, eps = h.get("graft_beta2", h["beta2"]), h.get("graft_eps", h["eps"])
    adam = evaluated("adam", start, {"m": "m", "v": "v"}, beta2=beta2, eps=eps)["p"]
    length, slack = way(start, out)
    yield at_most("p", length, norm(adam - exact(start.p)), slack)


def first_step_leaves_params(bench: Bench, trial: Trial) -> Claims:
    """The first step only makes the bases: p stays bit for bit."""
    start = trial.fresh()
    yield Claim("p", bench.step(start).state["p"], start.p)


def bases_are_orthonormal(bench: Bench, trial: Trial) -> Claims:
    """What the first step makes: projectors that are idempotent, and bases orthonormal."""
    out = bench.step(trial.fresh())
    for name in ("orthogonality_0", "orthogonality_1"):
        if name in out.got:
            yield Claim(name, out.got[name], np.eye(len(out.got[name])), out.bound[name])
    for name in ("left", "right", "projection"):
        if name in out.got and out.got[name].size:
            onto, off = _onto(out.got[name], name), out.bound[name]
            twice = onto @ onto
            bound = onto.e + twice.e
            if name != "projection":
                bound = bound + off + off @ np.abs(onto.v) + np.abs(onto.v) @ off
            yield Claim(name, twice.v, onto.v, bound)


def _onto(x: Array, name: str) -> Array:
    """What projects: the judged P P^T itself, or that of a plain matrix."""
    return exact(x).T @ exact(x) if name == "projection" else exact(x)


def matrices_of_the_state_are_symmetric(bench: Bench, trial: Trial) -> Claims:
    """Second moments of a layer's sides, and inverse matrices, are symmetric."""
    out = bench.step(trial)
    for name in trial.arrays:
        x = out.got[name]
        if not behaviour(bench, name).odd and x.ndim == 2 and len(x) == x.shape[1]:
            yield Claim(name, x, x.T, out.bound[name] + out.bound[name].T)


_DIVIDED = fails("the step is divided by a size of the gradients", P, G, {"t": 9})
_TURNED = fails(
    "rows and columns are turned into bases of their own",
    P,
    G,
    {"t": 3, "bases": (0.8, -0.6, 0.6, 0.8, 1, 0, 0, 1)},
)

RULES: dict[str, Row] = {
    "distributed_shampoo": {
        **rows.BY_MATRIX,
        "decay_alone_is_geometric": holds(decay="in_direction before"),
        "equivariant_under_rotation_of_rows": holds({"start": 0}, graft="none sgd"),
        "first_step_is_at_most_lr": fails(
            "the graft lends its length, not its elements", ZEROS, ((1, 0.001), (0.001, 1e-06))
        ),
        "homogeneous_in_gradient_and_eps": holds(
            exponent="half_order", graft="adam adagrad rmsprop sign", ridge="absolute initial"
        ),
        "linear_in_gradients": _DIVIDED,
        "scale_invariant_when_eps_is_zero": holds(
            exponent="half_order", graft="adam adagrad rmsprop sign"
        ),
        "state_independent_of_params": holds(decay="before"),
        "state_independent_of_weight_decay": holds(decay="before"),
        "step_is_no_longer_than_adams": holds(
            {"momentum": 0.0, "start": 0}, bias_correction="both", graft="adam"
        ),
        "step_shares_its_singular_vectors_with_the_gradient": holds({"start": 0}),
    },
    "muon": {
        **rows.BY_MATRIX,
        **rows.decoupled("before"),
        "buffer_is_at_right_angles_to_the_step": fails("the buffer is the gradient", P, G),
        "equivariant_under_rotation_of_rows": holds(norm="frobenius spectral schatten"),
        **dict.fromkeys(
            (
                "first_step_is_as_long_in_every_row",
                "first_step_is_of_one_size",
                "first_step_reaches_the_ball",
                "step_has_rms_lr",
                "step_is_as_long_as_the_root_of_its_rank",
            ),
            fails("singular values come near 1 only", P, G),
        ),
        "first_step_is_at_most_lr": fails(
            "singular values come near 1, from above too", ((0,),), ((1,),), ns_steps=4
        ),
        "homogeneous_in_gradient_and_eps": holds(magnitude="none", norm="frobenius spectral"),
        "linear_in_gradients": _DIVIDED,
        "scale_invariant_when_eps_is_zero": holds(magnitude="none"),
        "step_shares_its_singular_vectors_with_the_gradient": holds(
            norm="frobenius spectral schatten"
        ),
    },
    "shampoo": {
        **rows.BY_MATRIX,
        **rows.decoupled("before unscaled"),
        **obeys(
            "equivariant_under_rotation_of_rows",
            "step_shares_its_singular_vectors_with_the_gradient",
        ),
        "first_step_is_at_most_lr": holds(exponent="half_order", statistics="gradient"),
        "homogeneous_in_gradient_and_eps": holds(
            exponent="half_order", momentum_form="averaged", statistics="gradient"
        ),
        "linear_in_gradients": _DIVIDED,
        "params_unchanged_when_lr_is_zero": holds(decay="coupled before"),
        "scale_invariant_when_eps_is_zero": holds(
            exponent="half_order", momentum_form="averaged", statistics="gradient"
        ),
    },
    "soap": {
        **rows.ORDINARY,
        **rows.DECOUPLED,
        **obeys(
            "bases_are_orthonormal first_step_is_at_most_lr first_step_leaves_params",
            "scale_invariant_when_eps_is_zero",
        ),
        "equivariant_under_concatenation": rows.MIXED,
        "equivariant_under_permutation": _TURNED,
        "equivariant_under_reflection": _TURNED,
        "equivariant_under_rotation": fails(
            "the step is taken coordinate by coordinate", P, G, {"t": 3}
        ),
        "homogeneous_in_gradient_and_eps": holds(normalization="none rms"),
        "linear_in_gradients": _DIVIDED,
        "linear_in_lr_when_params_are_zero": holds(decay="before"),
    },
}
