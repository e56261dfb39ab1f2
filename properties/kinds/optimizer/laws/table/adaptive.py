"""AdaGrad, RMSProp, Adam and what was made of them, element by element."""

from __future__ import annotations

from truestep.properties.kinds.optimizer.laws.table.entries import Fails, Holds
from truestep.properties.kinds.optimizer.laws.table.shared import ADAPTIVE, ZEROS, G, Row, decoupled

_AHEAD = Fails(
    "the look-ahead part comes on top",
    {"lr": 0.1},
    (0.0,),
    (3.0,),
    {"t": 99999, "m": (1.0,), "v": (1.0,), "mu_product": 0.1},
)

ADAPTIVE_RULES: dict[str, Row] = {
    "adadelta": ADAPTIVE
    | decoupled("before")
    | {
        "first_step_is_at_most_lr": Fails(
            "the first step is as long as the root of eps lets it",
            {"lr": 1.0, "eps": 1.0},
            (0.0,),
            (3.0,),
        ),
        "first_step_is_measured_by_eps": Holds(),
        "homogeneous_in_gradient_and_eps": Fails(
            "one eps is added to squares of gradients and to squares of steps",
            {"lr": 1.0, "eps": 0.01},
            (0.0,),
            (2.0,),
        ),
    },
    "adagrad": ADAPTIVE
    | decoupled("before")
    | {
        "accumulators_cover_the_sum_of_squares": Holds(),
        "accumulators_never_decrease": Holds(),
        "constant_gradients_give_constant_steps": Fails(
            "steps shrink as squares add up", {"lr": 0.1}, (0.0,), (2.0,)
        ),
        "denominator_covers_the_gradient": Holds(),
        "order_of_gradients_leaves_the_accumulator": Holds(),
        "squares_over_roots_telescope": Holds(),
    },
    "adam": ADAPTIVE
    | decoupled("before", "after")
    | {
        "becomes_adamw": Holds({"bias_correction": ("both",), "decay": ("before", "after")}),
        "becomes_rmsprop": Holds(
            {"decay": ("coupled", "before"), "eps_placement": ("outside", "inside", "floor")}
        ),
        "channels_are_parallel_to_the_gradients": Fails(
            "each element has a rate of its own",
            {"lr": 0.1},
            ZEROS,
            ((1.0, 2.0), (3.0, 1.0)),
        ),
        "constant_gradients_give_constant_steps": Holds(
            {"bias_correction": ("both",), "eps_placement": ("outside",)}
        ),
        "denominator_covers_the_gradient": Fails(
            "an average lags behind", {"lr": 0.1}, (0.0,), (2.0,)
        ),
        "descends_quadratics_by_the_exact_gradient": Fails(
            "the step is divided by a size of the gradients", {"lr": 0.1}, (1.0,), (2.0,)
        ),
        "differences_vanish_when_gradients_are_constant": Fails(
            "v is of squares here, not of differences", {"lr": 0.1}, (0.0,), (2.0,)
        ),
        "equivariant_under_rotation_of_rows": Fails(
            "each element has a rate of its own",
            {"lr": 0.1},
            ((0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0)),
            ((0.1, 0.2, 0.3, 0.0), (0.3, 0.1, 0.1, 0.5)),
        ),
        "first_step_is_at_most_lr": Holds({"bias_correction": ("both",)}),
        "first_step_is_plain_descent": Fails(
            "the step is divided by a size of the gradients", {"lr": 0.1}, (0.0,), (2.0,)
        ),
        "first_step_leaves_params": Fails(
            "the first step moves already", {"lr": 0.1}, (0.0,), (2.0,)
        ),
        "first_step_looks_ahead": Fails(
            "the momentum is the corrected average", {"lr": 0.1}, (0.0,), (2.0,)
        ),
        "first_step_of_every_row_has_rms_lr": Fails(
            "an element without gradient does not move, and others do not make up for it",
            {"lr": 0.1},
            ZEROS,
            ((1.0, 0.0), (3.0, 1.0)),
        ),
        "implied_rate_projects_the_step_on_the_gradient": Fails(
            "the rate of a step is not lr", {"lr": 0.1}, (0.0,), (2.0,)
        ),
        "linear_in_lr_when_params_are_zero": Holds({"decay": ("coupled", "before")}),
        "step_at_most_the_momentum_over_the_root_of_eps": Holds({"eps_placement": ("inside",)}),
        "step_is_lr_or_nothing": Fails(
            "eps shortens steps", {"lr": 0.1, "eps": 1.0}, (0.0,), (2.0,)
        ),
        "step_is_parallel_to_the_gradient": Fails(
            "each element has a rate of its own", {"lr": 0.1}, (0.0, 0.0), (1.0, 3.0)
        ),
        "step_shares_its_singular_vectors_with_the_gradient": Fails(
            "each element has a rate of its own", {"lr": 0.1}, ZEROS, G
        ),
        "step_within_the_cauchy_schwarz_bound": Holds({"bias_correction": ("both",)}),
    },
    "adam_16bit": ADAPTIVE
    | {
        "state_independent_of_params": Holds(),
        "step_at_most_the_momentum_over_the_root_of_eps": Holds({"floor_placement": ("inside",)}),
        "step_within_the_cauchy_schwarz_bound": Holds(),
    },
    "adamax": ADAPTIVE
    | decoupled("before", "in_step")
    | {
        "constant_gradients_give_constant_steps": Holds(),
        "denominator_covers_the_gradient": Holds(),
        "step_within_the_geometric_bound": Holds(),
    },
    "adamw": ADAPTIVE
    | decoupled("unscaled", "before", "after", "in_step")
    | {
        "becomes_adam": Holds({"bias_correction": ("moments",)}),
        "constant_gradients_give_constant_steps": Holds({"eps_placement": ("outside",)}),
        "decay_divides_when_gradients_are_zero": Fails(
            "the decay multiplies",
            {"lr": 0.1, "weight_decay": 0.5, "decay": "before"},
            (2.0,),
            (0.0,),
        ),
        "linear_in_lr_when_params_are_zero": Holds({"decay": ("unscaled", "before", "in_step")}),
        "norm_of_step_is_lr_times_norm_of_params": Fails(
            "the parameter's norm does not enter", {"lr": 0.1}, (3.0,), (1.0,)
        ),
        "params_unchanged_when_lr_is_zero": Holds({"decay": ("before", "after", "in_step")}),
        "step_at_most_the_momentum_over_the_root_of_eps": Fails(
            "eps stands outside of the root",
            {"lr": 0.1, "eps": 0.01},
            (0.0,),
            (0.001,),
        ),
        "step_within_the_cauchy_schwarz_bound": Holds(),
    },
    "amsgrad": ADAPTIVE
    | decoupled("before", "in_step")
    | {
        "accumulators_never_decrease": Holds(),
        "becomes_adam": Holds(),
        "becomes_rmsprop": Fails(
            "the largest second moment divides, not the last",
            {"lr": 0.1},
            (0.0,),
            (1.0,),
            {"t": 3, "v": (1.0,), "v_max": (9.0,)},
        ),
        "constant_gradients_give_constant_steps": Holds(
            {"bias_correction": ("both",), "eps_placement": ("outside",)}
        ),
        "first_step_is_at_most_lr": Holds({"bias_correction": ("both",)}),
        "step_at_most_adams": Holds(),
        "step_within_the_cauchy_schwarz_bound": Holds({"bias_correction": ("both",)}),
    },
    "nadam": ADAPTIVE
    | decoupled("before", "in_step")
    | {
        "first_step_is_at_most_lr": Fails(
            "the look-ahead part comes on top", {"lr": 0.1}, (0.0,), (2.0,)
        ),
        "first_step_looks_ahead": Holds({"eps_placement": ("outside",)}),
        "step_at_most_adams": _AHEAD,
        "step_at_most_lr_times_the_ratio_of_the_moments": _AHEAD,
        "step_within_the_cauchy_schwarz_bound": Fails(
            "the look-ahead part comes on top", {"lr": 0.1}, (0.0,), (2.0,)
        ),
        "step_within_the_geometric_bound": Fails(
            "the look-ahead part comes on top", {"lr": 0.1}, (0.0,), (2.0,)
        ),
    },
    "radam": ADAPTIVE
    | decoupled("before")
    | {
        "decay_alone_is_geometric": Holds(),
        "first_step_is_at_most_lr": Holds({"unrectified": ("still",)}),
        "first_step_is_plain_descent": Holds({"unrectified": ("momentum",)}),
        "homogeneous_in_gradient_and_eps": Holds({"unrectified": ("still",)}),
        "linear_in_gradients": Fails(
            "rectified steps are divided by a size of the gradients",
            {"lr": 0.1},
            (0.0,),
            (2.0,),
            {"t": 99},
        ),
        "scale_invariant_when_eps_is_zero": Holds({"unrectified": ("still",)}),
        "step_at_most_adams": Holds(at={"beta2": 0.99}),
        "step_is_parallel_to_the_gradient": Holds(),
    },
    "rmsprop": ADAPTIVE
    | decoupled("before")
    | {
        "accumulators_cover_the_sum_of_squares": Fails(
            "an average forgets", {"lr": 0.1}, (0.0,), (2.0,)
        ),
        "accumulators_never_decrease": Fails(
            "an average forgets", {"lr": 0.1}, (0.0,), (1.0,), {"t": 3, "v": (9.0,)}
        ),
        "first_step_is_at_most_lr": Holds(
            {"bias_correction": ("both", "in_average")},
            {"centered": False, "momentum": 0.0, "initial_v": 0.0},
        ),
        "first_step_is_measured_by_eps": Fails(
            "the step is measured by lr", {"lr": 0.1, "eps": 0.01}, (0.0,), (2.0,)
        ),
        "linear_in_lr_when_params_are_zero": Holds({"momentum_form": ("lr_outside",)}),
        "order_of_gradients_leaves_the_accumulator": Fails(
            "an average forgets", {"lr": 0.1}, (0.0, 0.0), (2.0, 1.0)
        ),
        "params_unchanged_when_lr_is_zero": Holds({"momentum_form": ("lr_outside",)}),
        "rms_of_step_is_clipped": Fails(
            "the average that divides begins at zero",
            {"lr": 0.1},
            ZEROS,
            ((1.0, 2.0), (3.0, 4.0)),
        ),
        "step_at_most_lr_over_the_root_of_one_minus_alpha": Holds(
            at={"centered": False, "momentum": 0.0}
        ),
        "step_at_most_lr_times_limit": Fails(
            "the average that divides begins at zero", {"lr": 0.1}, (0.0,), (2.0,)
        ),
        "velocity_persists_when_gradients_vanish": Holds(),
    },
}
