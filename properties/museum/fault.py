"""A planted fault, and the backend that computes with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from truestep.fast.protocol import Capability, Group, Slot, Stepped
from truestep.properties.museum.kernels import KERNELS, Line, run
from truestep.reference.optimizers import FROM_FUNCTION

StepOne = Callable[[Any, Slot], Stepped]


@dataclass(frozen=True, slots=True)
class Fault:
    """A small mutation of a correct kernel.

    kind: class of the fault. source: where such a fault was found. check: the check expected to
    catch it, which is run first. lines: replaced lines of the rule's kernel. slot: replaces the
    step of one tensor, given the kernel's. groups: replaces the whole call, given the step of one
    tensor. computes: the dialect or rule that it must be identified as, "" where it is none.
    """

    rule: str
    kind: str
    description: str
    source: str
    check: str = "lockstep"
    lines: Mapping[str, Line] = field(default_factory=dict)
    slot: Callable[[StepOne, Any, Slot], Stepped] | None = None
    groups: Callable[[StepOne, Sequence[Group]], list[list[Stepped]]] | None = None
    computes: str = ""

    def backend(self) -> MuseumBackend:
        """A backend that computes with the fault."""
        return MuseumBackend(self.rule, self)


class MuseumBackend:
    """The float32 kernel of one rule, with a fault or, without one, correct."""

    def __init__(self, rule: str, fault: Fault | None = None) -> None:
        self.name = f"museum {rule}"
        self.rule = rule
        self.fault = fault
        self.kernel = {**KERNELS[rule].kernel, **(fault.lines if fault else {})}
        self.memory: dict[str, Any] = {}

    def capabilities(self) -> Sequence[Capability]:
        """The rule in float32, in the form that its kernel has."""
        home = KERNELS[self.rule]
        kind = "minimizer" if self.rule in FROM_FUNCTION else "optimizer"
        return [
            Capability(kind, self.rule, dialect=home.dialect, fixed=home.fixed, shapes=home.shapes)
        ]

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        """One step on every slot."""
        with np.errstate(all="ignore"):
            if self.fault is not None and self.fault.groups is not None:
                return self.fault.groups(self._step, groups)
            return each(self._step, groups)

    def minimizer_step(
        self,
        capability: Capability,
        hyper: Any,
        param: Any,
        state: Mapping[str, Any],
        function: Callable[[Any], Any],
    ) -> Stepped:
        """One step of a rule that evaluates the function."""
        with np.errstate(all="ignore"):
            slot = Slot(param, np.zeros_like(param), state)
            return run(self.kernel, hyper, slot, self.memory, function)

    def _step(self, h: Any, slot: Slot) -> Stepped:
        if self.fault is not None and self.fault.slot is not None:
            return self.fault.slot(self._plain, h, slot)
        return self._plain(h, slot)

    def _plain(self, h: Any, slot: Slot) -> Stepped:
        return run(self.kernel, h, slot, self.memory)


def each(step: StepOne, groups: Sequence[Group]) -> list[list[Stepped]]:
    """The step applied to every slot of every group."""
    return [[step(group.hyper, slot) for slot in group.slots] for group in groups]
