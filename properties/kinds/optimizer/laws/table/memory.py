"""Rules that keep less than one number for each element, or keep it otherwise."""

from __future__ import annotations

from truestep.properties.kinds.optimizer.laws.table.shared import (
    ADAPTIVE,
    DECOUPLED,
    PROPORTIONAL,
    SYMMETRIC,
    ZEROS,
    G,
    P,
    Row,
    decoupled,
    fails,
)
from truestep.properties.laws.entries import holds, obeys

_COLUMNS = fails("rows share what is kept of the columns", P, G)
_DECAYED = fails("the decay enters the gradient", 2, 1, weight_decay=0.5)
_FACTORED = fails("rows and columns share their second moment", P, G)
_SCALED = fails("the step is scaled by the parameter", 8, 1)
_SCALED_BY_PARAMS = fails("the step is scaled by the parameter", 3, 1)
_FACTORING: Row = {
    **ADAPTIVE,
    **obeys("rows_and_columns_have_one_mean"),
    "equivariant_under_concatenation": _COLUMNS,
    "equivariant_under_permutation": _FACTORED,
}

MEMORY: dict[str, Row] = {
    "adafactor": {
        **_FACTORING,
        "decay_alone_is_geometric": holds(decay="before unscaled"),
        "first_step_is_at_most_lr": _SCALED,
        "first_step_of_a_rank_one_matrix_is_flat": holds({"eps1": 0.0}),
        "first_step_of_a_rank_one_matrix_shows_its_confidence": fails(
            "the update is not divided by its own instability", ZEROS, ((1, 2), (2, 4))
        ),
        "linear_in_lr_when_params_are_zero": holds(momentum="none of_update", step_size="constant"),
        "params_unchanged_when_lr_is_zero": holds(
            decay="before step", momentum="none of_update", step_size="relative constant"
        ),
        "rms_of_step_is_clipped": holds(
            clip="rms",
            momentum="none of_update",
            parameter_scale="rms rms_after_decay",
            step_size="relative constant",
        ),
        "state_independent_of_params": holds(momentum="none of_update"),
        "state_independent_of_weight_decay": holds(parameter_scale="rms none"),
        "step_scales_with_params": holds({"eps2": 0.0}, parameter_scale="rms rms_after_decay"),
        "translates_with_params": holds(parameter_scale="none"),
    },
    "adalomo": {
        **_FACTORING,
        **obeys(
            "rms_of_step_is_clipped state_independent_of_params state_independent_of_weight_decay"
        ),
        "decay_alone_is_geometric": fails(
            "the decay is scaled by the parameter", 3, 0, weight_decay=0.5
        ),
        "first_step_is_at_most_lr": _SCALED,
        "first_step_of_a_rank_one_matrix_is_flat": holds({"eps1": 0.0}),
        "step_scales_with_params": holds({"eps2": 0.0}),
        "translates_with_params": _SCALED_BY_PARAMS,
    },
    "adam_mini": {
        **ADAPTIVE,
        **DECOUPLED,
        "becomes_adamw": holds(blocks="elements"),
        "equivariant_under_concatenation": holds(blocks="rows elements"),
        "equivariant_under_permutation": holds(blocks="tensor elements"),
        "equivariant_under_permuted_axes": holds(blocks="rows tensor elements"),
        "equivariant_under_rotation": holds(blocks="tensor"),
        "equivariant_under_rotation_of_rows": holds(blocks="rows tensor"),
        "first_step_is_at_most_lr": holds(blocks="elements"),
        "first_step_of_every_row_has_rms_lr": holds(blocks="rows"),
    },
    "came": {
        **_FACTORING,
        **decoupled("before"),
        "first_step_is_at_most_lr": fails(
            "an average that begins at zero divides", ((0,),), ((1,),)
        ),
        "first_step_of_a_rank_one_matrix_is_flat": holds({"eps1": 0.0}),
        "first_step_of_a_rank_one_matrix_shows_its_confidence": holds({"eps2": 0.0}),
    },
    "lomo": {
        **SYMMETRIC,
        **DECOUPLED,
        "equivariant_under_concatenation": holds(clip="none value"),
        "equivariant_under_rotation": holds(clip="none norm"),
        "first_step_is_at_most_lr": holds(clip="value norm both"),
        "first_step_is_plain_descent": holds(clip="none"),
        "homogeneous_in_gradient_and_eps": PROPORTIONAL,
        "linear_in_gradients": holds(clip="none"),
        "scale_invariant_when_eps_is_zero": PROPORTIONAL,
        "step_is_parallel_to_the_gradient": holds(clip="none norm"),
    },
    "sm3": {
        **_FACTORING,
        **obeys("velocity_persists_when_gradients_vanish"),
        "accumulators_cover_the_sum_of_squares": holds(accumulator="sum"),
        "accumulators_never_decrease": holds(accumulator="sum average_held"),
        "decay_alone_is_geometric": fails(
            "a coupled decay passes through the adaptive step, which forgets its size",
            (1, -3),
            (0, 0),
            weight_decay=0.5,
        ),
        "denominator_covers_the_gradient": holds(accumulator="sum"),
        "equivariant_under_permutation": fails(
            "rows and columns share what is kept", P, G, {"t": 3, "mu": (1, 2, 3, 4)}
        ),
        "first_step_is_at_most_lr": holds(accumulator="sum"),
        "rows_and_columns_have_one_mean": fails(
            "maxima are kept, not means", ZEROS, ((1, 2), (1, 3))
        ),
        "squares_over_roots_telescope": holds({"momentum": 0.0}, accumulator="sum"),
        "state_independent_of_params": _DECAYED,
        "state_independent_of_weight_decay": _DECAYED,
    },
}
