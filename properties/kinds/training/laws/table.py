"""Which training-loop piece obeys which law, for every law that says anything of it."""

from collections.abc import Mapping

from truestep.fast.protocol import Number
from truestep.properties.kinds.training.laws.bench import Trial
from truestep.properties.laws import entries
from truestep.properties.laws.entries import holds, obeys
from truestep.reference.validation import Array

Row = entries.Row[Trial]


def fails(why: str, inputs: Mapping[str, Array], **hyper: Number) -> entries.Fails[Trial]:
    """The law does not hold in the piece's own form: why, and a call at which its claims are wrong.

    inputs: lists of tensors as tuples of tuples. hyper: what differs from the defaults.
    """
    return entries.Fails(why, Trial(hyper, inputs))


# The limit of each piece that clips, and the pieces that skip steps.
LIMITS = {
    "adaptive_gradient_clipping": "clipping",
    "clip_by_global_norm": "max_norm",
    "clip_by_value": "max_value",
}
SKIPPING = ("adaptive_loss_scaling", "dynamic_loss_scaling")

# The powers in which inputs, hyperparameters and outputs grow together; 0 where nothing is listed.
# Pieces that only count are not among them.
DEGREES: dict[str, Mapping[str, int]] = {
    "adaptive_gradient_clipping": {"clipped": 1, "eps": 1, "floor": 1, "gradients": 1, "params": 1},
    "adaptive_loss_scaling": {"delta": 1, "greatest": 1, "least": 1},
    "clip_by_global_norm": {"clipped": 1, "eps": 1, "gradients": 1, "max_norm": 1, "norm": 1},
    "clip_by_value": {"clipped": 1, "gradients": 1, "max_value": 1},
    "data_parallel": {"averaged": 1, "gradients": 1},
    "delayed_scaling": {"amax_history": 1, "scale": -1, "x": 1},
    "dynamic_loss_scaling": {"gradients": 1, "moments": 1, "params": 1},
    "gradient_accumulation": {"gradients": 1, "results": 1, "totals": 1},
    "gradient_noise_scale": {"big_square": 1, "g2": 1, "s": 1, "small_square": 1},
    "greedy": {
        "atol": 1,
        "best": 1,
        "eps": 1,
        "initial": 1,
        "lr": 1,
        "max_lr": 1,
        "metric": 1,
        "min_lr": 1,
    },
    "hadamard_transform": {"gradients": 1, "transformed": 1},
    "linear_scaling": {"lr": 1},
    "mup_adam": {"lr": 1},
    "mup_sgd": {"lr": 1},
    "percentile_clipping": {
        "clip_value": 1,
        "clipped": 1,
        "gnorm_vec": 2,
        "gradient": 1,
        "norm": 1,
    },
    "qk_clip": {"keys": 1, "logits": 1, "queries": 1, "threshold": 1},
    "reduce_on_plateau": {
        "atol": 1,
        "best": 1,
        "eps": 1,
        "lr": 1,
        "mean": 1,
        "metric": 1,
        "min_lr": 1,
    },
    "stale_gradients": {"compensation": -2, "gradients": 1, "params": 1, "then": 1},
}

_TWO = ((3.0, 4.0), (0.5, 0.0))
_UNITS = {"params": ((3.0, 4.0), (0.0, 1.0)), "gradients": ((1.0, 0.0), (0.0, 8.0))}

# Of all pieces, of those with numbers, and of those that take lists of tensors.
_COUNTS: Row = {**obeys("deterministic")}
_EVERY: Row = {**_COUNTS, **obeys("homogeneous")}
_LISTS: Row = {
    **_EVERY,
    **obeys(
        "each_tensor_as_if_alone equivariant_under_concatenation",
        "equivariant_under_order_of_tensors odd",
    ),
}

TABLE: dict[str, Row] = {
    "adaptive_gradient_clipping": {
        **_LISTS,
        **obeys("unchanged_when_params_grow_as_the_limit_falls"),
        "equivariant_under_concatenation": fails(
            "each tensor is a unit of its own", _UNITS, clipping=1.0
        ),
        "idempotent": holds(clips="unless_below"),
        "parallel_to_the_gradient": fails(
            "each unit has a factor of its own", _UNITS, clipping=1.0
        ),
        "small_elements_kept_beside_large_ones": fails(
            "a unit is shortened as a whole",
            {"params": ((1.0, 0.0),), "gradients": ((0.5, 8.0),)},
            clipping=1.0,
        ),
    },
    "adaptive_loss_scaling": {
        **_EVERY,
        **obeys(
            "a_skipped_step_changes_no_bit scale_halves_when_the_error_doubles",
            "scale_is_a_power_of_two scales_above_cancel",
        ),
    },
    "clip_by_global_norm": {
        **_LISTS,
        **obeys("norm_at_most_the_limit parallel_to_the_gradient"),
        "each_tensor_as_if_alone": fails(
            "the norm is that of all tensors", {"gradients": ((0.5,), (4.0,))}, max_norm=1.0
        ),
        "idempotent": holds(form="divided reciprocal threshold"),
        "small_elements_kept_beside_large_ones": fails(
            "all elements are shortened", {"gradients": _TWO}, max_norm=1.0
        ),
    },
    "clip_by_value": {
        **_LISTS,
        **obeys("idempotent small_elements_kept_beside_large_ones"),
        "parallel_to_the_gradient": fails(
            "only the large elements are shortened", {"gradients": _TWO}, max_value=1.0
        ),
    },
    "data_parallel": {
        **_EVERY,
        **obeys(
            "equivariant_under_order_of_tensors mean_of_equal_gradients_is_the_gradient odd",
            "replicas_get_the_same_bits",
        ),
        "each_tensor_as_if_alone": fails(
            "a worker's gradient is averaged with the others'",
            {"gradients": ((1.0,), (3.0,)), "sizes": (1, 1)},
        ),
    },
    "delayed_scaling": {
        **_EVERY,
        "an_extreme_counts_as_long_as_the_history": holds(amax_compute_algo="max", kept="scale"),
        "homogeneous": holds(kept="scale"),
        "scale_halves_as_the_margin_grows_by_one": holds(kept="scale"),
    },
    "dynamic_loss_scaling": {
        **_LISTS,
        **obeys(
            "a_skipped_step_changes_no_bit scale_is_a_power_of_two scale_stays_within_its_limits",
            "unscaling_cancels_scaling",
        ),
        "each_tensor_as_if_alone": fails(
            "an overflow anywhere skips the step everywhere",
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
    },
    "gradient_accumulation": {
        **_LISTS,
        **obeys("begins_anew_when_due"),
        "a_repeated_gradient_is_the_result": holds(form="mean running terms weighted"),
    },
    "gradient_noise_scale": {
        **_EVERY,
        **obeys("averages_of_a_constant_stay no_noise_when_the_squares_agree"),
    },
    "greedy": {
        **_EVERY,
        **obeys(
            "a_nan_is_no_improvement a_steady_metric_lowers_the_rate_when_patience_is_spent",
            "rate_stays_within_its_limits the_rate_rises_while_the_metric_improves",
        ),
    },
    "hadamard_transform": {
        **_LISTS,
        **obeys("norm_of_every_tensor_is_kept the_same_twice_is_nothing_when_all_signs_are_one"),
        "signs_are_those_of_the_elements": holds(direction="forward"),
    },
    "linear_scaling": {
        **_EVERY,
        **obeys("rate_depends_on_the_ratio_of_batches_alone rate_is_lr_at_the_base_batch"),
    },
    "mup_adam": {
        **_EVERY,
        **obeys("base_model_when_widths_are_one input_rate_is_the_base_models"),
        "hidden_rate_is_the_base_models": fails(
            "it falls with the width", {"role": "hidden"}, fan_in=4.0
        ),
        "output_rate_halves_as_fan_in_doubles": holds(form="table_3"),
        "rate_times_decay_is_kept": holds(form="package"),
    },
    "mup_sgd": {
        **_EVERY,
        **obeys("base_model_when_widths_are_one"),
        "hidden_rate_is_the_base_models": holds(form="table_3"),
        "input_rate_is_the_base_models": fails(
            "it grows with the width", {"role": "input"}, fan_out=4.0
        ),
        "output_rate_halves_as_fan_in_doubles": holds(form="table_3"),
        "rate_times_decay_is_kept": holds(form="package"),
    },
    "percentile_clipping": {
        **_EVERY,
        **obeys(
            "order_of_earlier_norms_does_not_matter the_first_gradient_is_kept",
            "the_norm_is_at_most_the_percentile",
        ),
    },
    "qk_clip": {
        **_EVERY,
        "equivariant_under_concatenation": entries.Void("a head has one logit, joined heads many"),
        **obeys("heads_up_to_the_threshold_keep_every_bit products_come_down_to_the_threshold"),
    },
    "reduce_on_plateau": {
        **_EVERY,
        **obeys(
            "a_nan_is_no_improvement a_steady_metric_lowers_the_rate_when_patience_is_spent",
            "an_improving_metric_keeps_the_rate rate_stays_within_its_limits",
        ),
    },
    "stale_gradients": {
        **_LISTS,
        **obeys("fresh_gradients_make_a_plain_step"),
        "step_is_inverse_in_the_staleness": holds(rate="inverse", gradient="stale"),
    },
    "state_precision": {
        **_COUNTS,
        **obeys("full_precision_below_the_least_size codes_of_whole_blocks_from_the_least_size_on"),
        "embeddings_keep_full_precision": holds(embeddings="full"),
        "more_elements_never_have_more_bits": holds(whole="any"),
    },
}
