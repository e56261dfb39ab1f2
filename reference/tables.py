"""Every rule by kind and name: the one map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from truestep.reference.declared import Hyper
from truestep.reference.optimizers import FROM_FUNCTION, OPTIMIZERS
from truestep.reference.quantizers import QUANTIZERS
from truestep.reference.schedules import SCHEDULES
from truestep.reference.training import TRAINING


class Declaring(Protocol):
    """What the module of a rule of any kind has."""

    @property
    def DIALECTS(self) -> dict[str, dict[str, str]]:
        """Every choice on which libraries differ: field of Hyper -> value -> what it means."""
        ...

    @property
    def Hyper(self) -> type[Hyper]:
        """The validated hyperparameters, a frozen dataclass with a default for every field."""
        ...


RULES: Mapping[str, Mapping[str, Declaring]] = {
    "minimizer": FROM_FUNCTION,
    "optimizer": OPTIMIZERS,
    "quantizer": QUANTIZERS,
    "schedule": SCHEDULES,
    "training": TRAINING,
}
