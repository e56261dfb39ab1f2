"""The theorems by name, and the probability with which each may fail a correct kernel."""

from truestep.properties.kinds.theorem.theorems.adaptive.adagrad_regret import ADAGRAD_REGRET
from truestep.properties.kinds.theorem.theorems.adaptive.adam_bounded_step import ADAM_BOUNDED_STEP
from truestep.properties.kinds.theorem.theorems.adaptive.adam_non_convergence import (
    ADAM_NON_CONVERGENCE,
)
from truestep.properties.kinds.theorem.theorems.adaptive.adam_scale_free import ADAM_SCALE_FREE
from truestep.properties.kinds.theorem.theorems.adaptive.adamw_fixed_point import ADAMW_FIXED_POINT
from truestep.properties.kinds.theorem.theorems.adaptive.amsgrad_convergence import (
    AMSGRAD_CONVERGENCE,
)
from truestep.properties.kinds.theorem.theorems.adaptive.decoupled_decay_is_absolute import (
    DECOUPLED_DECAY_IS_ABSOLUTE,
)
from truestep.properties.kinds.theorem.theorems.adaptive.error_feedback import ERROR_FEEDBACK
from truestep.properties.kinds.theorem.theorems.adaptive.l2_decay_is_relative import (
    L2_DECAY_IS_RELATIVE,
)
from truestep.properties.kinds.theorem.theorems.adaptive.lion_box import LION_BOX
from truestep.properties.kinds.theorem.theorems.adaptive.prodigy_estimate import PRODIGY_ESTIMATE
from truestep.properties.kinds.theorem.theorems.adaptive.rmsprop_bounded_step import (
    RMSPROP_BOUNDED_STEP,
)
from truestep.properties.kinds.theorem.theorems.adaptive.schedule_free_bound import (
    SCHEDULE_FREE_BOUND,
)
from truestep.properties.kinds.theorem.theorems.adaptive.sign_scale_free import SIGN_SCALE_FREE
from truestep.properties.kinds.theorem.theorems.adaptive.signsgd_counterexample import (
    SIGNSGD_COUNTEREXAMPLE,
)
from truestep.properties.kinds.theorem.theorems.adaptive.signsgd_descent import SIGNSGD_DESCENT
from truestep.properties.kinds.theorem.theorems.batches.data_parallelism import DATA_PARALLELISM
from truestep.properties.kinds.theorem.theorems.batches.delay_thresholds import DELAY_THRESHOLDS
from truestep.properties.kinds.theorem.theorems.batches.gradient_accumulation import (
    GRADIENT_ACCUMULATION,
)
from truestep.properties.kinds.theorem.theorems.batches.importance_sampling import (
    IMPORTANCE_SAMPLING,
)
from truestep.properties.kinds.theorem.theorems.batches.kaczmarz_rate import KACZMARZ_RATE
from truestep.properties.kinds.theorem.theorems.batches.linear_scaling import LINEAR_SCALING
from truestep.properties.kinds.theorem.theorems.batches.minibatch_variance import MINIBATCH_VARIANCE
from truestep.properties.kinds.theorem.theorems.batches.noise_scale import NOISE_SCALE
from truestep.properties.kinds.theorem.theorems.batches.shuffling import SHUFFLING
from truestep.properties.kinds.theorem.theorems.curvature.kfac_exactness import KFAC_EXACTNESS
from truestep.properties.kinds.theorem.theorems.curvature.lbfgs_termination import LBFGS_TERMINATION
from truestep.properties.kinds.theorem.theorems.curvature.muon_singular_values import (
    MUON_SINGULAR_VALUES,
)
from truestep.properties.kinds.theorem.theorems.curvature.muon_spectral_bound import (
    MUON_SPECTRAL_BOUND,
)
from truestep.properties.kinds.theorem.theorems.curvature.newton_rate import NEWTON_RATE
from truestep.properties.kinds.theorem.theorems.curvature.shampoo_regret import SHAMPOO_REGRET
from truestep.properties.kinds.theorem.theorems.curvature.sr1_recovery import SR1_RECOVERY
from truestep.properties.kinds.theorem.theorems.deterministic.absolute_value_alternates import (
    ABSOLUTE_VALUE,
)
from truestep.properties.kinds.theorem.theorems.deterministic.convex_lipschitz_rate import (
    CONVEX_LIPSCHITZ,
)
from truestep.properties.kinds.theorem.theorems.deterministic.decaying_steps import DECAYING_STEPS
from truestep.properties.kinds.theorem.theorems.deterministic.gradient_descent_rate import (
    GRADIENT_DESCENT_RATE,
)
from truestep.properties.kinds.theorem.theorems.deterministic.last_iterate import LAST_ITERATE
from truestep.properties.kinds.theorem.theorems.deterministic.least_squares_stability import (
    LEAST_SQUARES_STABILITY,
)
from truestep.properties.kinds.theorem.theorems.deterministic.power_series_sums import POWER_SERIES
from truestep.properties.kinds.theorem.theorems.deterministic.summable_steps_stall import (
    SUMMABLE_STEPS,
)
from truestep.properties.kinds.theorem.theorems.momentum.heavy_ball_cycle import HEAVY_BALL_CYCLE
from truestep.properties.kinds.theorem.theorems.momentum.heavy_ball_rate import HEAVY_BALL_RATE
from truestep.properties.kinds.theorem.theorems.momentum.nesterov_bound import NESTEROV_BOUND
from truestep.properties.kinds.theorem.theorems.momentum.nesterov_linear_rate import NESTEROV_LINEAR
from truestep.properties.kinds.theorem.theorems.non_convex.gradient_norm import GRADIENT_NORM
from truestep.properties.kinds.theorem.theorems.non_convex.polyak_lojasiewicz import (
    POLYAK_LOJASIEWICZ,
)
from truestep.properties.kinds.theorem.theorems.non_convex.rosenbrock_descent import (
    ROSENBROCK_DESCENT,
)
from truestep.properties.kinds.theorem.theorems.precision.compensation import COMPENSATION
from truestep.properties.kinds.theorem.theorems.precision.drawn_codes import DRAWN_CODES
from truestep.properties.kinds.theorem.theorems.precision.eight_bit_dead_zone import (
    EIGHT_BIT_DEAD_ZONE,
)
from truestep.properties.kinds.theorem.theorems.precision.second_moment_stalls import (
    SECOND_MOMENT_STALLS,
)
from truestep.properties.kinds.theorem.theorems.precision.stall_radius import STALL_RADIUS
from truestep.properties.kinds.theorem.theorems.precision.stochastic_rounding import (
    STOCHASTIC_ROUNDING,
)
from truestep.properties.kinds.theorem.theorems.stochastic.almost_sure_rate import ALMOST_SURE
from truestep.properties.kinds.theorem.theorems.stochastic.bias_variance_crossing import CROSSING
from truestep.properties.kinds.theorem.theorems.stochastic.kiefer_wolfowitz_gains import (
    KIEFER_WOLFOWITZ,
)
from truestep.properties.kinds.theorem.theorems.stochastic.lookahead_variance import (
    LOOKAHEAD_VARIANCE,
)
from truestep.properties.kinds.theorem.theorems.stochastic.momentum_moments import MOMENTUM_MOMENTS
from truestep.properties.kinds.theorem.theorems.stochastic.noise_floor import NOISE_FLOOR
from truestep.properties.kinds.theorem.theorems.stochastic.polyak_ruppert_averaging import (
    POLYAK_RUPPERT,
)
from truestep.properties.kinds.theorem.theorems.stochastic.robbins_monro_convergence import (
    ROBBINS_MONRO,
)
from truestep.properties.kinds.theorem.theorems.stochastic.rounding_averages_out import (
    ROUNDING_AVERAGES_OUT,
)
from truestep.properties.kinds.theorem.theorems.stochastic.sgd_moments import SGD_MOMENTS
from truestep.properties.kinds.theorem.theorems.stochastic.strongly_convex_rate import (
    STRONGLY_CONVEX,
)
from truestep.properties.kinds.theorem.theorems.stochastic.suffix_averaging import SUFFIX_AVERAGING
from truestep.properties.kinds.theorem.theorems.theorem import Theorem

# Chance that a run on a correct backend raises any false alarm: a thousand runs a year on ten
# backends raise one in a hundred years.
FALSE_ALARM_PROBABILITY = 1e-6

THEOREMS: dict[str, Theorem] = {
    "absolute_value_alternates": ABSOLUTE_VALUE,
    "adagrad_regret": ADAGRAD_REGRET,
    "adam_bounded_step": ADAM_BOUNDED_STEP,
    "adam_non_convergence": ADAM_NON_CONVERGENCE,
    "adam_scale_free": ADAM_SCALE_FREE,
    "adamw_fixed_point": ADAMW_FIXED_POINT,
    "almost_sure_rate": ALMOST_SURE,
    "amsgrad_convergence": AMSGRAD_CONVERGENCE,
    "bias_variance_crossing": CROSSING,
    "compensation": COMPENSATION,
    "convex_lipschitz_rate": CONVEX_LIPSCHITZ,
    "data_parallelism_is_the_batch": DATA_PARALLELISM,
    "decaying_steps_are_not_linear": DECAYING_STEPS,
    "decoupled_decay_is_absolute": DECOUPLED_DECAY_IS_ABSOLUTE,
    "delay_thresholds": DELAY_THRESHOLDS,
    "drawn_codes": DRAWN_CODES,
    "eight_bit_dead_zone": EIGHT_BIT_DEAD_ZONE,
    "error_feedback": ERROR_FEEDBACK,
    "gradient_accumulation_is_the_batch": GRADIENT_ACCUMULATION,
    "gradient_descent_rate": GRADIENT_DESCENT_RATE,
    "gradient_noise_scale": NOISE_SCALE,
    "gradient_norm": GRADIENT_NORM,
    "heavy_ball_cycle": HEAVY_BALL_CYCLE,
    "heavy_ball_rate": HEAVY_BALL_RATE,
    "importance_sampling": IMPORTANCE_SAMPLING,
    "kaczmarz_rate": KACZMARZ_RATE,
    "kfac_exactness": KFAC_EXACTNESS,
    "kiefer_wolfowitz_gains": KIEFER_WOLFOWITZ,
    "l2_decay_is_relative": L2_DECAY_IS_RELATIVE,
    "last_iterate": LAST_ITERATE,
    "lbfgs_termination": LBFGS_TERMINATION,
    "least_squares_stability": LEAST_SQUARES_STABILITY,
    "linear_scaling_and_its_end": LINEAR_SCALING,
    "lion_box": LION_BOX,
    "lookahead_variance": LOOKAHEAD_VARIANCE,
    "minibatch_variance": MINIBATCH_VARIANCE,
    "momentum_moments": MOMENTUM_MOMENTS,
    "muon_singular_values": MUON_SINGULAR_VALUES,
    "muon_spectral_bound": MUON_SPECTRAL_BOUND,
    "nesterov_bound": NESTEROV_BOUND,
    "nesterov_linear_rate": NESTEROV_LINEAR,
    "newton_rate": NEWTON_RATE,
    "noise_floor": NOISE_FLOOR,
    "polyak_lojasiewicz": POLYAK_LOJASIEWICZ,
    "polyak_ruppert_averaging": POLYAK_RUPPERT,
    "power_series_sums": POWER_SERIES,
    "prodigy_estimate": PRODIGY_ESTIMATE,
    "rmsprop_bounded_step": RMSPROP_BOUNDED_STEP,
    "robbins_monro_convergence": ROBBINS_MONRO,
    "rosenbrock_descent": ROSENBROCK_DESCENT,
    "rounding_averages_out": ROUNDING_AVERAGES_OUT,
    "schedule_free_bound": SCHEDULE_FREE_BOUND,
    "second_moment_stalls": SECOND_MOMENT_STALLS,
    "sgd_moments": SGD_MOMENTS,
    "shampoo_regret": SHAMPOO_REGRET,
    "shuffling_beats_replacement": SHUFFLING,
    "sign_scale_free": SIGN_SCALE_FREE,
    "signsgd_counterexample": SIGNSGD_COUNTEREXAMPLE,
    "signsgd_descent": SIGNSGD_DESCENT,
    "sr1_recovery": SR1_RECOVERY,
    "stall_radius": STALL_RADIUS,
    "stochastic_rounding": STOCHASTIC_ROUNDING,
    "strongly_convex_rate": STRONGLY_CONVEX,
    "suffix_averaging": SUFFIX_AVERAGING,
    "summable_steps_stall": SUMMABLE_STEPS,
}

# Each random experiment's share, were every theorem run in every place that it speaks of.
LEVEL = FALSE_ALARM_PROBABILITY / sum(t.subject.places for t in THEOREMS.values() if t.random)
