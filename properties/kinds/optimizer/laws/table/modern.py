"""Adan, AdEMAMix, Prodigy, Schedule-Free and StableAdamW."""

from __future__ import annotations

from truestep.properties.kinds.optimizer.laws.table.entries import Fails, Holds, Void
from truestep.properties.kinds.optimizer.laws.table.shared import (
    ADAPTIVE,
    BY_ELEMENT,
    DECOUPLED,
    DIVIDED,
    EVERY,
    LINEAR,
    PROPORTIONAL,
    Row,
    decoupled,
)

_FAST_POINT = {"t": 3, "z": (3.0,), "weight_sum": 1.0, "lr_max": 1.0}
_WEIGHED = Fails("lr weighs the points that are averaged", {"lr": 0.1}, (0.0,), (1.0,), _FAST_POINT)
_DRAWN = Fails("the parameter is drawn to the fast point", {"lr": 0.1}, (0.0,), (1.0,), _FAST_POINT)
_DECAYED = Fails(
    "the fast point decays", {"lr": 0.1, "weight_decay": 0.5}, (2.0,), (1.0,), _FAST_POINT
)
# Where every step is divided, the steps before RAdam's threshold too.
_QUOTIENT = Holds({"rectification": ("none", "silent")})
_AVERAGING: Row = {
    "accumulators_never_decrease": Holds(),
    "linear_in_lr_when_params_are_zero": _WEIGHED,
    "params_unchanged_when_gradients_are_zero": Holds({"form": ("direct",)}),
    "params_unchanged_when_lr_is_zero": _DRAWN,
    "point_of_the_gradient_lies_between_average_and_fast_point": Holds(),
    "state_independent_of_params": _DECAYED,
    "state_independent_of_weight_decay": _DECAYED,
}

MODERN: dict[str, Row] = {
    "adan": ADAPTIVE
    | DECOUPLED
    | {
        "constant_gradients_give_constant_steps": Holds({"eps_placement": ("outside",)}),
        "decay_divides_when_gradients_are_zero": Holds({"decay": ("prox",)}),
        "differences_vanish_when_gradients_are_constant": Holds(),
        "linear_in_lr_when_params_are_zero": Holds({"decay": ("before", "in_step")}),
    },
    "ademamix": ADAPTIVE
    | decoupled("in_step", "before", "after")
    | {
        "becomes_adamw": Holds({"decay": ("in_step", "before", "after")}, {"alpha": 0.0}),
        "first_step_is_at_most_lr": Fails(
            "the slow average comes on top", {"lr": 0.1, "beta3": 0.9}, (0.0,), (2.0,)
        ),
        "linear_in_lr_when_params_are_zero": Holds({"decay": ("in_step", "before", "coupled")}),
    },
    "prodigy": EVERY
    | {
        "accumulators_never_decrease": Holds({"growth": ("unlimited",)}),
        "decay_alone_is_geometric": Holds({"decay": ("before",), "guard": ("skip",)}),
        "equivariant_under_concatenation": Fails(
            "one estimate serves all elements",
            {"lr": 1.0, "d0": 0.1},
            (0.0, 0.0, 0.0),
            (1.0, 2.0, -3.0),
            {"t": 3, "p0": (1.0, 2.0, 3.0)},
        ),
        "equivariant_under_permutation": Holds(),
        "equivariant_under_permuted_axes": Holds(),
        "equivariant_under_reflection": Holds(),
        "equivariant_under_rotation": BY_ELEMENT,
        "first_step_is_at_most_lr": Holds(),
        "homogeneous_in_gradient_and_eps": Holds(),
        "independent_of_other_tensors": Void("one estimate serves all tensors of a model"),
        "linear_in_gradients": DIVIDED,
        "linear_in_lr_when_params_are_zero": Holds({"eps_scale": ("old",)}),
        "params_unchanged_when_gradients_are_zero": Holds({"guard": ("skip",)}),
        "params_unchanged_when_lr_is_zero": Holds({"guard": ("skip",)}),
        "scale_invariant_when_eps_is_zero": Holds(),
        "state_independent_of_params": Fails(
            "the estimate is that of the way travelled",
            {"lr": 1.0, "d0": 0.1},
            (2.0,),
            (1.0,),
            {"t": 3, "p0": (1.0,)},
        ),
        "state_independent_of_weight_decay": Holds({"decay": ("before",)}),
        "translates_with_params": Holds(),
    },
    "schedule_free_adamw": ADAPTIVE
    | _AVERAGING
    | {
        "decay_alone_is_geometric": Holds(),
        "first_step_is_at_most_lr": _QUOTIENT,
        "homogeneous_in_gradient_and_eps": _QUOTIENT,
        "scale_invariant_when_eps_is_zero": _QUOTIENT,
    },
    "schedule_free_sgd": LINEAR | _AVERAGING | {"first_step_is_at_most_lr": PROPORTIONAL},
    "stable_adamw": ADAPTIVE
    | DECOUPLED
    | {
        "constant_gradients_give_constant_steps": Holds(),
        "equivariant_under_concatenation": Fails(
            "the size of the update is that of the whole tensor",
            {"lr": 0.1, "beta2": 0.9},
            (0.0, 0.0, 0.0),
            (1.0, 9.0, 9.0),
            {"t": 9, "m": (1.0, 1.0, 1.0), "v": (1.0, 1.0, 1.0)},
        ),
        "step_at_most_lr_times_the_ratio_of_the_moments": Holds(),
        "step_within_the_cauchy_schwarz_bound": Holds(),
    },
}
