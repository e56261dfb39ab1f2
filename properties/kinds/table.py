"""Every kind of check, by name."""

from typing import cast

from truestep.properties.kinds.kind import AnyKind
from truestep.properties.kinds.life.kind import LifeKind
from truestep.properties.kinds.minimizer.kind import MinimizerKind
from truestep.properties.kinds.optimizer.kind import OptimizerKind
from truestep.properties.kinds.quantizer.kind import QuantizerKind
from truestep.properties.kinds.schedule.kind import ScheduleKind
from truestep.properties.kinds.theorem.kind import TheoremKind
from truestep.properties.kinds.training.kind import TrainingKind

KINDS: dict[str, AnyKind] = {
    # A kind takes capabilities, cases and backends of its own only; the runner gives it no others.
    kind.name: cast(AnyKind, kind)
    for kind in (
        LifeKind(),
        MinimizerKind(),
        OptimizerKind(),
        QuantizerKind(),
        ScheduleKind(),
        # Not a kind of capability: theorems are run on optimizers.
        TheoremKind(),
        TrainingKind(),
    )
}
