"""The theorems by name, and the probability with which each may fail a correct kernel."""

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
from truestep.properties.kinds.theorem.theorems.deterministic.summable_steps_stall import (
    SUMMABLE_STEPS,
)
from truestep.properties.kinds.theorem.theorems.momentum.heavy_ball_cycle import HEAVY_BALL_CYCLE
from truestep.properties.kinds.theorem.theorems.momentum.heavy_ball_rate import HEAVY_BALL_RATE
from truestep.properties.kinds.theorem.theorems.momentum.nesterov_bound import NESTEROV_BOUND
from truestep.properties.kinds.theorem.theorems.momentum.nesterov_linear_rate import NESTEROV_LINEAR
from truestep.properties.kinds.theorem.theorems.stochastic.polyak_ruppert_averaging import (
    POLYAK_RUPPERT,
)
from truestep.properties.kinds.theorem.theorems.stochastic.robbins_monro_convergence import (
    ROBBINS_MONRO,
)
from truestep.properties.kinds.theorem.theorems.stochastic.sgd_moments import SGD_MOMENTS
from truestep.properties.kinds.theorem.theorems.theorem import Theorem

# Chance that a run on a correct backend raises any false alarm: a thousand runs a year on ten
# backends raise one in a hundred years.
FALSE_ALARM_PROBABILITY = 1e-6

THEOREMS: dict[str, Theorem] = {
    "absolute_value_alternates": ABSOLUTE_VALUE,
    "convex_lipschitz_rate": CONVEX_LIPSCHITZ,
    "decaying_steps_are_not_linear": DECAYING_STEPS,
    "gradient_descent_rate": GRADIENT_DESCENT_RATE,
    "heavy_ball_cycle": HEAVY_BALL_CYCLE,
    "heavy_ball_rate": HEAVY_BALL_RATE,
    "last_iterate": LAST_ITERATE,
    "nesterov_bound": NESTEROV_BOUND,
    "nesterov_linear_rate": NESTEROV_LINEAR,
    "polyak_ruppert_averaging": POLYAK_RUPPERT,
    "robbins_monro_convergence": ROBBINS_MONRO,
    "sgd_moments": SGD_MOMENTS,
    "summable_steps_stall": SUMMABLE_STEPS,
}

# Each experiment's share, were every theorem run in every place that it speaks of.
LEVEL = FALSE_ALARM_PROBABILITY / sum(t.subject.places for t in THEOREMS.values())
