"""Layer-wise rates."""

from __future__ import annotations

from truestep.properties.kinds.optimizer.laws.table.entries import Fails, Holds
from truestep.properties.kinds.optimizer.laws.table.shared import DECOUPLED, EVERY, G, P, Row

_WHOLE = Fails(
    "the norms are those of the whole tensor", {"lr": 0.1}, (1.0, 2.0, 3.0), (1.0, 2.0, -1.0)
)
# Where the trust ratio is that of the gradient, of any size.
_OF_THE_GRADIENT = {"clip": ("none",), "momentum_form": ("lr_inside", "lr_outside")}
_LR_OUTSIDE = {"momentum_form": ("lr_outside", "trust_outside")}

LARGE_BATCH: dict[str, Row] = {
    "lamb": EVERY
    | DECOUPLED
    | {
        "becomes_adam": Fails("the trust ratio scales", {"lr": 0.1}, (3.0,), (1.0,)),
        "becomes_adamw": Fails("the trust ratio scales", {"lr": 0.1}, (3.0,), (1.0,)),
        "decay_alone_is_geometric": Holds(
            {"clip": ("none", "ratio_1", "below_1", "ratio_0.01_10"), "ratio": ("norms",)}
        ),
        "equivariant_under_concatenation": _WHOLE,
        "equivariant_under_concatenation_of_whole_blocks": Fails(
            "the norms are those of the whole tensor", {"lr": 0.1}, (1.0,), (1.0,)
        ),
        "equivariant_under_permutation": Holds(),
        "equivariant_under_permuted_axes": Holds(),
        "equivariant_under_reflection": Holds(),
        "equivariant_under_rotation": Fails(
            "Adam's step is taken element by element",
            {"lr": 0.1},
            (4.0, 1.0, 0.0, 2.0),
            (4.0, 1.0, 0.0, -2.0),
        ),
        "first_step_is_at_most_lr": Fails(
            "the step is as long as the tensor, times lr", {"lr": 0.1}, (5.0,), (1.0,)
        ),
        "homogeneous_in_gradient_and_eps": Holds({"ratio": ("norms",)}),
        "linear_in_gradients": Fails(
            "the step is divided by a size of the gradients", {"lr": 0.1}, (1.0,), (2.0,)
        ),
        "linear_in_lr_when_params_are_zero": Holds(),
        "norm_of_step_at_most_lr_times_norm_of_params": Holds(
            {
                "adapts": ("always",),
                "bias_correction": ("both", "none"),
                "clip": ("none", "ratio_1", "below_1", "norm_10"),
                "decay": ("in_ratio",),
                "guard": ("zero",),
            }
        ),
        "norm_of_step_is_lr_times_norm_of_params": Holds(
            {
                "adapts": ("always",),
                "bias_correction": ("both", "none"),
                "clip": ("none",),
                "decay": ("in_ratio",),
                "guard": ("zero",),
                "ratio": ("norms",),
            }
        ),
        "params_unchanged_when_lr_is_zero": Holds(),
        "scale_invariant_when_eps_is_zero": Holds(),
        "step_is_no_longer_than_adams": Fails("the trust ratio scales", {"lr": 0.1}, P, G),
        "step_scales_with_params": Holds(
            {"adapts": ("always",), "clip": ("none",), "guard": ("zero",), "ratio": ("norms",)}
        ),
        "translates_with_params": Fails(
            "the trust ratio depends on the parameter", {"lr": 0.1}, (2.0,), (1.0,)
        ),
    },
    "lars": EVERY
    | {
        "decay_alone_is_geometric": Holds(at={"eps": 0.0}),
        "equivariant_under_concatenation": _WHOLE,
        "equivariant_under_permutation": Holds(),
        "equivariant_under_permuted_axes": Holds(),
        "equivariant_under_reflection": Holds(),
        "equivariant_under_rotation": Holds(),
        "equivariant_under_rotation_of_rows": Holds(),
        "first_step_is_at_most_lr": Fails(
            "the step is as long as the tensor, times lr and the coefficient",
            {"lr": 0.1, "trust_coefficient": 1.0},
            (5.0,),
            (1.0,),
        ),
        "homogeneous_in_gradient_and_eps": Holds(_OF_THE_GRADIENT),
        "linear_in_gradients": Fails(
            "the step is divided by a size of the gradients", {"lr": 0.1}, (1.0,), (2.0,)
        ),
        "linear_in_lr_when_params_are_zero": Holds(_LR_OUTSIDE),
        "norm_of_step_at_most_lr_times_norm_of_params": Holds(
            {"adapts": ("always",), "guard": ("zero",)}, {"momentum": 0.0}
        ),
        "norm_of_step_is_lr_times_norm_of_params": Holds(
            {"adapts": ("always",), "clip": ("none",), "ratio": ("norm_of_sum",)},
            {"eps": 0.0, "momentum": 0.0},
        ),
        "params_unchanged_when_lr_is_zero": Holds(_LR_OUTSIDE),
        "scale_invariant_when_eps_is_zero": Holds(_OF_THE_GRADIENT),
        "state_independent_of_params": Fails(
            "the buffer holds steps of the parameter's length", {"lr": 0.1}, (2.0,), (1.0,)
        ),
        "state_independent_of_weight_decay": Fails(
            "the buffer holds decayed steps",
            {"lr": 0.1, "weight_decay": 0.5},
            (2.0, -1.0),
            (1.0, 1.0),
        ),
        "step_is_parallel_to_the_gradient": Holds(),
        "step_scales_with_params": Holds(
            {**_OF_THE_GRADIENT, "adapts": ("always",), "guard": ("zero",)}
        ),
        "translates_with_params": Fails(
            "the trust ratio depends on the parameter", {"lr": 0.1}, (2.0,), (1.0,)
        ),
        "velocity_persists_when_gradients_vanish": Holds(_OF_THE_GRADIENT),
    },
}
