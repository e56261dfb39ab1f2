"""Which rule obeys which law: read each family's file from top to bottom.

Void, that the rule has nothing the law speaks of, follows from the law's needs unless it is written
down. Every rule has an entry for every common law. A special law is listed by the rules of its
family, and as failing by one outside of it.
"""

from __future__ import annotations

from truestep.fast.protocol import MinimizerCapability, OptimizerCapability
from truestep.properties.kinds.optimizer.laws.families.adaptive import ADAPTIVE_RULES
from truestep.properties.kinds.optimizer.laws.families.classical import CLASSICAL
from truestep.properties.kinds.optimizer.laws.families.curvature import CURVATURE
from truestep.properties.kinds.optimizer.laws.families.large_batch import LARGE_BATCH
from truestep.properties.kinds.optimizer.laws.families.low_rank import LOW_RANK
from truestep.properties.kinds.optimizer.laws.families.matrix import MATRIX
from truestep.properties.kinds.optimizer.laws.families.memory import MEMORY
from truestep.properties.kinds.optimizer.laws.families.modern import MODERN
from truestep.properties.kinds.optimizer.laws.families.sign import SIGN
from truestep.properties.kinds.optimizer.laws.families.stored import STORED, SURVIVING
from truestep.properties.kinds.optimizer.laws.laws import COMMON
from truestep.properties.kinds.optimizer.laws.needs import need
from truestep.properties.kinds.optimizer.laws.rows import Row
from truestep.properties.laws.entries import Holds, Void

TABLE: dict[str, Row] = {
    **ADAPTIVE_RULES,
    **CLASSICAL,
    **CURVATURE,
    **LARGE_BATCH,
    **LOW_RANK,
    **MATRIX,
    **MEMORY,
    **MODERN,
    **SIGN,
}


def entries_of(capability: OptimizerCapability | MinimizerCapability) -> Row:
    """The entries of a capability's rule, as far as they outlive how its state is stored."""
    row = entries(capability.rule)
    if isinstance(capability, MinimizerCapability) or not capability.storage:
        return row
    kept = {law: entry for law, entry in row.items() if law in SURVIVING}
    made = dict(sorted({**kept, **STORED}.items()))
    if not isinstance(row["equivariant_under_concatenation"], Holds):
        del made["equivariant_under_concatenation_of_whole_blocks"]
    return made


def entries(rule: str) -> Row:
    """The entries of a rule by law, in alphabetical order; what it has nothing for is void."""
    row = TABLE.get(rule, {})
    void = {law: why for law in {*COMMON, *row} if (why := need(law).void(rule))}
    return dict(sorted({**row, **{law: Void(why) for law, why in void.items()}}.items()))
