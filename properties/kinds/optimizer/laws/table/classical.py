"""Gradient descent, its momenta and averages, root finding, filters."""

from __future__ import annotations

from truestep.properties.kinds.optimizer.laws.table.entries import Fails, Holds
from truestep.properties.kinds.optimizer.laws.table.shared import (
    BY_ELEMENT,
    DIVIDED,
    ELEMENTWISE,
    EVERY,
    LINEAR,
    PROPORTIONAL,
    ZEROS,
    Row,
)

_TWO_EXAMPLES = Fails(
    "the error is that of all elements together",
    {"lr": 0.1},
    (1.0, 2.0, 3.0),
    (1.0, 1.0, 1.0),
    inputs={"response": 1.0},
)
_AVERAGED = Fails(
    "the average is one of parameters", {"lr": 0.1}, (2.0,), (1.0,), {"t": 3, "average": (1.0,)}
)
_DECAYED_POINT = Fails(
    "the average is one of decayed parameters",
    {"lr": 0.1, "weight_decay": 0.5},
    (2.0,),
    (1.0,),
    {"t": 3, "average": (1.0,)},
)

CLASSICAL: dict[str, Row] = {
    "asgd": LINEAR
    | {
        "average_is_the_mean_of_the_points": Holds(at={"t0": 0}),
        "first_step_is_plain_descent": Holds(),
        "linear_in_lr_when_params_are_zero": Holds(at={"lambd": 0.0}),
        "state_independent_of_params": _AVERAGED,
        "state_independent_of_weight_decay": _DECAYED_POINT,
    },
    "heavy_ball": LINEAR
    | {
        "first_step_is_plain_descent": Holds(),
        "linear_in_lr_when_params_are_zero": Fails(
            "the last way is kept, and lr is in it",
            {"lr": 0.1},
            (0.0,),
            (1.0,),
            {"t": 3, "p_previous": (1.0,)},
        ),
        "params_unchanged_when_lr_is_zero": Fails(
            "the ball rolls on", {"lr": 0.1}, (0.0,), (1.0,), {"t": 3, "p_previous": (1.0,)}
        ),
        "state_independent_of_params": Fails(
            "the state is the last parameter", {"lr": 0.1}, (0.0,), (1.0,)
        ),
        "state_independent_of_weight_decay": Holds(),
        "velocity_persists_when_gradients_vanish": Holds(),
    },
    "kiefer_wolfowitz": ELEMENTWISE
    | {
        "descends_quadratics_by_the_exact_gradient": Holds(),
        "equivariant_under_rotation": Holds(),
        "first_step_is_at_most_lr": PROPORTIONAL,
        "first_step_is_plain_descent": Holds(),
        "linear_in_gradients": Holds(),
        "linear_in_lr_when_params_are_zero": Holds(),
        "never_climbs": Fails("steps may be too long", {"lr": 1.0}, (1.0,), (1.0,)),
        "params_unchanged_when_lr_is_zero": Holds(),
        "step_is_parallel_to_the_gradient": Holds(),
        "translates_with_params": Holds(),
    },
    "lms": EVERY
    | {
        "correction_shrinks_the_error_by_its_power": Holds(),
        "equivariant_under_concatenation": _TWO_EXAMPLES,
        "equivariant_under_permutation": Holds(),
        "equivariant_under_permuted_axes": Holds(),
        "equivariant_under_reflection": Holds(),
        "equivariant_under_rotation": Holds(),
        "first_step_is_at_most_lr": Fails(
            "the step is proportional to the error",
            {"lr": 0.1},
            (0.0,),
            (1.0,),
            inputs={"response": 5.0},
        ),
        "homogeneous_in_gradient_and_eps": Fails(
            "the error has a scale of its own",
            {"lr": 0.1},
            (0.0,),
            (1.0,),
            inputs={"response": 1.0},
        ),
        "linear_in_gradients": Fails(
            "the input enters the error and the step",
            {"lr": 0.1},
            (1.0, 2.0),
            (1.0, 3.0),
            inputs={"response": 1.0},
        ),
        "linear_in_lr_when_params_are_zero": Holds(),
        "moves_only_on_mistakes": Fails(
            "every error is corrected, whatever its side",
            {"lr": 0.1},
            (1.0, 2.0),
            (1.0, 3.0),
            inputs={"response": 1.0},
        ),
        "params_unchanged_when_lr_is_zero": Holds(),
        "path_from_zero_scales_with_lr": Fails(
            "the error shrinks by lr",
            {"lr": 0.1},
            (1.0, 2.0),
            (1.0, 3.0),
            inputs={"response": 1.0},
        ),
        "scale_invariant_when_eps_is_zero": Fails(
            "the error has a scale of its own",
            {"lr": 0.1},
            (0.0,),
            (1.0,),
            inputs={"response": 1.0},
        ),
        "step_is_parallel_to_the_gradient": Holds(),
        "translates_with_params": Fails(
            "the error depends on the parameter",
            {"lr": 0.1},
            (1.0,),
            (1.0,),
            inputs={"response": 1.0},
        ),
    },
    "nesterov": LINEAR
    | {
        "first_step_is_plain_descent": Holds({"form": ("lookahead",)}),
        "linear_in_lr_when_params_are_zero": Holds({"form": ("torch",)}),
        "params_unchanged_when_lr_is_zero": Holds({"form": ("torch",)}),
        "state_independent_of_params": Holds({"decay": ("decoupled",)}),
        "state_independent_of_weight_decay": Holds({"decay": ("decoupled",)}),
        "velocity_persists_when_gradients_vanish": Holds({"form": ("lookahead",)}),
    },
    "perceptron": EVERY
    | {
        "correction_shrinks_the_error_by_its_power": Fails(
            "a correction does not look at the size of the error",
            {"lr": 0.5},
            (-1.0, -2.0),
            (1.0, 3.0),
            inputs={"response": 1.0},
        ),
        "equivariant_under_concatenation": Fails(
            "the score is that of all elements together",
            {"lr": 0.1},
            (1.0, -2.0, -3.0),
            (1.0, 1.0, 1.0),
            inputs={"response": 1.0},
        ),
        "equivariant_under_permutation": Holds(),
        "equivariant_under_permuted_axes": Holds(),
        "equivariant_under_reflection": Holds(),
        "equivariant_under_rotation": Holds(),
        "first_step_is_at_most_lr": Fails(
            "a correction is as long as the input",
            {"lr": 0.1},
            (-1.0,),
            (5.0,),
            inputs={"response": 1.0},
        ),
        "linear_in_gradients": Fails(
            "each example is a mistake or not by itself",
            {"lr": 0.1},
            (4.0, -1.0, -2.0),
            (4.0, 1.0, 0.0),
            inputs={"response": 1.0},
        ),
        "linear_in_lr_when_params_are_zero": Holds(),
        "moves_only_on_mistakes": Holds(),
        "params_unchanged_when_lr_is_zero": Holds(),
        "path_from_zero_scales_with_lr": Holds(),
        "step_is_parallel_to_the_gradient": Holds(),
        "translates_with_params": Fails(
            "the score depends on the parameter",
            {"lr": 0.1},
            (1.0,),
            (1.0,),
            inputs={"response": 1.0},
        ),
    },
    "polyak_ruppert": LINEAR
    | {
        "average_is_the_mean_of_the_points": Holds({"average": ("uniform",)}, {"start": 0}),
        "descends_quadratics_by_the_exact_gradient": Holds(),
        "first_step_is_plain_descent": Holds(),
        "mean_of_the_observations_when_steps_are_one_over_t": Holds(at={"lr": 1.0, "power": 1.0}),
        "state_independent_of_params": _AVERAGED,
        "state_independent_of_weight_decay": _DECAYED_POINT,
    },
    "robbins_monro": LINEAR
    | {
        "descends_quadratics_by_the_exact_gradient": Holds(at={"offset": 0.0}),
        "first_step_is_plain_descent": Holds(at={"offset": 0.0}),
        "mean_of_the_observations_when_steps_are_one_over_t": Holds(
            at={"lr": 1.0, "offset": 0.0, "power": 1.0}
        ),
    },
    "sgd": LINEAR
    | {
        "average_is_the_mean_of_the_points": Fails(
            "nothing is averaged", {"lr": 0.1}, (1.0,), (1.0,)
        ),
        "becomes_signsgd": PROPORTIONAL,
        "depends_on_signs_alone": PROPORTIONAL,
        "first_step_is_plain_descent": Holds({"first_step": ("copy",)}),
        "first_step_of_a_rank_one_matrix_is_flat": Fails(
            "the step is proportional to the gradient",
            {"lr": 0.1},
            ZEROS,
            ((1.0, 2.0), (2.0, 4.0)),
        ),
        "implied_rate_projects_the_step_on_the_gradient": Holds({"first_step": ("copy",)}),
        "invariant_under_any_positive_scale": PROPORTIONAL,
        "linear_in_lr_when_params_are_zero": Holds({"momentum_form": ("lr_outside",)}),
        "mean_of_the_observations_when_steps_are_one_over_t": Fails(
            "all steps have one rate", {"lr": 1.0}, (1.0,), (2.0,)
        ),
        "norm_of_step_at_most_lr_times_norm_of_params": Fails(
            "the parameter's norm does not enter", {"lr": 0.1}, (1.0,), (3.0,)
        ),
        "norm_of_step_grows_by_at_most_growth": Fails(
            "a large gradient makes a large step",
            {"lr": 0.1},
            ZEROS,
            ((1.0, 2.0), (3.0, 4.0)),
        ),
        "params_unchanged_when_lr_is_zero": Holds({"momentum_form": ("lr_outside",)}),
        "point_of_the_gradient_lies_between_average_and_fast_point": Fails(
            "nothing is averaged", {"lr": 0.1}, (1.0,), (1.0,)
        ),
        "squares_over_roots_telescope": PROPORTIONAL,
        "state_independent_of_params": Holds({"decay": ("decoupled",)}),
        "state_independent_of_weight_decay": Holds({"decay": ("decoupled",)}),
        "step_at_most_lr_over_the_root_of_one_minus_alpha": PROPORTIONAL,
        "step_scales_with_params": Fails(
            "the parameter's size does not enter", {"lr": 0.1}, (1.0,), (3.0,)
        ),
        "velocity_persists_when_gradients_vanish": Holds(),
    },
    "swats": EVERY
    | {
        "becomes_adam": Holds(),
        "equivariant_under_concatenation": Fails(
            "the implied rate is one for the whole tensor",
            {"lr": 0.1},
            (0.0, 0.0, 0.0),
            (1.0, 2.0, 3.0),
        ),
        "equivariant_under_permutation": Holds(),
        "equivariant_under_permuted_axes": Holds(),
        "equivariant_under_reflection": Holds(),
        "equivariant_under_rotation": BY_ELEMENT,
        "first_step_is_at_most_lr": Holds(),
        "homogeneous_in_gradient_and_eps": Fails(
            "eps is also what two rates may differ by, which fall as gradients grow",
            {"lr": 0.1, "eps": 0.01},
            (1.0,),
            (2.0,),
            {"t": 3, "m": (1.0,), "v": (4.0,), "average": 1e-4},
        ),
        "implied_rate_projects_the_step_on_the_gradient": Holds(),
        "linear_in_gradients": DIVIDED,
        "linear_in_lr_when_params_are_zero": Fails(
            "after the switch the rate is the implied one",
            {"lr": 0.1},
            (0.0,),
            (1.0,),
            {"t": 3, "sgd_lr": 0.5, "switched": 1.0},
        ),
        "params_unchanged_when_lr_is_zero": Fails(
            "after the switch the rate is the implied one",
            {"lr": 0.1},
            (0.0,),
            (1.0,),
            {"t": 3, "sgd_lr": 0.5, "switched": 1.0},
        ),
        "scale_invariant_when_eps_is_zero": Holds(),
        "state_independent_of_params": Holds(),
        "step_within_the_cauchy_schwarz_bound": Holds(),
        "translates_with_params": Holds(),
    },
}
