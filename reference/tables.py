"""Every rule by kind and name: what there is to be judged, apart from the theorems' problems."""

from collections.abc import Mapping

from truestep.reference.lives import LIVES
from truestep.reference.optimizers import FROM_FUNCTION, OPTIMIZERS
from truestep.reference.quantizers import QUANTIZERS
from truestep.reference.rules import Rule
from truestep.reference.schedules import SCHEDULES
from truestep.reference.training import TRAINING

RULES: dict[str, Mapping[str, Rule]] = {
    "life": LIVES,
    "minimizer": FROM_FUNCTION,
    "optimizer": OPTIMIZERS,
    "quantizer": QUANTIZERS,
    "schedule": SCHEDULES,
    "training": TRAINING,
}
