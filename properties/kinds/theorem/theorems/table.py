"""The theorems by name."""

from truestep.properties.kinds.theorem.theorems.gradient_descent_rate import GRADIENT_DESCENT_RATE
from truestep.properties.kinds.theorem.theorems.polyak_ruppert_averaging import POLYAK_RUPPERT
from truestep.properties.kinds.theorem.theorems.robbins_monro_convergence import ROBBINS_MONRO
from truestep.properties.kinds.theorem.theorems.sgd_moments import SGD_MOMENTS
from truestep.properties.kinds.theorem.theorems.theorem import Theorem

THEOREMS: dict[str, Theorem] = {
    "gradient_descent_rate": GRADIENT_DESCENT_RATE,
    "polyak_ruppert_averaging": POLYAK_RUPPERT,
    "robbins_monro_convergence": ROBBINS_MONRO,
    "sgd_moments": SGD_MOMENTS,
}
