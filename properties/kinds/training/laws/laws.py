"""The laws of training-loop pieces, what each speaks of, and how it is checked.

No law names a piece. A law says what it speaks of: names of inputs and of hyperparameters, words of
INPUTS, or "clips", "skips" and "homogeneous" for the pieces that have a limit for gradients, those
that leave out steps, and those with numbers that grow together. The table says of every piece for
which of them a law holds.
"""

from collections.abc import Callable, Mapping

from hypothesis import strategies as st

from truestep.fast.protocol import Level, TrainingBackend, TrainingCapability
from truestep.properties.judge.contracts import Judged
from truestep.properties.kinds.training import step as training
from truestep.properties.kinds.training.cases import Ranges, TrainingCase, cases
from truestep.properties.kinds.training.laws import feedback, statements
from truestep.properties.kinds.training.laws.bench import Bench, Trial
from truestep.properties.kinds.training.laws.table import DEGREES, LIMITS, SKIPPING, TABLE
from truestep.properties.laws import claims, entries
from truestep.reference.training import TRAINING

LAWS: dict[str, Callable[[Bench, Trial], claims.Claims]] = claims.table(feedback, statements)

# Shapes that laws can reverse, join and flatten.
RANGES = Ranges(
    shapes=((4,), (3, 5), (17,)),
    kinds=("normal", "spread"),
    exponents=(-2, 1),
    specials=("zero",),
    tensors=(2, 3),
)
# Numbers of examples of a law by level.
EXAMPLES: Mapping[Level, int] = {"smoke": 2, "standard": 8, "deep": 200}

# What a piece must have for laws to say anything of it. Laws that are not listed speak of all.
_OF: dict[str, str] = {
    "amax_history": (
        "an_extreme_counts_as_long_as_the_history scale_halves_as_the_margin_grows_by_one"
    ),
    "batch": "rate_depends_on_the_ratio_of_batches_alone rate_is_lr_at_the_base_batch",
    "clipping": "unchanged_when_params_grow_as_the_limit_falls",
    "clips": "idempotent parallel_to_the_gradient small_elements_kept_beside_large_ones",
    "delta": "scale_halves_when_the_error_doubles",
    "ema": "averages_of_a_constant_stay no_noise_when_the_squares_agree",
    "gnorm_vec": (
        "order_of_earlier_norms_does_not_matter the_first_gradient_is_kept "
        "the_norm_is_at_most_the_percentile"
    ),
    "gradients": "each_tensor_as_if_alone equivariant_under_order_of_tensors odd",
    "homogeneous": "homogeneous",
    "left": "the_rate_rises_while_the_metric_improves",
    "max_norm": "norm_at_most_the_limit",
    "max_scale": "scale_stays_within_its_limits unscaling_cancels_scaling",
    "metric": (
        "a_nan_is_no_improvement a_steady_metric_lowers_the_rate_when_patience_is_spent "
        "rate_stays_within_its_limits"
    ),
    "min_size": (
        "codes_of_whole_blocks_from_the_least_size_on embeddings_keep_full_precision "
        "full_precision_below_the_least_size more_elements_never_have_more_bits"
    ),
    "queries": "heads_up_to_the_threshold_keep_every_bit products_come_down_to_the_threshold",
    "replicas": "mean_of_equal_gradients_is_the_gradient replicas_get_the_same_bits",
    "role": (
        "base_model_when_widths_are_one hidden_rate_is_the_base_models "
        "input_rate_is_the_base_models output_rate_halves_as_fan_in_doubles "
        "rate_times_decay_is_kept"
    ),
    "seen": "an_improving_metric_keeps_the_rate",
    "signs": (
        "norm_of_every_tensor_is_kept the_same_twice_is_nothing_when_all_signs_are_one "
        "signs_are_those_of_the_elements"
    ),
    "scales_above": "scales_above_cancel",
    "skips": "a_skipped_step_changes_no_bit scale_is_a_power_of_two",
    "tau": "fresh_gradients_make_a_plain_step step_is_inverse_in_the_staleness",
    "tensors": "equivariant_under_concatenation",
    "totals": "a_repeated_gradient_is_the_result begins_anew_when_due",
}
OF: dict[str, str] = {law: word for word, laws in _OF.items() for law in laws.split()}
# Fields of Hyper that a law changes, which therefore must not be fixed; of "homogeneous" DEGREES.
SETS: dict[str, tuple[str, ...]] = {
    "an_extreme_counts_as_long_as_the_history": ("amax_history_len",),
    "base_model_when_widths_are_one": ("fan_in", "fan_out"),
    "output_rate_halves_as_fan_in_doubles": ("fan_in",),
    "rate_depends_on_the_ratio_of_batches_alone": ("base_batch",),
    "scale_halves_as_the_margin_grows_by_one": ("margin",),
    "unchanged_when_params_grow_as_the_limit_falls": ("clipping", "eps"),
}


def speaks_of(law: str, rule: str) -> bool:
    """Whether the law says anything of a piece."""
    piece = TRAINING[rule]
    known = {*piece.INPUTS, *piece.INPUTS.values(), *piece.Hyper.__dataclass_fields__}
    known |= {"homogeneous"} if rule in DEGREES else set()
    known |= ({"clips"} if rule in LIMITS else set()) | ({"skips"} if rule in SKIPPING else set())
    return law not in OF or OF[law] in known


def holding(capability: TrainingCapability) -> list[str]:
    """Names of the laws that hold for a capability, and that need not change what it fixes."""
    rule = capability.rule
    sets = {**SETS, "homogeneous": tuple(DEGREES.get(rule, ()))}
    found = entries.holding(TABLE[rule], TRAINING[rule].Hyper(), capability)
    return [
        law
        for law, _ in found
        if not any(capability.fixed.get(field) for field in sets.get(law, ()))
    ]


def strategy(capability: TrainingCapability, law: str) -> st.SearchStrategy[TrainingCase]:
    """The cases that laws start from."""
    return cases(capability, RANGES)


def judgements(
    backend: TrainingBackend, capability: TrainingCapability, law: str, case: TrainingCase
) -> list[Judged]:
    """The law's claims on the first call of a case, judged."""
    inputs = training.drawn(capability, case.calls[0])
    return claimed(Bench(backend, capability), law, Trial(dict(case.hyper), inputs))


def claimed(bench: Bench, law: str, trial: Trial) -> list[Judged]:
    """The law's claims on a trial, judged."""
    return list(claims.judged(LAWS[law](bench, trial)))
