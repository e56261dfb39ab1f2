"""Which training-loop piece obeys which law, for every law that says anything of it.

Holds(field=values): the law holds in these dialects; Fails: it does not, in the piece's own form
and at the stored counterexample, which the tests run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Holds:
    """The law holds, in the listed dialects where there is a restriction."""

    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fails:
    """The law does not hold: why, and a call at which its claims are wrong."""

    why: str
    hyper: Mapping[str, Any]
    inputs: Mapping[str, Any]


Entry = Holds | Fails

# The limit of each piece that clips, and the pieces that skip steps.
LIMITS = {
    "adaptive_gradient_clipping": "clipping",
    "clip_by_global_norm": "max_norm",
    "clip_by_value": "max_value",
}
SKIPPING = ("adaptive_loss_scaling", "dynamic_loss_scaling")

# The powers in which inputs, hyperparameters and outputs grow together; 0 where nothing is listed.
DEGREES: dict[str, Mapping[str, int]] = {
    "adaptive_gradient_clipping": {
        "clipped": 1,
        "eps": 1,
        "floor": 1,
        "gradients": 1,
        "params": 1,
    },
    "adaptive_loss_scaling": {"delta": 1, "greatest": 1, "least": 1},
    "clip_by_global_norm": {"clipped": 1, "eps": 1, "gradients": 1, "max_norm": 1, "norm": 1},
    "clip_by_value": {"clipped": 1, "gradients": 1, "max_value": 1},
    "data_parallel": {"averaged": 1, "gradients": 1},
    "dynamic_loss_scaling": {"gradients": 1, "moments": 1, "params": 1},
    "gradient_accumulation": {"gradients": 1, "results": 1, "totals": 1},
    "gradient_noise_scale": {"big_square": 1, "g2": 1, "s": 1, "small_square": 1},
    "linear_scaling": {"lr": 1},
    "mup_adam": {"lr": 1},
    "mup_sgd": {"lr": 1},
    "stale_gradients": {"compensation": -2, "gradients": 1, "params": 1, "then": 1},
}

_TWO = ((3.0, 4.0), (0.5, 0.0))

TABLE: dict[str, dict[str, Entry]] = {
    "adaptive_gradient_clipping": {
        "deterministic": Holds(),
        "each_tensor_as_if_alone": Holds(),
        "equivariant_under_concatenation": Fails(
            "each tensor is a unit of its own",
            {"clipping": 1.0},
            {"params": ((3.0, 4.0), (0.0, 1.0)), "gradients": ((1.0, 0.0), (0.0, 8.0))},
        ),
        "equivariant_under_order_of_tensors": Holds(),
        "homogeneous": Holds(),
        "idempotent": Holds({"clips": ("unless_below",)}),
        "odd": Holds(),
        "parallel_to_the_gradient": Fails(
            "each unit has a factor of its own",
            {"clipping": 1.0},
            {"params": ((3.0, 4.0), (0.0, 1.0)), "gradients": ((1.0, 0.0), (0.0, 8.0))},
        ),
        "small_elements_kept_beside_large_ones": Fails(
            "a unit is shortened as a whole",
            {"clipping": 1.0},
            {"params": ((1.0, 0.0),), "gradients": ((0.5, 8.0),)},
        ),
        "unchanged_when_params_grow_as_the_limit_falls": Holds(),
    },
    "adaptive_loss_scaling": {
        "a_skipped_step_changes_no_bit": Holds(),
        "deterministic": Holds(),
        "homogeneous": Holds(),
        "scale_halves_when_the_error_doubles": Holds(),
        "scale_is_a_power_of_two": Holds(),
        "scales_above_cancel": Holds(),
    },
    "clip_by_global_norm": {
        "deterministic": Holds(),
        "each_tensor_as_if_alone": Fails(
            "the norm is that of all tensors", {"max_norm": 1.0}, {"gradients": ((0.5,), (4.0,))}
        ),
        "equivariant_under_concatenation": Holds(),
        "equivariant_under_order_of_tensors": Holds(),
        "homogeneous": Holds(),
        "idempotent": Holds({"form": ("divided", "reciprocal", "threshold")}),
        "norm_at_most_the_limit": Holds(),
        "odd": Holds(),
        "parallel_to_the_gradient": Holds(),
        "small_elements_kept_beside_large_ones": Fails(
            "all elements are shortened", {"max_norm": 1.0}, {"gradients": _TWO}
        ),
    },
    "clip_by_value": {
        "deterministic": Holds(),
        "each_tensor_as_if_alone": Holds(),
        "equivariant_under_concatenation": Holds(),
        "equivariant_under_order_of_tensors": Holds(),
        "homogeneous": Holds(),
        "idempotent": Holds(),
        "odd": Holds(),
        "parallel_to_the_gradient": Fails(
            "only the large elements are shortened", {"max_value": 1.0}, {"gradients": _TWO}
        ),
        "small_elements_kept_beside_large_ones": Holds(),
    },
    "data_parallel": {
        "deterministic": Holds(),
        "each_tensor_as_if_alone": Fails(
            "a worker's gradient is averaged with the others'",
            {},
            {"gradients": ((1.0,), (3.0,)), "sizes": (1, 1)},
        ),
        "equivariant_under_order_of_tensors": Holds(),
        "homogeneous": Holds(),
        "mean_of_equal_gradients_is_the_gradient": Holds(),
        "odd": Holds(),
        "replicas_get_the_same_bits": Holds(),
    },
    "dynamic_loss_scaling": {
        "a_skipped_step_changes_no_bit": Holds(),
        "deterministic": Holds(),
        "each_tensor_as_if_alone": Fails(
            "an overflow anywhere skips the step everywhere",
            {},
            {
                "gradients": ((1.0,), (float("inf"),)),
                "moments": ((0.0,), (0.0,)),
                "params": ((1.0,), (1.0,)),
                "scale": 2.0,
                "good": 0,
                "patience": 1,
                "t": 0,
            },
        ),
        "equivariant_under_concatenation": Holds(),
        "equivariant_under_order_of_tensors": Holds(),
        "homogeneous": Holds(),
        "odd": Holds(),
        "scale_is_a_power_of_two": Holds(),
        "scale_stays_within_its_limits": Holds(),
        "unscaling_cancels_scaling": Holds(),
    },
    "gradient_accumulation": {
        "a_repeated_gradient_is_the_result": Holds(
            {"form": ("mean", "running", "terms", "weighted")}
        ),
        "begins_anew_when_due": Holds(),
        "deterministic": Holds(),
        "each_tensor_as_if_alone": Holds(),
        "equivariant_under_concatenation": Holds(),
        "equivariant_under_order_of_tensors": Holds(),
        "homogeneous": Holds(),
        "odd": Holds(),
    },
    "gradient_noise_scale": {
        "averages_of_a_constant_stay": Holds(),
        "deterministic": Holds(),
        "homogeneous": Holds(),
        "no_noise_when_the_squares_agree": Holds(),
    },
    "linear_scaling": {
        "deterministic": Holds(),
        "homogeneous": Holds(),
        "rate_depends_on_the_ratio_of_batches_alone": Holds(),
        "rate_is_lr_at_the_base_batch": Holds(),
    },
    "mup_adam": {
        "base_model_when_widths_are_one": Holds(),
        "deterministic": Holds(),
        "hidden_rate_is_the_base_models": Fails(
            "it falls with the width", {"fan_in": 4.0}, {"role": "hidden"}
        ),
        "homogeneous": Holds(),
        "input_rate_is_the_base_models": Holds(),
        "output_rate_halves_as_fan_in_doubles": Holds({"form": ("table_3",)}),
        "rate_times_decay_is_kept": Holds({"form": ("package",)}),
    },
    "mup_sgd": {
        "base_model_when_widths_are_one": Holds(),
        "deterministic": Holds(),
        "hidden_rate_is_the_base_models": Holds({"form": ("table_3",)}),
        "homogeneous": Holds(),
        "input_rate_is_the_base_models": Fails(
            "it grows with the width", {"fan_out": 4.0}, {"role": "input"}
        ),
        "output_rate_halves_as_fan_in_doubles": Holds({"form": ("table_3",)}),
        "rate_times_decay_is_kept": Holds({"form": ("package",)}),
    },
    "stale_gradients": {
        "deterministic": Holds(),
        "each_tensor_as_if_alone": Holds(),
        "equivariant_under_concatenation": Holds(),
        "equivariant_under_order_of_tensors": Holds(),
        "fresh_gradients_make_a_plain_step": Holds(),
        "homogeneous": Holds(),
        "odd": Holds(),
        "step_is_inverse_in_the_staleness": Holds({"rate": ("inverse",), "gradient": ("stale",)}),
    },
}
