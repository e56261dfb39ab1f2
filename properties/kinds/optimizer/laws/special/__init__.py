"""Laws that one family of rules obeys and others break, by family."""

from __future__ import annotations

from collections.abc import Mapping

from truestep.properties.kinds.optimizer.laws.claims import Law
from truestep.properties.kinds.optimizer.laws.special.adaptive import ADAPTIVE
from truestep.properties.kinds.optimizer.laws.special.classical import CLASSICAL
from truestep.properties.kinds.optimizer.laws.special.curvature import CURVATURE
from truestep.properties.kinds.optimizer.laws.special.large_batch import LARGE_BATCH
from truestep.properties.kinds.optimizer.laws.special.low_rank import LOW_RANK
from truestep.properties.kinds.optimizer.laws.special.matrix import MATRIX
from truestep.properties.kinds.optimizer.laws.special.memory import MEMORY
from truestep.properties.kinds.optimizer.laws.special.modern import MODERN
from truestep.properties.kinds.optimizer.laws.special.sign import SIGN

SPECIAL: Mapping[str, Law] = {
    **ADAPTIVE,
    **CLASSICAL,
    **CURVATURE,
    **LARGE_BATCH,
    **LOW_RANK,
    **MATRIX,
    **MEMORY,
    **MODERN,
    **SIGN,
}
