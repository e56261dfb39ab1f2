"""Rules that estimate second derivatives: their laws, and which they obey."""

import numpy as np

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, at_most, due, exact
from truestep.properties.kinds.optimizer.laws.images import cast, coarse
from truestep.properties.kinds.optimizer.laws.rows import ZEROS, G, Nested, Row, fails
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import holds, obeys
from truestep.reference.validation import Array


def inputs_are_read_only_when_due(bench: Bench, trial: Trial) -> Claims:
    """Between two refreshes what is handed over besides the gradient does not show."""
    period = trial.hyper.get("period", 2)
    if period == 1:
        return
    start = trial.on(t=trial.t + (trial.t % period == 0))
    other = start.on(**{k: cast(1 - x, x) for k, x in start.slot.inputs.items()})
    a, b = bench.step(start), bench.step(other)
    for name in a.state:
        yield Claim(name, a.state[name], b.state[name])


def sign_of_the_estimate_does_not_show(bench: Bench, trial: Trial) -> Claims:
    """What is handed over besides the gradient may as well be negated."""
    a = bench.step(trial)
    b = bench.step(trial.on(**{k: -x for k, x in trial.slot.inputs.items()}))
    yield from bench.agree(a, b, bitwise=True)


def first_step_is_newtons_in_size(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state, with eps = 0 and power 1, p moves by lr g over the estimate's size."""
    start = trial.plain().where(eps=0.0, hessian_power=1.0).fresh(p=trial.p * 0)
    size = np.abs(exact(start.slot.inputs["estimate"]))
    yield due("p", bench.step(start), -trial.hyper["lr"] * (exact(start.g) / size))


def first_step_is_descent_over_the_root_of_damping(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state p' = p - lr (1 - momentum) g / sqrt(damping)."""
    start = trial.plain().fresh(p=trial.p * 0)
    h = trial.hyper
    rate = h["lr"] * (1 - exact(h.get("momentum", 0.0))) / np.sqrt(exact(h["damping"]))
    yield due("p", bench.step(start), -rate * exact(start.g))


def equivariant_under_scaled_activations(bench: Bench, trial: Trial) -> Claims:
    """Without damping, c a and W / c for each input of a layer move W by 1 / c times as much."""
    rng = trial.rng
    examples = len(trial.slot.inputs["activations"])
    p, g, a, d = (
        cast(np.rint(4 * rng.standard_normal(shape)), trial.p)
        for shape in ((2, 2), (2, 2), (examples, 2), (examples, 2))
    )
    others: dict[str, Array] = {
        k: cast(np.resize(x, (examples, 2)), x)
        for k, x in trial.slot.inputs.items()
        if k not in ("activations", "derivatives")
    }
    start = trial.plain().fresh(p=p, gradient=g, activations=a, derivatives=d).on(**others)
    c = np.asarray([4.0, 0.5])
    image = start.on(p=cast(p / c, p), gradient=cast(g * c, g), activations=cast(a * c, a))
    out, scaled = bench.step(start), bench.step(image)
    bound = out.bound["p"] / c + scaled.bound["p"]
    yield Claim("p", out.wide("p") / c, scaled.wide("p"), bound)


def never_climbs(bench: Bench, trial: Trial) -> Claims:
    """On a convex quadratic the new point's value is at most the old one's."""
    a, b = np.abs(coarse(trial.p)), coarse(trial.g)
    start = trial.fresh(p=coarse(trial.p[::-1]), gradient=b, curvature=a)
    out = bench.step(start)

    def value(x: Array) -> Array:
        return np.sum(0.5 * (exact(a) * (exact(x) * exact(x))) + exact(b) * exact(x))

    yield at_most("p", value(out.state["p"]), value(start.p))


def weights_of_pairs_are_inverse_curvatures(bench: Bench, trial: Trial) -> Claims:
    """What is kept for a pair s, y is 1 / (s'y): of pairs that the kernel made, in three steps."""
    out = bench.run(trial.fresh(), [trial.g] * 3)[-1]
    name = "rho" if "rho" in out.got else "kept"
    weight, off = out.wide(name), out.bound[name]
    s, y = exact(out.got["steps"]), exact(out.got["changes"])
    product = np.sum(s * y, axis=1) * exact(weight)
    size = np.sum(np.abs(s.v) * out.bound["changes"] + np.abs(y.v) * out.bound["steps"], axis=1)
    bound = product.e + np.abs(weight) * size + off * np.abs(np.sum(s.v * y.v, axis=1))
    yield Claim(name, product.v, np.where(weight == 0, 0.0, 1.0), bound)


_PAIR: dict[str, Nested] = {
    "t": 3,
    "steps": ((0, 0, 0), (1, 2, -1)),
    "changes": ((0, 0, 0), (2, 1, -2)),
}
_AVERAGED: dict[str, Nested] = {**_PAIR, "rho": (0, 1 / 6)}
_KEPT: dict[str, Nested] = {**_AVERAGED, "step": (1, 1, 1), "g": (1, 2, 3)}

RULES: dict[str, Row] = {
    "adahessian": {
        **rows.ADAPTIVE,
        **rows.decoupled("before in_step unscaled"),
        **obeys("sign_of_the_estimate_does_not_show"),
        "equivariant_under_rotation": fails(
            "the step is taken element by element",
            (0, 0, 0, 0),
            (4, 1, 0, -2),
            inputs={"estimate": (1, 2, 3, 5)},
        ),
        "first_step_is_at_most_lr": fails(
            "the estimate may be small", 0, 2, inputs={"estimate": 0.25}
        ),
        "first_step_is_newtons_in_size": holds({"eps": 0.0, "hessian_power": 1.0}),
        "homogeneous_in_gradient_and_eps": holds({"hessian_power": 1.0}),
        "inputs_are_read_only_when_due": holds({"period": 2}),
        "linear_in_gradients": holds(),
        "params_unchanged_when_lr_is_zero": holds(decay="before coupled in_step"),
        "scale_invariant_when_eps_is_zero": holds({"eps": 0.0, "hessian_power": 1.0}),
    },
    "kbfgs": {
        **rows.ORDINARY,
        **rows.decoupled("before"),
        **obeys(
            "decay_alone_is_geometric first_step_is_descent_over_the_root_of_damping",
            "linear_in_gradients matrices_of_the_state_are_symmetric",
        ),
        **dict.fromkeys(
            rows.MIXING,
            fails("rows share their curvature", ZEROS, G, {"t": 3, "inverse_g": ((2, 1), (1, 2))}),
        ),
        "equivariant_under_scaled_activations": fails(
            "the damping has a scale of its own", ZEROS, G
        ),
        "first_step_is_at_most_lr": fails(
            "the step is proportional to the gradient", ZEROS, ((9, 9), (9, 9))
        ),
    },
    "kfac": {
        **rows.ORDINARY,
        **rows.DECOUPLED,
        **obeys("linear_in_gradients matrices_of_the_state_are_symmetric"),
        **dict.fromkeys(
            rows.MIXING,
            fails(
                "rows share their curvature",
                ZEROS,
                G,
                {"t": 3, "factor_s": ((2, 1), (1, 2))},
                damping=0.1,
            ),
        ),
        "equivariant_under_scaled_activations": holds({"damping": 0.0}),
        "first_step_is_at_most_lr": fails(
            "the step is proportional to the gradient", ZEROS, ((9, 9), (9, 9)), damping=0.1
        ),
        "first_step_is_descent_over_the_root_of_damping": fails(
            "both factors are damped", ZEROS, G, damping=0.1
        ),
        "inputs_are_read_only_when_due": fails(
            "factors are fresh in every step", ZEROS, G, damping=0.1
        ),
    },
    "lbfgs": {
        **rows.EVERY,
        **obeys(
            "equivariant_under_permutation equivariant_under_permuted_axes",
            "equivariant_under_reflection weights_of_pairs_are_inverse_curvatures",
        ),
        "equivariant_under_concatenation": fails(
            "one line search and scalar products run over all elements",
            (1, 2, 3),
            (1, 5, -1),
            inputs={"curvature": (1, 4, 9)},
            lr=1.0,
        ),
        "equivariant_under_rotation": holds(first_step="unit l2"),
        "first_step_is_at_most_lr": fails(
            "the step is proportional to the gradient", 0, 3, line_search="none"
        ),
        "linear_in_gradients": holds(
            first_step="unit", line_search="strong_wolfe backtracking none"
        ),
        "linear_in_lr_when_params_are_zero": holds(line_search="none"),
        "never_climbs": holds(line_search="strong_wolfe strong_wolfe_cubic backtracking"),
        "params_unchanged_when_lr_is_zero": holds(line_search="backtracking none"),
        "state_independent_of_params": fails(
            "the gradient is taken at the parameter",
            (1, 2),
            (1, 5),
            inputs={"curvature": (1, 4)},
            lr=1.0,
        ),
        "step_is_parallel_to_the_gradient": holds(line_search="strong_wolfe backtracking none"),
        "translates_with_params": holds(line_search="strong_wolfe backtracking none"),
    },
    "ml_lbfgs": {
        **rows.LINEAR,
        **obeys("weights_of_pairs_are_inverse_curvatures"),
        "equivariant_under_concatenation": fails(
            "scalar products run over all elements", (1, 2, 3), (1, 5, -1), _AVERAGED, memory=2
        ),
        "linear_in_gradients": fails(
            "pairs are made of gradients", (1, 2, 3), (1, 5, -1), {"t": 3}, period=1
        ),
        "state_independent_of_params": fails("parameters are averaged", (1, 2), (1, 5)),
    },
    "online_lbfgs": {
        **rows.ALONG,
        **obeys("state_independent_of_params weights_of_pairs_are_inverse_curvatures"),
        "equivariant_under_concatenation": fails(
            "scalar products run over all elements",
            (1, 2, 3),
            (1, 5, -1),
            _KEPT,
            inputs={"g_previous": (2, 5, 4)},
            memory=2,
        ),
        "first_step_is_at_most_lr": fails(
            "the step is proportional to the gradient", 0, 3, eps=1.0
        ),
        "homogeneous_in_gradient_and_eps": fails(
            "eps is the rate of the first step", 0, 3, eps=1.0
        ),
        "linear_in_gradients": holds(accept="positive"),
        "scale_invariant_when_eps_is_zero": fails(
            "the first step is proportional to the gradient", 0, 3, gamma="latest"
        ),
    },
    "sophia": {
        **rows.ADAPTIVE,
        **rows.decoupled("before in_step unscaled"),
        **obeys("inputs_are_read_only_when_due step_at_most_lr_times_limit"),
        "first_step_is_at_most_lr": holds({"limit": 1.0}),
        "first_step_is_newtons_in_size": fails("it is clipped", 0, 2, inputs={"estimate": 0.25}),
        "params_unchanged_when_lr_is_zero": holds(decay="before coupled in_step"),
        "sign_of_the_estimate_does_not_show": fails(
            "a curvature below zero is taken for none", 0, 2, inputs={"estimate": 0.25}
        ),
    },
    "sr1_cubic": {
        **rows.SYMMETRIC,
        **obeys("equivariant_under_rotation never_climbs step_is_parallel_to_the_gradient"),
        "equivariant_under_concatenation": fails(
            "one model, accepted or not, serves all elements",
            (0.5, 1.3, -2.2),
            (1.1, 4.2, -0.7),
            inputs={"curvature": (0.7, 2.3, 5.1)},
            mu0=1.0,
        ),
        "linear_in_gradients": fails("the cubic term bends the step", 0, 2, mu0=1.0),
        "state_independent_of_params": fails(
            "the gradient is taken at the parameter",
            (1, 2),
            (1, 5),
            inputs={"curvature": (1, 4)},
            mu0=1.0,
        ),
        "weights_of_pairs_are_inverse_curvatures": fails(
            "pairs have no weight of their own",
            (1, 2, 3),
            (1, 5, -1),
            inputs={"curvature": (3, 4, 9)},
            mu0=1.0,
            memory=2,
        ),
    },
}
