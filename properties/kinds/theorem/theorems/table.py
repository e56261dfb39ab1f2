"""The theorems by name, and the probability with which each may fail a correct kernel."""

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
from truestep.properties.kinds.theorem.theorems.stochastic.almost_sure_rate import ALMOST_SURE
from truestep.properties.kinds.theorem.theorems.stochastic.bias_variance_crossing import CROSSING
from truestep.properties.kinds.theorem.theorems.stochastic.kiefer_wolfowitz_gains import (
    KIEFER_WOLFOWITZ,
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
    "almost_sure_rate": ALMOST_SURE,
    "bias_variance_crossing": CROSSING,
    "convex_lipschitz_rate": CONVEX_LIPSCHITZ,
    "data_parallelism_is_the_batch": DATA_PARALLELISM,
    "decaying_steps_are_not_linear": DECAYING_STEPS,
    "delay_thresholds": DELAY_THRESHOLDS,
    "gradient_accumulation_is_the_batch": GRADIENT_ACCUMULATION,
    "gradient_descent_rate": GRADIENT_DESCENT_RATE,
    "gradient_noise_scale": NOISE_SCALE,
    "heavy_ball_cycle": HEAVY_BALL_CYCLE,
    "heavy_ball_rate": HEAVY_BALL_RATE,
    "importance_sampling": IMPORTANCE_SAMPLING,
    "kaczmarz_rate": KACZMARZ_RATE,
    "kiefer_wolfowitz_gains": KIEFER_WOLFOWITZ,
    "last_iterate": LAST_ITERATE,
    "least_squares_stability": LEAST_SQUARES_STABILITY,
    "linear_scaling_and_its_end": LINEAR_SCALING,
    "minibatch_variance": MINIBATCH_VARIANCE,
    "momentum_moments": MOMENTUM_MOMENTS,
    "nesterov_bound": NESTEROV_BOUND,
    "nesterov_linear_rate": NESTEROV_LINEAR,
    "noise_floor": NOISE_FLOOR,
    "polyak_ruppert_averaging": POLYAK_RUPPERT,
    "power_series_sums": POWER_SERIES,
    "robbins_monro_convergence": ROBBINS_MONRO,
    "rounding_averages_out": ROUNDING_AVERAGES_OUT,
    "sgd_moments": SGD_MOMENTS,
    "shuffling_beats_replacement": SHUFFLING,
    "strongly_convex_rate": STRONGLY_CONVEX,
    "suffix_averaging": SUFFIX_AVERAGING,
    "summable_steps_stall": SUMMABLE_STEPS,
}

# Each random experiment's share, were every theorem run in every place that it speaks of.
LEVEL = FALSE_ALARM_PROBABILITY / sum(t.subject.places for t in THEOREMS.values() if t.random)
