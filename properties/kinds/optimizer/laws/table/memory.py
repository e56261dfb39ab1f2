"""Rules that keep less than one number for each element, or keep it in eight bits."""

from __future__ import annotations

from truestep.properties.kinds.optimizer.laws.table.entries import Fails, Holds
from truestep.properties.kinds.optimizer.laws.table.shared import (
    BY_ELEMENT,
    DECOUPLED,
    DIVIDED,
    EVERY,
    PROPORTIONAL,
    ZEROS,
    G,
    P,
    Row,
    decoupled,
)

_FACTORED = Fails("rows and columns share their second moment", {"lr": 0.1}, P, G)
_COLUMNS = Fails("rows share what is kept of the columns", {"lr": 0.1}, P, G)
_SCALED_BY_PARAMS = Fails("the step is scaled by the parameter", {"lr": 0.1}, (3.0,), (1.0,))

_FACTORING: Row = EVERY | {
    "equivariant_under_concatenation": _COLUMNS,
    "equivariant_under_permutation": _FACTORED,
    "equivariant_under_permuted_axes": Holds(),
    "equivariant_under_reflection": Holds(),
    "equivariant_under_rotation": BY_ELEMENT,
    "homogeneous_in_gradient_and_eps": Holds(),
    "linear_in_gradients": DIVIDED,
    "rows_and_columns_have_one_mean": Holds(),
    "scale_invariant_when_eps_is_zero": Holds(),
}

MEMORY: dict[str, Row] = {
    "adafactor": _FACTORING
    | {
        "decay_alone_is_geometric": Holds({"decay": ("before", "unscaled")}),
        "first_step_is_at_most_lr": Fails(
            "the step is scaled by the parameter", {"lr": 0.1}, (8.0,), (1.0,)
        ),
        "first_step_of_a_rank_one_matrix_is_flat": Holds(at={"eps1": 0.0}),
        "first_step_of_a_rank_one_matrix_shows_its_confidence": Fails(
            "the update is not divided by its own instability",
            {"lr": 0.1},
            ZEROS,
            ((1.0, 2.0), (2.0, 4.0)),
        ),
        "linear_in_lr_when_params_are_zero": Holds(
            {"momentum": ("none", "of_update"), "step_size": ("constant",)}
        ),
        "params_unchanged_when_lr_is_zero": Holds(
            {
                "decay": ("before", "step"),
                "momentum": ("none", "of_update"),
                "step_size": ("relative", "constant"),
            }
        ),
        "rms_of_step_is_clipped": Holds(
            {
                "clip": ("rms",),
                "momentum": ("none", "of_update"),
                "parameter_scale": ("rms", "rms_after_decay"),
                "step_size": ("relative", "constant"),
            }
        ),
        "state_independent_of_params": Holds({"momentum": ("none", "of_update")}),
        "state_independent_of_weight_decay": Holds({"parameter_scale": ("rms", "none")}),
        "step_scales_with_params": Holds(
            {"parameter_scale": ("rms", "rms_after_decay")}, {"eps2": 0.0}
        ),
        "translates_with_params": Holds({"parameter_scale": ("none",)}),
    },
    "adalomo": _FACTORING
    | {
        "decay_alone_is_geometric": Fails(
            "the decay is scaled by the parameter",
            {"lr": 0.1, "weight_decay": 0.5},
            (3.0,),
            (0.0,),
        ),
        "first_step_is_at_most_lr": Fails(
            "the step is scaled by the parameter", {"lr": 0.1}, (8.0,), (1.0,)
        ),
        "first_step_of_a_rank_one_matrix_is_flat": Holds(at={"eps1": 0.0}),
        "linear_in_lr_when_params_are_zero": Holds(),
        "params_unchanged_when_lr_is_zero": Holds(),
        "rms_of_step_is_clipped": Holds(),
        "state_independent_of_params": Holds(),
        "state_independent_of_weight_decay": Holds(),
        "step_scales_with_params": Holds(at={"eps2": 0.0}),
        "translates_with_params": _SCALED_BY_PARAMS,
    },
    "adam_mini": EVERY
    | DECOUPLED
    | {
        "becomes_adamw": Holds({"blocks": ("elements",)}),
        "equivariant_under_concatenation": Holds({"blocks": ("rows", "elements")}),
        "equivariant_under_permutation": Holds({"blocks": ("tensor", "elements")}),
        "equivariant_under_permuted_axes": Holds({"blocks": ("rows", "tensor", "elements")}),
        "equivariant_under_reflection": Holds(),
        "equivariant_under_rotation": Holds({"blocks": ("tensor",)}),
        "equivariant_under_rotation_of_rows": Holds({"blocks": ("rows", "tensor")}),
        "first_step_is_at_most_lr": Holds({"blocks": ("elements",)}),
        "first_step_of_every_row_has_rms_lr": Holds({"blocks": ("rows",)}),
        "homogeneous_in_gradient_and_eps": Holds(),
        "linear_in_gradients": DIVIDED,
        "linear_in_lr_when_params_are_zero": Holds(),
        "params_unchanged_when_lr_is_zero": Holds(),
        "scale_invariant_when_eps_is_zero": Holds(),
        "translates_with_params": Holds(),
    },
    "adamw_8bit": EVERY
    | decoupled("unscaled", "before", "after", "in_step")
    | {
        "equivariant_under_concatenation": Fails(
            "elements of a block share its scale",
            {"lr": 0.1, "block_size": 64},
            (0.0, 0.0, 0.0),
            (1.0, 0.1, 0.01),
        ),
        "equivariant_under_concatenation_of_whole_blocks": Holds(),
        "equivariant_under_permutation": Fails(
            "elements of a block share its scale",
            {"lr": 0.1, "block_size": 64},
            (0.0,) * 128,
            tuple(10.0 ** (-i / 10) for i in range(128)),
        ),
        "equivariant_under_permuted_axes": Fails(
            "elements of a block share its scale",
            {"lr": 0.1, "block_size": 64},
            (0.0,) * 128,
            tuple(10.0 ** (-i / 10) for i in range(128)),
        ),
        "equivariant_under_reflection": Fails(
            "the map of the first moment has 1, and not -1",
            {"lr": 0.1, "block_size": 64},
            (0.0,) * 8,
            (1.0,) * 8,
        ),
        "equivariant_under_rotation": BY_ELEMENT,
        "first_step_is_at_most_lr": Holds(),
        "homogeneous_in_gradient_and_eps": Holds(at={"absmax_floor": 0.0}),
        "linear_in_gradients": DIVIDED,
        "linear_in_lr_when_params_are_zero": Holds(
            {"decay": ("unscaled", "before", "in_step", "coupled")}
        ),
        "odd": Fails(
            "the map of the first moment has 1, and not -1",
            {"lr": 0.1, "block_size": 64},
            (0.0, 0.0),
            (1.0, 0.5),
        ),
        "params_unchanged_when_lr_is_zero": Holds(
            {"decay": ("before", "after", "in_step", "coupled")}
        ),
        "scale_invariant_when_eps_is_zero": Holds(at={"absmax_floor": 0.0}),
        "step_within_the_cauchy_schwarz_bound": Holds(),
        "translates_with_params": Holds(),
    },
    "came": _FACTORING
    | decoupled("before")
    | {
        "first_step_is_at_most_lr": Fails(
            "an average that begins at zero divides", {"lr": 0.1}, ((0.0,),), ((1.0,),)
        ),
        "first_step_of_a_rank_one_matrix_is_flat": Holds(at={"eps1": 0.0}),
        "first_step_of_a_rank_one_matrix_shows_its_confidence": Holds(at={"eps2": 0.0}),
        "linear_in_lr_when_params_are_zero": Holds(),
        "params_unchanged_when_lr_is_zero": Holds(),
        "translates_with_params": Holds(),
    },
    "lomo": EVERY
    | {
        "decay_alone_is_geometric": Holds(),
        "equivariant_under_concatenation": Holds({"clip": ("none", "value")}),
        "equivariant_under_permutation": Holds(),
        "equivariant_under_permuted_axes": Holds(),
        "equivariant_under_reflection": Holds(),
        "equivariant_under_rotation": Holds({"clip": ("none", "norm")}),
        "first_step_is_at_most_lr": Holds({"clip": ("value", "norm", "both")}),
        "first_step_is_plain_descent": Holds({"clip": ("none",)}),
        "homogeneous_in_gradient_and_eps": PROPORTIONAL,
        "linear_in_gradients": Holds({"clip": ("none",)}),
        "linear_in_lr_when_params_are_zero": Holds(),
        "params_unchanged_when_lr_is_zero": Holds(),
        "scale_invariant_when_eps_is_zero": PROPORTIONAL,
        "step_is_parallel_to_the_gradient": Holds({"clip": ("none", "norm")}),
        "translates_with_params": Holds(),
    },
    "sm3": EVERY
    | {
        "accumulators_cover_the_sum_of_squares": Holds({"accumulator": ("sum",)}),
        "accumulators_never_decrease": Holds({"accumulator": ("sum", "average_held")}),
        "decay_alone_is_geometric": Fails(
            "a coupled decay passes through the adaptive step, which forgets its size",
            {"lr": 0.1, "weight_decay": 0.5},
            (1.0, -3.0),
            (0.0, 0.0),
        ),
        "denominator_covers_the_gradient": Holds({"accumulator": ("sum",)}),
        "equivariant_under_concatenation": _COLUMNS,
        "equivariant_under_permutation": Fails(
            "rows and columns share what is kept",
            {"lr": 0.1},
            P,
            G,
            {"t": 3, "mu": (1.0, 2.0, 3.0, 4.0)},
        ),
        "equivariant_under_permuted_axes": Holds(),
        "equivariant_under_reflection": Holds(),
        "equivariant_under_rotation": BY_ELEMENT,
        "first_step_is_at_most_lr": Holds({"accumulator": ("sum",)}),
        "homogeneous_in_gradient_and_eps": Holds(),
        "linear_in_gradients": DIVIDED,
        "linear_in_lr_when_params_are_zero": Holds(),
        "params_unchanged_when_lr_is_zero": Holds(),
        "rows_and_columns_have_one_mean": Fails(
            "maxima are kept, not means",
            {"lr": 0.1},
            ZEROS,
            ((1.0, 2.0), (1.0, 3.0)),
        ),
        "scale_invariant_when_eps_is_zero": Holds(),
        "squares_over_roots_telescope": Holds({"accumulator": ("sum",)}, {"momentum": 0.0}),
        "state_independent_of_params": Fails(
            "the decay enters the gradient",
            {"lr": 0.1, "weight_decay": 0.5},
            (2.0,),
            (1.0,),
        ),
        "state_independent_of_weight_decay": Fails(
            "the decay enters the gradient",
            {"lr": 0.1, "weight_decay": 0.5},
            (2.0,),
            (1.0,),
        ),
        "translates_with_params": Holds(),
        "velocity_persists_when_gradients_vanish": Holds(),
    },
}
