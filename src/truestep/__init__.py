"""TrueStep: what optimizers, schedules and quantizers compute, and proof that a kernel does.

`certify` judges a backend, and `parametrize` makes its checks tests of pytest. A backend declares
one `Capability` for each rule and format it computes and takes and gives back `Group`, `Slot` and
`Stepped`. OPTIMIZERS, SCHEDULES, QUANTIZERS and TRAINING are the references: a name to a module
with `Hyper` and the rule's own functions.
`truestep.wrap` makes backends of optimizers that have no adapter.
`truestep.testing` has what judges one step, one schedule or one encoding in somebody's own tests.

Every name is loaded when it is first asked for, so that importing the package costs nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truestep import wrap
    from truestep.fast.protocol import (
        Capability,
        Group,
        MinimizerCapability,
        OptimizerCapability,
        QuantizerCapability,
        ScheduleCapability,
        Slot,
        Stepped,
        TrainingCapability,
    )
    from truestep.reference.optimizers import OPTIMIZERS
    from truestep.reference.quantizers import QUANTIZERS
    from truestep.reference.schedules import SCHEDULES
    from truestep.reference.training import TRAINING
    from truestep.reports.judged import Judged
    from truestep.reports.judging import certify
    from truestep.reports.parametrized import parametrize

__all__ = [
    "OPTIMIZERS",
    "QUANTIZERS",
    "SCHEDULES",
    "TRAINING",
    "Capability",
    "Group",
    "Judged",
    "MinimizerCapability",
    "OptimizerCapability",
    "QuantizerCapability",
    "ScheduleCapability",
    "Slot",
    "Stepped",
    "TrainingCapability",
    "__version__",
    "certify",
    "parametrize",
    "wrap",
]

__version__ = "0.1.0"

_HOMES = {
    "OPTIMIZERS": "truestep.reference.optimizers",
    "QUANTIZERS": "truestep.reference.quantizers",
    "SCHEDULES": "truestep.reference.schedules",
    "TRAINING": "truestep.reference.training",
    "Judged": "truestep.reports.judged",
    "certify": "truestep.reports.judging",
    "parametrize": "truestep.reports.parametrized",
}


# Not for type checkers, which read the imports above and would take any name for granted.
if not TYPE_CHECKING:

    def __getattr__(name):
        """Load a public name from its home (PEP 562)."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        if name == "wrap":
            return import_module("truestep.wrap")
        found = getattr(import_module(_HOMES.get(name, "truestep.fast.protocol")), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
