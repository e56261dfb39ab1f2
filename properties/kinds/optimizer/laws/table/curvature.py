"""Rules that estimate second derivatives."""

from __future__ import annotations

from truestep.properties.kinds.optimizer.laws.table.entries import Fails, Holds
from truestep.properties.kinds.optimizer.laws.table.shared import (
    BY_ELEMENT,
    BY_MATRIX,
    DIVIDED,
    ELEMENTWISE,
    EVERY,
    PROPORTIONAL,
    ZEROS,
    G,
    Row,
    decoupled,
)

_PAIR = {
    "t": 3,
    "steps": ((0.0, 0.0, 0.0), (1.0, 2.0, -1.0)),
    "changes": ((0.0, 0.0, 0.0), (2.0, 1.0, -2.0)),
}
_KEPT = {**_PAIR, "rho": (0.0, 1 / 6), "step": (1.0, 1.0, 1.0), "g": (1.0, 2.0, 3.0)}
_AVERAGED = {**_PAIR, "rho": (0.0, 1 / 6)}
_TWO = {"memory": 2}

# Of rules that keep pairs of ways and changes of the gradient.
_PAIRED: Row = EVERY | {
    "equivariant_under_permutation": Holds(),
    "equivariant_under_permuted_axes": Holds(),
    "equivariant_under_reflection": Holds(),
    "equivariant_under_rotation": Holds(),
    "first_step_is_at_most_lr": PROPORTIONAL,
    "params_unchanged_when_lr_is_zero": Holds(),
    "step_is_parallel_to_the_gradient": Holds(),
    "translates_with_params": Holds(),
}

CURVATURE: dict[str, Row] = {
    "kbfgs": BY_MATRIX
    | decoupled("before")
    | {
        "decay_alone_is_geometric": Holds(),
        "equivariant_under_concatenation": Fails(
            "rows share their curvature",
            {"lr": 0.1},
            ZEROS,
            G,
            {"t": 3, "inverse_g": ((2.0, 1.0), (1.0, 2.0))},
        ),
        "equivariant_under_permutation": Fails(
            "rows share their curvature",
            {"lr": 0.1},
            ZEROS,
            G,
            {"t": 3, "inverse_g": ((2.0, 1.0), (1.0, 2.0))},
        ),
        "equivariant_under_reflection": Fails(
            "rows share their curvature",
            {"lr": 0.1},
            ZEROS,
            G,
            {"t": 3, "inverse_g": ((2.0, 1.0), (1.0, 2.0))},
        ),
        "equivariant_under_rotation": Fails(
            "rows share their curvature",
            {"lr": 0.1},
            ZEROS,
            G,
            {"t": 3, "inverse_g": ((2.0, 1.0), (1.0, 2.0))},
        ),
        "equivariant_under_scaled_activations": Fails(
            "the damping has a scale of its own", {"lr": 0.1}, ZEROS, G
        ),
        "first_step_is_at_most_lr": Fails(
            "the step is proportional to the gradient", {"lr": 0.1}, ZEROS, ((9.0, 9.0), (9.0, 9.0))
        ),
        "first_step_is_descent_over_the_root_of_damping": Holds(),
        "linear_in_gradients": Holds(),
        "matrices_of_the_state_are_symmetric": Holds(),
    },
    "kfac": BY_MATRIX
    | {
        "decay_alone_is_geometric": Holds(),
        "equivariant_under_concatenation": Fails(
            "rows share their curvature",
            {"lr": 0.1, "damping": 0.1},
            ZEROS,
            G,
            {"t": 3, "factor_s": ((2.0, 1.0), (1.0, 2.0))},
        ),
        "equivariant_under_permutation": Fails(
            "rows share their curvature",
            {"lr": 0.1, "damping": 0.1},
            ZEROS,
            G,
            {"t": 3, "factor_s": ((2.0, 1.0), (1.0, 2.0))},
        ),
        "equivariant_under_reflection": Fails(
            "rows share their curvature",
            {"lr": 0.1, "damping": 0.1},
            ZEROS,
            G,
            {"t": 3, "factor_s": ((2.0, 1.0), (1.0, 2.0))},
        ),
        "equivariant_under_rotation": Fails(
            "rows share their curvature",
            {"lr": 0.1, "damping": 0.1},
            ZEROS,
            G,
            {"t": 3, "factor_s": ((2.0, 1.0), (1.0, 2.0))},
        ),
        "equivariant_under_scaled_activations": Holds(at={"damping": 0.0}),
        "first_step_is_at_most_lr": Fails(
            "the step is proportional to the gradient",
            {"lr": 0.1, "damping": 0.1},
            ZEROS,
            ((9.0, 9.0), (9.0, 9.0)),
        ),
        "first_step_is_descent_over_the_root_of_damping": Fails(
            "both factors are damped", {"lr": 0.1, "damping": 0.1}, ZEROS, G
        ),
        "inputs_are_read_only_when_due": Fails(
            "factors are fresh in every step", {"lr": 0.1, "damping": 0.1}, ZEROS, G
        ),
        "linear_in_gradients": Holds(),
        "matrices_of_the_state_are_symmetric": Holds(),
        "state_independent_of_params": Holds(),
        "state_independent_of_weight_decay": Holds(),
    },
    "lbfgs": _PAIRED
    | {
        "equivariant_under_concatenation": Fails(
            "one line search and scalar products run over all elements",
            {"lr": 1.0},
            (1.0, 2.0, 3.0),
            (1.0, 5.0, -1.0),
            inputs={"curvature": (1.0, 4.0, 9.0)},
        ),
        "equivariant_under_rotation": Holds({"first_step": ("unit", "l2")}),
        "first_step_is_at_most_lr": Fails(
            "the step is proportional to the gradient",
            {"lr": 0.1, "line_search": "none"},
            (0.0,),
            (3.0,),
        ),
        "linear_in_gradients": Holds(
            {"first_step": ("unit",), "line_search": ("strong_wolfe", "backtracking", "none")}
        ),
        "linear_in_lr_when_params_are_zero": Holds({"line_search": ("none",)}),
        "never_climbs": Holds(
            {"line_search": ("strong_wolfe", "strong_wolfe_cubic", "backtracking")}
        ),
        "params_unchanged_when_lr_is_zero": Holds({"line_search": ("backtracking", "none")}),
        "state_independent_of_params": Fails(
            "the gradient is taken at the parameter",
            {"lr": 1.0},
            (1.0, 2.0),
            (1.0, 5.0),
            inputs={"curvature": (1.0, 4.0)},
        ),
        "step_is_parallel_to_the_gradient": Holds(
            {"line_search": ("strong_wolfe", "backtracking", "none")}
        ),
        "translates_with_params": Holds({"line_search": ("strong_wolfe", "backtracking", "none")}),
        "weights_of_pairs_are_inverse_curvatures": Holds(),
    },
    "ml_lbfgs": _PAIRED
    | {
        "equivariant_under_concatenation": Fails(
            "scalar products run over all elements",
            {"lr": 0.1, **_TWO},
            (1.0, 2.0, 3.0),
            (1.0, 5.0, -1.0),
            _AVERAGED,
        ),
        "linear_in_gradients": Fails(
            "pairs are made of gradients",
            {"lr": 0.1, "period": 1},
            (1.0, 2.0, 3.0),
            (1.0, 5.0, -1.0),
            {"t": 3},
        ),
        "linear_in_lr_when_params_are_zero": Holds(),
        "state_independent_of_params": Fails(
            "parameters are averaged", {"lr": 0.1}, (1.0, 2.0), (1.0, 5.0)
        ),
        "weights_of_pairs_are_inverse_curvatures": Holds(),
    },
    "online_lbfgs": _PAIRED
    | {
        "equivariant_under_concatenation": Fails(
            "scalar products run over all elements",
            {"lr": 0.1, **_TWO},
            (1.0, 2.0, 3.0),
            (1.0, 5.0, -1.0),
            _KEPT,
            {"g_previous": (2.0, 5.0, 4.0)},
        ),
        "first_step_is_at_most_lr": Fails(
            "the step is proportional to the gradient", {"lr": 0.1, "eps": 1.0}, (0.0,), (3.0,)
        ),
        "homogeneous_in_gradient_and_eps": Fails(
            "eps is the rate of the first step", {"lr": 0.1, "eps": 1.0}, (0.0,), (3.0,)
        ),
        "linear_in_gradients": Holds({"accept": ("positive",)}),
        "linear_in_lr_when_params_are_zero": Holds(),
        "scale_invariant_when_eps_is_zero": Fails(
            "the first step is proportional to the gradient",
            {"lr": 0.1, "gamma": "latest"},
            (0.0,),
            (3.0,),
        ),
        "state_independent_of_params": Holds(),
        "weights_of_pairs_are_inverse_curvatures": Holds(),
    },
    "sophia": ELEMENTWISE
    | decoupled("before", "in_step", "unscaled")
    | {
        "equivariant_under_rotation": BY_ELEMENT,
        "first_step_is_at_most_lr": Holds(at={"limit": 1.0}),
        "homogeneous_in_gradient_and_eps": Holds(),
        "inputs_are_read_only_when_due": Holds(),
        "linear_in_gradients": DIVIDED,
        "linear_in_lr_when_params_are_zero": Holds(),
        "params_unchanged_when_lr_is_zero": Holds({"decay": ("before", "coupled", "in_step")}),
        "scale_invariant_when_eps_is_zero": Holds(),
        "step_at_most_lr_times_limit": Holds(),
        "translates_with_params": Holds(),
    },
    "sr1_cubic": _PAIRED
    | {
        "equivariant_under_concatenation": Fails(
            "one model, accepted or not, serves all elements",
            {"mu0": 1.0},
            (0.5, 1.3, -2.2),
            (1.1, 4.2, -0.7),
            inputs={"curvature": (0.7, 2.3, 5.1)},
        ),
        "linear_in_gradients": Fails("the cubic term bends the step", {"mu0": 1.0}, (0.0,), (2.0,)),
        "never_climbs": Holds(),
        "state_independent_of_params": Fails(
            "the gradient is taken at the parameter",
            {"mu0": 1.0},
            (1.0, 2.0),
            (1.0, 5.0),
            inputs={"curvature": (1.0, 4.0)},
        ),
        "weights_of_pairs_are_inverse_curvatures": Fails(
            "pairs have no weight of their own",
            {"mu0": 1.0, **_TWO},
            (1.0, 2.0, 3.0),
            (1.0, 5.0, -1.0),
            inputs={"curvature": (3.0, 4.0, 9.0)},
        ),
    },
}
