"""Rules that see a matrix through a projection of it."""

from __future__ import annotations

from truestep.properties.kinds.optimizer.laws.table.shared import (
    BY_ELEMENT,
    DECOUPLED,
    MIXING,
    ORDINARY,
    ZEROS,
    G,
    P,
    Row,
    fails,
)
from truestep.properties.laws.entries import holds, obeys

_P = ((1, 2, 0.5), (0.5, -1, 3))
_G = ((1, 2, -1), (5, 3, 0.5))
_TOGETHER = fails("rows are projected together", _P, _G, rank=1)
_DIVIDED = fails("the step is divided by a size of the gradients", _P, _G, rank=1)

_PROJECTED: Row = {
    **ORDINARY,
    **DECOUPLED,
    **dict.fromkeys(MIXING, _TOGETHER),
    **obeys("channels_are_parallel_to_the_gradients"),
    "equivariant_under_rotation": BY_ELEMENT,
    "first_step_is_at_most_lr": fails(
        "the gradient is scaled, not its elements", _P, ((9, 2, -1), (5, 3, 0.5)), rank=1
    ),
    "homogeneous_in_gradient_and_eps": holds(guard="none"),
    "linear_in_gradients": _DIVIDED,
    "linear_in_lr_when_params_are_zero": fails(
        "the decay shrinks the moved parameter", ((0,) * 3,) * 2, _G, rank=1, weight_decay=0.5
    ),
    "norm_of_step_grows_by_at_most_growth": holds(
        correction="first", guard="none", limiter="growth"
    ),
    "scale_invariant_when_eps_is_zero": holds(guard="none"),
}

LOW_RANK: dict[str, Row] = {
    "apollo": {
        **_PROJECTED,
        "bases_are_orthonormal": fails("projections are drawn at random", _P, _G, rank=1),
        "matrices_of_the_state_are_symmetric": fails(
            "projections are drawn at random", _P, _G, rank=2
        ),
        "step_is_in_the_span_of_the_projectors": fails(
            "the gradient itself is scaled, column by column", _P, _G, rank=1
        ),
        "step_is_parallel_to_the_gradient": holds(scaling="tensor"),
    },
    "galore": {
        **ORDINARY,
        **DECOUPLED,
        **obeys(
            "bases_are_orthonormal homogeneous_in_gradient_and_eps",
            "scale_invariant_when_eps_is_zero step_is_in_the_span_of_the_projectors",
        ),
        "equivariant_under_concatenation": _TOGETHER,
        "equivariant_under_permutation": _TOGETHER,
        "equivariant_under_reflection": fails(
            "rows are projected together",
            ((0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)),
            ((1, 2, -1, 3), (5, 3, 0.5, -2), (2, -4, 1, 1)),
            rank=1,
        ),
        "equivariant_under_rotation": fails("Adam's step is taken coordinate by coordinate", P, G),
        "first_step_is_at_most_lr": fails(
            "coordinates of one size add up", ZEROS, ((3, 1), (1, 2)), rank=2, scale=1.0
        ),
        "linear_in_gradients": _DIVIDED,
        "linear_in_lr_when_params_are_zero": holds(decay="before"),
    },
}
