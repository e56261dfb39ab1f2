"""What a law speaks of: a rule without it, or a kernel that cannot vary it, is not asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from truestep.fast.protocol import Fixed
from truestep.properties.kinds.optimizer.laws.definitions import RULES

Shapes = Literal["any", "matrices", "vectors"]


@dataclass(frozen=True, slots=True)
class Need:
    """What a law speaks of and what it does with it.

    fields: hyperparameters of which the rule has one. state: whether it has arrays. nonnegative:
    whether one of its arrays is never negative. sets: hyperparameters that the law sets, to this
    value or, where it is None, to several. shapes: the tensors that it is tried on. several:
    whether it hands over several tensors in one call.
    """

    fields: tuple[str, ...] = ()
    state: bool = False
    nonnegative: bool = False
    sets: Mapping[str, Fixed | None] = field(default_factory=dict)
    shapes: Shapes = "any"
    several: bool = False

    def void(self, rule: str) -> str:
        """Why the law says nothing about a rule; "" if it speaks of it."""
        known = RULES[rule].Hyper.__dataclass_fields__
        if self.fields and not any(name in known for name in self.fields):
            return f"no {self.fields[0]}"
        if self.state and not RULES[rule].State.BEHAVIOUR:
            return "no state"
        behaviour = RULES[rule].State.BEHAVIOUR.values()
        if self.nonnegative and not any(b.nonnegative for b in behaviour):
            return "no squares or sizes of gradients in the state"
        return ""

    def allowed(self, fixed: Mapping[str, Fixed]) -> bool:
        """Whether the law can be tried where these hyperparameters cannot be varied."""
        return all(
            name not in fixed or (value is not None and fixed[name] == value)
            for name, value in self.sets.items()
        )


_NOTHING = Need()
# What Trial.plain() sets.
_PLAIN: dict[str, Fixed | None] = {"lambd": 0.0, "maximize": False, "weight_decay": 0.0}
_EPS: dict[str, Fixed | None] = {"eps": None, "eps1": None, "weight_decay": None}


def _alike(need: Need, *laws: str) -> dict[str, Need]:
    """Laws with one need, their names as words."""
    return {law: need for words in laws for law in words.split()}


# Of laws that are not listed nothing is needed.
NEEDS: dict[str, Need] = {
    **_alike(
        Need(sets=_PLAIN),
        "becomes_adam constant_gradients_give_constant_steps denominator_covers_the_gradient",
        "descends_quadratics_by_the_exact_gradient differences_vanish_when_gradients_are_constant",
        "first_step_counts_the_last_gradient_besides first_step_is_limited_by_its_share",
        "first_average_is_at_most_its_share_long first_step_is_a_mean_of_the_short_and_the_long",
        "first_step_is_a_share_of_the_first_estimate first_step_is_lr_times_the_first_estimate",
        "first_step_is_divided_by_the_slowest_memory first_step_is_of_both_betas",
        "first_average_of_equal_gradients_is_beta0_of_them",
        "first_step_is_of_the_positive_average",
        "first_step_is_descent_over_the_root_of_damping first_step_is_measured_by_eps",
        "first_step_is_plain_descent first_step_looks_ahead",
        "implied_rate_projects_the_step_on_the_gradient invariant_under_any_positive_scale",
        "linear_in_gradients mean_of_the_observations_when_steps_are_one_over_t",
        "order_of_gradients_leaves_the_accumulator params_unchanged_when_gradients_are_zero",
        "squares_over_roots_telescope step_at_most_adams",
        "step_at_most_lr_over_the_root_of_one_minus_alpha step_at_most_lr_times_limit",
        "step_at_most_lr_times_the_ratio_of_the_moments",
        "step_at_most_the_momentum_over_the_root_of_eps step_is_parallel_to_the_gradient",
        "step_within_the_cauchy_schwarz_bound step_within_the_geometric_bound",
        "first_step_is_descent_by_the_curvature",
        "first_step_is_of_the_numerator first_velocity_is_of_the_flattened_gradient",
        "step_at_most_lr_times_the_average step_is_of_two_signs",
        "step_turns_round_with_a_large_average",
        "average_of_a_spike_is_limited first_estimate_trusts_the_prior",
        "first_step_is_of_the_signal_over_the_noise first_step_is_clipped_in_the_mean",
        "parameter_rests_at_first step_is_descent_where_moments_agree",
        "translates_with_params velocity_persists_when_gradients_vanish",
    ),
    **_alike(
        Need(sets=_PLAIN, shapes="matrices"),
        "channels_are_parallel_to_the_gradients equivariant_under_scaled_activations",
        "first_average_of_every_row_sums_to_zero",
        "first_step_of_a_rank_one_matrix_is_flat",
        "first_step_of_a_rank_one_matrix_shows_its_confidence first_step_of_every_row_has_rms_lr",
        "norm_of_step_grows_by_at_most_growth rms_of_step_is_clipped",
        "step_is_in_the_span_of_the_projectors step_is_no_longer_than_adams",
        "step_shares_its_singular_vectors_with_the_gradient",
    ),
    "bases_are_orthonormal": Need(shapes="matrices"),
    "becomes_rmsprop": Need(sets={"beta1": 0.0}),
    "becomes_signsgd": Need(sets={"beta1": 0.0, "momentum": 0.0}),
    "buffer_is_at_right_angles_to_the_step": Need(
        sets=_PLAIN | {"momentum": 0.0}, shapes="matrices"
    ),
    "correction_shrinks_the_error_by_its_power": Need(sets={"eps": 0.0}),
    "decay_alone_is_geometric": Need(fields=("weight_decay",)),
    "equivariant_under_rotation_of_rows": Need(shapes="matrices"),
    "even_state_is_nonnegative": Need(nonnegative=True),
    "first_bet_does_not_look_at_the_size": Need(sets=_PLAIN | {"eps": 0.0, "lr": 1.0}),
    "first_slow_step_is_alpha_of_descent": Need(sets=_PLAIN | {"k": 1}),
    "first_step_counts_both_corrections": Need(sets=_PLAIN | {"eps": 0.0}),
    "first_step_is_as_long_in_every_row": Need(sets=_PLAIN | {"eps": 0.0}, shapes="matrices"),
    "first_step_is_of_one_size": Need(sets=_PLAIN | {"eps": 0.0}),
    "first_step_grows_as_a_power_of_the_gradient": Need(sets=_PLAIN | {"eps": 0.0}),
    "first_step_is_as_long_as_the_first_distance": Need(sets=_PLAIN | {"eps": 0.0}),
    "first_decay_is_over_the_size_of_the_gradient": Need(sets={"eps": 0.0, "maximize": False}),
    "first_shrinkage_is_half_the_square_of_lr": Need(sets=_PLAIN | {"eps": 0.0}),
    "first_step_is_at_most_lr": Need(fields=("lr",), sets=_PLAIN),
    "first_step_is_newtons_in_size": Need(sets=_PLAIN | {"eps": 0.0, "hessian_power": 1.0}),
    "first_step_is_the_cube_root_of_the_gradient": Need(sets=_PLAIN | {"eps": 0.0}),
    "first_step_is_the_inverse_of_the_gradient": Need(sets=_PLAIN | {"delta": 0.0, "eps": 0.0}),
    "first_step_lowers_the_linear_model_to_its_bound": Need(sets=_PLAIN | {"eps": 0.0}),
    "first_step_is_over_beta1": Need(sets=_PLAIN | {"eps": 0.0}),
    "first_step_reaches_the_ball": Need(sets=_PLAIN | {"eps": 0.0}, shapes="matrices"),
    "homogeneous_in_gradient_and_eps": Need(fields=("eps", "eps1"), sets=_EPS),
    "independent_of_other_tensors": Need(fields=("lr",), sets={"lr": None}, several=True),
    "linear_in_lr_when_params_are_zero": Need(fields=("lr",), sets={"lr": None}),
    "matrices_of_the_state_are_symmetric": Need(state=True, shapes="matrices"),
    "maximizing_is_minimizing_the_negated_gradient": Need(
        fields=("maximize",), sets={"maximize": None}
    ),
    "moments_are_forgotten_at_a_reset": Need(sets={"reset": 2}),
    "momentum_is_lost_in_a_slow_step": Need(sets={"k": 1}),
    "parameter_is_the_slow_point_after_a_slow_step": Need(sets={"k": 1}),
    "params_unchanged_when_lr_is_zero": Need(fields=("lr",), sets={"lr": 0.0}),
    "path_from_zero_scales_with_lr": Need(sets={"lr": None}),
    "point_of_the_gradient_lies_between_average_and_fast_point": Need(
        sets={"r": 0.0, "weight_lr_power": 0.0}
    ),
    "resumes_bitwise_from_state": Need(fields=("lr",), sets={"lr": None}),
    "rows_and_columns_have_one_mean": Need(shapes="matrices"),
    "scale_invariant_when_eps_is_zero": Need(fields=("eps", "eps1"), sets=_EPS | {"eps": 0.0}),
    "second_moment_never_grows_when_threshold_is_one": Need(sets={"calm": 0, "threshold": 1.0}),
    "second_rate_grows_by_the_square_of_the_gradient": Need(sets=_PLAIN | {"momentum": 0.0}),
    "slow_point_rests_between_slow_steps": Need(sets={"k": None}),
    "state_independent_of_params": Need(state=True),
    "state_independent_of_weight_decay": Need(
        fields=("weight_decay",), state=True, sets={"weight_decay": None}
    ),
    "step_has_rms_lr": Need(sets=_PLAIN | {"eps": 0.0}),
    "step_is_as_long_as_the_root_of_its_rank": Need(sets=_PLAIN | {"eps": 0.0}, shapes="matrices"),
    "step_is_tangent_where_gradients_are_orthogonal": Need(
        sets=_PLAIN | {"eps": 0.0}, shapes="matrices"
    ),
    "step_scales_with_params": Need(sets=_PLAIN | {"eps": None, "eps1": None}),
    "way_is_measured_from_the_start": Need(sets=_PLAIN | {"beta": 0.0}),
}


def need(law: str) -> Need:
    """What the named law needs."""
    return NEEDS.get(law, _NOTHING)
