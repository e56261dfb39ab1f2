"""Rules that treat a matrix as one: its singular vectors, the bases of its sides."""

from __future__ import annotations

from truestep.properties.kinds.optimizer.laws.table.shared import (
    BY_MATRIX,
    DECOUPLED,
    MIXED,
    ORDINARY,
    ZEROS,
    G,
    P,
    Row,
    decoupled,
    fails,
)
from truestep.properties.laws.entries import holds, obeys

_DIVIDED = fails("the step is divided by a size of the gradients", P, G, {"t": 9})
_TURNED = fails(
    "rows and columns are turned into bases of their own",
    P,
    G,
    {"t": 3, "bases": (0.8, -0.6, 0.6, 0.8, 1, 0, 0, 1)},
)

MATRIX: dict[str, Row] = {
    "distributed_shampoo": {
        **BY_MATRIX,
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
        **BY_MATRIX,
        **decoupled("before"),
        "equivariant_under_rotation_of_rows": holds(norm="frobenius spectral schatten"),
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
        **BY_MATRIX,
        **decoupled("before unscaled"),
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
        **ORDINARY,
        **DECOUPLED,
        **obeys(
            "bases_are_orthonormal first_step_is_at_most_lr first_step_leaves_params",
            "scale_invariant_when_eps_is_zero",
        ),
        "equivariant_under_concatenation": MIXED,
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
