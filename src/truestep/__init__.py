"""TrueStep: what optimizers, schedules and quantizers compute, and proof that a kernel does.

Judge a kernel
    certify         a backend, by every check: a `Judged`, with its certificate and its report
    parametrize     its checks as tests of pytest; the fixture `truestep` has them in one test
    wrap            backends of what has no adapter: classes, functions, transformations

Judge in tests of one's own
    testing         assert_step, assert_schedule, assert_codes, assert_stochastic, bounds

Write a backend
    Capability      what it declares; OptimizerCapability, MinimizerCapability, QuantizerCapability,
                    ScheduleCapability, TrainingCapability, LifeCapability have what is each
                    kind's own
    Group, Slot     what an optimizer's step is given
    Stepped         what it gives back

Read the definitions
    OPTIMIZERS, SCHEDULES, QUANTIZERS, TRAINING
                    a name to a module, with `Hyper` and the rule's own functions

Train with certified kernels
    torch           optimizers in the place of torch.optim's (import truestep.torch)

On the command line: truestep --help. Every name is loaded when it is first asked for, so that
importing the package costs nothing. __version__ is the version of all of it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truestep import testing, wrap
    from truestep.fast.protocol import (
        Capability,
        Group,
        LifeCapability,
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
    "LifeCapability",
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
    "testing",
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

        if name in ("testing", "wrap"):
            return import_module(f"truestep.{name}")
        found = getattr(import_module(_HOMES.get(name, "truestep.fast.protocol")), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
