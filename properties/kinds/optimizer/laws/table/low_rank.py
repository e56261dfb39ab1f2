"""Rules that see a matrix through a projection of it."""

from __future__ import annotations

from truestep.properties.kinds.optimizer.laws.table.entries import Fails, Holds
from truestep.properties.kinds.optimizer.laws.table.shared import (
    BY_ELEMENT,
    DECOUPLED,
    EVERY,
    ZEROS,
    G,
    P,
    Row,
)

_P = ((1.0, 2.0, 0.5), (0.5, -1.0, 3.0))
_G = ((1.0, 2.0, -1.0), (5.0, 3.0, 0.5))
_ONE = {"lr": 0.1, "rank": 1}
_TOGETHER = Fails("rows are projected together", _ONE, _P, _G)
_DIVIDED = Fails("the step is divided by a size of the gradients", _ONE, _P, _G)

_PROJECTED: Row = (
    EVERY
    | DECOUPLED
    | {
        "channels_are_parallel_to_the_gradients": Holds(),
        "equivariant_under_concatenation": _TOGETHER,
        "equivariant_under_permutation": _TOGETHER,
        "equivariant_under_permuted_axes": Holds(),
        "equivariant_under_reflection": _TOGETHER,
        "equivariant_under_rotation": BY_ELEMENT,
        "first_step_is_at_most_lr": Fails(
            "the gradient is scaled, not its elements",
            _ONE,
            _P,
            ((9.0, 2.0, -1.0), (5.0, 3.0, 0.5)),
        ),
        "homogeneous_in_gradient_and_eps": Holds({"guard": ("none",)}),
        "linear_in_gradients": _DIVIDED,
        "linear_in_lr_when_params_are_zero": Fails(
            "the decay shrinks the moved parameter",
            _ONE | {"weight_decay": 0.5},
            ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
            _G,
        ),
        "norm_of_step_grows_by_at_most_growth": Holds(
            {"correction": ("first",), "guard": ("none",), "limiter": ("growth",)}
        ),
        "params_unchanged_when_lr_is_zero": Holds(),
        "scale_invariant_when_eps_is_zero": Holds({"guard": ("none",)}),
        "translates_with_params": Holds(),
    }
)

LOW_RANK: dict[str, Row] = {
    "apollo": _PROJECTED
    | {
        "bases_are_orthonormal": Fails("projections are drawn at random", _ONE, _P, _G),
        "matrices_of_the_state_are_symmetric": Fails(
            "projections are drawn at random", {"lr": 0.1, "rank": 2}, _P, _G
        ),
        "step_is_in_the_span_of_the_projectors": Fails(
            "the gradient itself is scaled, column by column", _ONE, _P, _G
        ),
    },
    "apollo_mini": _PROJECTED | {"step_is_parallel_to_the_gradient": Holds()},
    "galore": EVERY
    | DECOUPLED
    | {
        "bases_are_orthonormal": Holds(),
        "equivariant_under_concatenation": _TOGETHER,
        "equivariant_under_permutation": _TOGETHER,
        "equivariant_under_permuted_axes": Holds(),
        "equivariant_under_reflection": Fails(
            "rows are projected together",
            _ONE,
            ((0.0,) * 4,) * 3,
            ((1.0, 2.0, -1.0, 3.0), (5.0, 3.0, 0.5, -2.0), (2.0, -4.0, 1.0, 1.0)),
        ),
        "equivariant_under_rotation": Fails(
            "Adam's step is taken coordinate by coordinate", {"lr": 0.1}, P, G
        ),
        "first_step_is_at_most_lr": Fails(
            "coordinates of one size add up",
            {"lr": 0.1, "rank": 2, "scale": 1.0},
            ZEROS,
            ((3.0, 1.0), (1.0, 2.0)),
        ),
        "homogeneous_in_gradient_and_eps": Holds(),
        "linear_in_gradients": _DIVIDED,
        "linear_in_lr_when_params_are_zero": Holds({"decay": ("before",)}),
        "params_unchanged_when_lr_is_zero": Holds(),
        "scale_invariant_when_eps_is_zero": Holds(),
        "step_is_in_the_span_of_the_projectors": Holds(),
        "translates_with_params": Holds(),
    },
}
