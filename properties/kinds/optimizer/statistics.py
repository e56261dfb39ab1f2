"""Tests of many roundings or draws, by the names of their checks: what no bound can see."""

from collections.abc import Mapping
from typing import Protocol

from truestep.fast.protocol import OptimizerBackend, OptimizerCapability
from truestep.properties.judge.contracts import Judged
from truestep.properties.judge.records import Place
from truestep.properties.kinds.optimizer import direction, draws, noise, normals
from truestep.properties.kinds.optimizer.cases import OptimizerCase
from truestep.properties.kinds.optimizer.step import Steps


class Statistic(Protocol):
    """A module with one case, and what is counted over it."""

    NAME: str

    def applies(self, capability: OptimizerCapability) -> bool:
        """Whether the capability declares the rounding that is tested."""
        ...

    def case(self, capability: OptimizerCapability, seed: int) -> OptimizerCase:
        """The case of one seed."""
        ...

    def judged(
        self, backend: OptimizerBackend, capability: OptimizerCapability, case: OptimizerCase
    ) -> Steps:
        """The case's step, and its counts as judgements."""
        ...

    def place(self, found: Judged) -> Place:
        """What was counted, in words."""
        ...


_ALL: tuple[Statistic, ...] = (direction, draws, noise, normals)
STATISTICS: Mapping[str, Statistic] = {each.NAME: each for each in _ALL}
