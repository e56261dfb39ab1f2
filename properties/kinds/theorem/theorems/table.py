"""The theorems by name, and the probability with which each may fail a correct kernel."""

from truestep.properties.kinds.theorem.theorems.deterministic.gradient_descent_rate import (
    GRADIENT_DESCENT_RATE,
)
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
    "gradient_descent_rate": GRADIENT_DESCENT_RATE,
    "polyak_ruppert_averaging": POLYAK_RUPPERT,
    "robbins_monro_convergence": ROBBINS_MONRO,
    "sgd_moments": SGD_MOMENTS,
}

# Each experiment's share, were every theorem run in every place that it speaks of.
LEVEL = FALSE_ALARM_PROBABILITY / sum(t.subject.places for t in THEOREMS.values())
