"""Which rule obeys which law: read each family's file from top to bottom.

Void, that the rule has nothing the law speaks of, follows from the law's needs unless it is written
down. Every rule has an entry for every common law. A special law is listed by the rules of its
family, and as failing by one outside of it.
"""

from truestep.fast.protocol import MinimizerCapability, OptimizerCapability, Storage
from truestep.properties.cases.hypers import values_of
from truestep.properties.kinds.optimizer.laws.families.stored import (
    OF_BITS,
    OF_EXTREMES,
    OF_POINTS,
    OF_SCALES,
    STORED,
    SURVIVING,
)
from truestep.properties.kinds.optimizer.laws.laws import COMMON, FAMILIES
from truestep.properties.kinds.optimizer.laws.needs import need
from truestep.properties.kinds.optimizer.laws.rows import Row
from truestep.properties.kinds.optimizer.storage import draws
from truestep.properties.laws.entries import Holds, Void
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.quantizers import QUANTIZERS

TABLE: dict[str, Row] = {
    rule: row for family in FAMILIES for rule, row in getattr(family, "RULES", {}).items()
}

# The rows of rules of one's own, by their form; ``found`` fills it.
OWN: dict[str, Row] = {}


def form(capability: OptimizerCapability | MinimizerCapability) -> str:
    """A capability's rule, with the choices and numbers that it has."""
    chosen = sorted({**capability.fixed, **capability.dialect}.items())
    return f"{capability.rule} {chosen} {capability.shapes}"


def entries_of(capability: OptimizerCapability | MinimizerCapability) -> Row:
    """The entries of a capability's rule, as far as they outlive how its state is stored."""
    row = OWN.get(form(capability)) or entries(capability.rule)
    if isinstance(capability, MinimizerCapability) or not capability.storage:
        return row
    behaviour = OPTIMIZERS[capability.rule].State.BEHAVIOUR
    points = any(behaviour[name].moves for name in capability.storage)
    surviving = SURVIVING - OF_POINTS if points else SURVIVING
    kept = {law: entry for law, entry in row.items() if law in surviving}
    made = dict(sorted({**kept, **STORED}.items()))
    kept_as = capability.storage.values()
    formats = [QUANTIZERS[how.quantizer] for how in kept_as]
    independent = all(format.INDEPENDENT for format in formats)
    if not independent or not isinstance(row.get("equivariant_under_concatenation"), Holds):
        del made["equivariant_under_concatenation_of_whole_blocks"]
    lost = set() if all(format.SCALES for format in formats) else OF_SCALES | OF_EXTREMES
    if any(_chosen(how) & {"ceil", "floor", "stochastic", "toward_zero"} for how in kept_as):
        lost = lost | OF_EXTREMES
    if any(draws(how) for how in kept_as):
        lost = lost | OF_BITS
    return {law: entry for law, entry in made.items() if law not in lost}


def _chosen(how: Storage) -> set[object]:
    """How a scale and a quotient by it are rounded."""
    given = (values_of(how.hyper[name]) for name in ("power", "rounding") if name in how.hyper)
    return {x for values in given for x in values}


def entries(rule: str) -> Row:
    """The entries of a rule by law, in alphabetical order; what it has nothing for is void."""
    row = TABLE.get(rule, {})
    void = {law: why for law in {*COMMON, *row} if (why := need(law).void(rule))}
    return dict(sorted({**row, **{law: Void(why) for law, why in void.items()}}.items()))
