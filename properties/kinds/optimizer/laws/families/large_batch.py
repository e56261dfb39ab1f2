"""Layer-wise rates, steps as long as the tensor's norm says: their laws, and which they obey."""

import numpy as np

from truestep.properties.kinds.optimizer.laws.bench import (
    Bench,
    Trial,
    at_most,
    due,
    exact,
    norm,
    way,
)
from truestep.properties.kinds.optimizer.laws.images import cast, scaled, times
from truestep.properties.kinds.optimizer.laws.rows import (
    ALONG,
    SYMMETRIC,
    G,
    P,
    Row,
    decoupled,
    fails,
)
from truestep.properties.kinds.optimizer.laws.scales import gradient_scaled
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import holds, obeys
from truestep.reference.declared import STEP
from truestep.reference.validation import Array


def _stretch(start: Trial) -> Array:
    size = norm(exact(start.p))
    return start.hyper["lr"] * (start.hyper.get("trust_coefficient", 1.0) * size)


def norm_of_step_is_lr_times_norm_of_params(bench: Bench, trial: Trial) -> Claims:
    """|p' - p| = lr |p|, times the trust coefficient, whatever the gradient and the decay."""
    start = trial.fresh()
    out = bench.step(start)
    length, slack = way(start, out)
    limit = _stretch(start)
    yield Claim("p", length.v, limit.v, length.e + limit.e + slack)


def norm_of_step_at_most_lr_times_norm_of_params(bench: Bench, trial: Trial) -> Claims:
    """|p' - p| <= lr |p|, times the trust coefficient."""
    start = trial.fresh()
    out = bench.step(start)
    length, slack = way(start, out)
    yield at_most("p", length, _stretch(start), slack)


def step_scales_with_params(bench: Bench, trial: Trial) -> Claims:
    """Without decay, p times c and g times k move p by c times what it moved."""
    c, k = 2.0**3, 2.0**6
    start = trial.plain()
    image = gradient_scaled(bench, start, k).on(p=times(trial.p, c))
    steps = [name for name, b in bench.rule.State.BEHAVIOUR.items() if b is STEP and _of_lr(trial)]
    state = {name: times(trial.slot.state[name], c) for name in steps}
    out = bench.step(start)
    expected = scaled(out, {"p": c, **dict.fromkeys(steps, c)})
    yield from bench.agree(
        expected, bench.step(image.on(**state)), bitwise=False, names=["p", *steps]
    )


def first_step_is_lr_times_the_direction(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state the step is lr g / (|g| + eps), with the norm of the whole tensor."""
    start = trial.plain().fresh(p=trial.p * 0)
    g = exact(start.g)
    direction = g / (norm(g) + trial.hyper["eps"])
    yield due("p", bench.step(start), -trial.hyper["lr"] * direction)


def norm_is_kept_along_orthogonal_gradients(bench: Bench, trial: Trial) -> Claims:
    """|p'| = |p| where the gradient is orthogonal to p, and the step as long as lr |p|."""
    flat = trial.p.reshape(-1)
    even = flat[: flat.size // 2 * 2].reshape(-1, 2)
    g = np.zeros_like(flat)
    g[: even.size] = (even[:, ::-1] * cast(np.array([-1, 1]), flat)).reshape(-1)
    start = trial.plain().fresh(gradient=g.reshape(trial.p.shape))
    start = start.on(p=cast(flat * (np.arange(flat.size) < even.size), flat).reshape(trial.p.shape))
    out = bench.step(start)
    before, after = norm(exact(start.p)), norm(exact(out.p))
    slack = np.sqrt(np.sum(out.bound["p"] ** 2))
    yield Claim("p", after.v, before.v, after.e + before.e + slack)


def _of_lr(trial: Trial) -> bool:
    """Whether buffers hold steps in the parameter's own scale."""
    return trial.hyper.get("momentum") != "of_update"


_DIVIDED = fails("the step is divided by a size of the gradients", 1, 2)
_MEASURED = fails("the trust ratio depends on the parameter", 2, 1)
_TRUSTED = fails("the trust ratio scales", 3, 1)
_WHOLE = fails("the norms are those of the whole tensor", (1, 2, 3), (1, 2, -1))

RULES: dict[str, Row] = {
    "fromage": {
        **obeys(
            "deterministic equivariant_under_permutation equivariant_under_permuted_axes",
            "equivariant_under_reflection equivariant_under_rotation independent_of_other_tensors",
            "maximizing_is_minimizing_the_negated_gradient norm_is_kept_along_orthogonal_gradients",
            "odd params_unchanged_when_lr_is_zero resumes_bitwise_from_state",
        ),
        "equivariant_under_concatenation": _WHOLE,
        "first_step_is_at_most_lr": fails("the step is as long as the tensor, times lr", 5, 1),
        "linear_in_gradients": _DIVIDED,
        "linear_in_lr_when_params_are_zero": fails("the root of 1 + lr^2 divides", 0, 2, lr=1.0),
        "params_unchanged_when_gradients_are_zero": fails("every step shrinks", 2, 0),
        "translates_with_params": fails("the step is in proportion to the norm", 2, 1),
    },
    "lamb": {
        **SYMMETRIC,
        **obeys(
            "scale_invariant_when_eps_is_zero state_independent_of_params",
            "state_independent_of_weight_decay",
        ),
        "becomes_adam": _TRUSTED,
        "becomes_adamw": _TRUSTED,
        "decay_alone_is_geometric": holds(clip="none ratio_1 below_1 ratio_0.01_10", ratio="norms"),
        "equivariant_under_concatenation": _WHOLE,
        "equivariant_under_concatenation_of_whole_blocks": fails(
            "the norms are those of the whole tensor", 1, 1
        ),
        "equivariant_under_rotation": fails(
            "Adam's step is taken element by element", (4, 1, 0, 2), (4, 1, 0, -2)
        ),
        "first_step_is_at_most_lr": fails("the step is as long as the tensor, times lr", 5, 1),
        "first_step_is_lr_times_the_direction": fails("the trust ratio scales", 3, 1),
        "homogeneous_in_gradient_and_eps": holds(ratio="norms"),
        "linear_in_gradients": _DIVIDED,
        "norm_of_step_at_most_lr_times_norm_of_params": holds(
            adapts="always",
            bias_correction="both none",
            clip="none ratio_1 below_1 norm_10",
            decay="in_ratio",
            guard="zero",
        ),
        "norm_of_step_is_lr_times_norm_of_params": holds(
            adapts="always",
            bias_correction="both none",
            clip="none",
            decay="in_ratio",
            guard="zero",
            ratio="norms",
        ),
        "step_is_no_longer_than_adams": fails("the trust ratio scales", P, G),
        "step_scales_with_params": holds(adapts="always", clip="none", guard="zero", ratio="norms"),
        "translates_with_params": _MEASURED,
    },
    "lars": {
        **ALONG,
        **obeys("equivariant_under_rotation_of_rows"),
        "decay_alone_is_geometric": holds({"eps": 0.0}),
        "equivariant_under_concatenation": _WHOLE,
        "first_step_is_at_most_lr": fails(
            "the step is as long as the tensor, times lr and the coefficient",
            5,
            1,
            trust_coefficient=1.0,
        ),
        # Some libraries adapt the rate only where there is decay.
        "homogeneous_in_gradient_and_eps": holds(
            {"weight_decay": 0.3}, clip="none", momentum_form="lr_inside lr_outside"
        ),
        "linear_in_gradients": _DIVIDED,
        "linear_in_lr_when_params_are_zero": holds(momentum_form="lr_outside trust_outside"),
        "norm_of_step_at_most_lr_times_norm_of_params": holds(
            {"momentum": 0.0}, adapts="always", guard="zero"
        ),
        "norm_of_step_is_lr_times_norm_of_params": holds(
            {"eps": 0.0, "momentum": 0.0}, adapts="always", clip="none", ratio="norm_of_sum"
        ),
        "params_unchanged_when_lr_is_zero": holds(momentum_form="lr_outside trust_outside"),
        "scale_invariant_when_eps_is_zero": holds(
            {"weight_decay": 0.3}, clip="none", momentum_form="lr_inside lr_outside"
        ),
        "state_independent_of_params": fails(
            "the buffer holds steps of the parameter's length", 2, 1
        ),
        "state_independent_of_weight_decay": fails(
            "the buffer holds decayed steps", (2, -1), (1, 1), weight_decay=0.5
        ),
        "step_scales_with_params": holds(
            clip="none", momentum_form="lr_inside lr_outside", adapts="always", guard="zero"
        ),
        "translates_with_params": _MEASURED,
        "velocity_persists_when_gradients_vanish": holds(
            clip="none", momentum_form="lr_inside lr_outside"
        ),
    },
    "novograd": {
        **SYMMETRIC,
        **obeys(
            "equivariant_under_rotation first_step_is_at_most_lr homogeneous_in_gradient_and_eps",
            "scale_invariant_when_eps_is_zero",
        ),
        **decoupled("before"),
        "decay_alone_is_geometric": holds(),
        "equivariant_under_concatenation": _WHOLE,
        "first_step_is_lr_times_the_direction": holds(form="sum average_later"),
        "linear_in_gradients": _DIVIDED,
        "linear_in_lr_when_params_are_zero": holds(),
        "params_unchanged_when_lr_is_zero": holds(decay="in_momentum before"),
        "step_is_parallel_to_the_gradient": holds(),
    },
}
