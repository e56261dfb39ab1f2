"""What an experiment runs: a rule as one implementation computes it, step after step.

An experiment sees parameters as float64 numbers, whatever format and storage the implementation
keeps them in, and sets hyperparameters by name. A negative control puts another Kernel in the
implementation's place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, cast

import numpy as np

from truestep.fast.protocol import (
    Backend,
    Capability,
    Function,
    Group,
    Kind,
    MinimizerBackend,
    MinimizerCapability,
    Number,
    OptimizerBackend,
    OptimizerCapability,
    Outputs,
    ScheduleBackend,
    Slot,
    State,
    TrainingBackend,
)
from truestep.fast.reference_backend import Backend as References
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.cases.hypers import held
from truestep.properties.judge.calls import backend_call
from truestep.properties.kinds.minimizer.step import for_backend
from truestep.properties.kinds.optimizer.step import call, format_of, kept_field
from truestep.properties.kinds.optimizer.storage import held_storage, rule_of
from truestep.reference.declared import Hyper, fields_of
from truestep.reference.tables import RULES
from truestep.reference.validation import Array

Numbers = Mapping[str, Number]
# What a rule steps from: a gradient, or the function itself where it is a minimizer.
Pull = Array | Function


class Run(Protocol):
    """Parameters on their way."""

    @property
    def p(self) -> Array:
        """The parameters now, as float64 numbers."""
        ...

    @property
    def state(self) -> State:
        """What the rule keeps, as the implementation keeps it."""
        ...

    def step(self, g: Pull, inputs: Mapping[str, Array] | None = None, **changed: Number) -> Array:
        """One step from gradient g, with hyperparameters changed for it alone: the new p."""
        ...

    def put(self, p: Array) -> None:
        """Move the parameters, as a projection does between two steps; the state stays."""
        ...


class Kernel(Protocol):
    """One rule in one implementation."""

    @property
    def capability(self) -> Capability:
        """What the implementation declares: its rule, form, format and arithmetic."""
        ...

    def hyper(self, numbers: Numbers) -> Hyper:
        """The rule's hyperparameters in the implementation's form, with these numbers."""
        ...

    @property
    def u(self) -> float:
        """The largest relative error of one rounding of a parameter."""
        ...

    def start(self, p: Array, **numbers: Number) -> Run:
        """A run from p with these hyperparameters; the others are at their defaults."""
        ...

    def outputs(self, inputs: Mapping[str, object], **numbers: Number) -> Outputs:
        """A training piece's outputs, tensors as float64 numbers."""
        ...

    def rates(self, steps: Sequence[int], **numbers: Number) -> list[float]:
        """A schedule's values at these counts, which ascend."""
        ...


@dataclass(frozen=True, slots=True)
class Implementation:
    """A backend's capability as a kernel."""

    backend: Backend
    capability: Capability

    @property
    def u(self) -> float:
        """Of the coarsest format that a parameter passes; of stochastic rounding a whole ulp."""
        arithmetic = arithmetic_of(self.capability.arithmetic)
        formats = format_named(self.capability.format), arithmetic.format, arithmetic.stored("p")
        return max(format.u for format in formats) * (1 + (arithmetic.rounding == "stochastic"))

    def start(self, p: Array, **numbers: Number) -> "Trajectory":
        """A run from p."""
        return Trajectory(self, np.asarray(p, np.float64), numbers)

    def fields(self, numbers: Numbers) -> dict[str, object]:
        """The capability's own choices, and these hyperparameters."""
        return {**self.capability.dialect, **held(self.capability.fixed), **numbers}

    def hyper(self, numbers: Numbers) -> Hyper:
        """The same as the rule's validated Hyper."""
        return RULES[self.capability.kind][self.capability.rule].Hyper(**self.fields(numbers))

    def outputs(self, inputs: Mapping[str, object], **numbers: Number) -> Outputs:
        """The piece's outputs, from inputs in the capability's format."""
        format = format_named(self.capability.format).dtype
        given = {name: _in_format(x, format) for name, x in inputs.items()}
        piece = cast(TrainingBackend, self.backend).training_piece
        found = backend_call(piece, self.capability, self.hyper(numbers), given)
        return {name: _in_format(x, np.dtype(np.float64)) for name, x in found.items()}

    def rates(self, steps: Sequence[int], **numbers: Number) -> list[float]:
        """The schedule's values."""
        values = cast(ScheduleBackend, self.backend).schedule_values
        found = backend_call(values, self.capability, self.hyper(numbers), list(steps))
        return [float(a) for a in found]


@dataclass(slots=True)
class Trajectory:
    """A run of an implementation from its initial parameters."""

    kernel: Implementation
    initial: Array
    numbers: Numbers
    # Parameters and state as the implementation keeps them.
    _kept: Slot = field(init=False)

    def __post_init__(self) -> None:
        capability = cast(OptimizerCapability | MinimizerCapability, self.kernel.capability)
        param = np.ascontiguousarray(self.initial, format_named(capability.format).dtype)
        rule, arithmetic = rule_of(capability), arithmetic_of(capability.arithmetic)
        begun = rule.init(self._hyper({}), param.astype(np.float64))
        state = {
            name: kept_field(x, format_of(rule, name, arithmetic), 0)
            for name, x in fields_of(begun).items()
        }
        self._kept = Slot(param, np.zeros_like(param), state)

    def _hyper(self, changed: Numbers) -> Hyper:
        capability = cast(OptimizerCapability | MinimizerCapability, self.kernel.capability)
        known = self.kernel.fields({**self.numbers, **changed})
        if isinstance(capability, OptimizerCapability):
            known |= held_storage(capability)
        return rule_of(capability).Hyper(**known)

    @property
    def p(self) -> Array:
        """The parameters now."""
        return np.asarray(self._kept.param).astype(np.float64)

    @property
    def state(self) -> State:
        """What the rule keeps."""
        return self._kept.state

    def put(self, p: Array) -> None:
        """Other parameters, rounded to the format."""
        param = np.ascontiguousarray(p, self._kept.param.dtype)
        self._kept = replace(self._kept, param=param)

    def step(self, g: Pull, inputs: Mapping[str, Array] | None = None, **changed: Number) -> Array:
        """One step, by the backend."""
        capability, backend, slot = self.kernel.capability, self.kernel.backend, self._kept
        hyper, format = self._hyper(changed), format_named(capability.format)
        if callable(g):
            step = cast(MinimizerBackend, backend).minimizer_step
            function = for_backend(g, format)
            new = backend_call(step, capability, hyper, slot.param, slot.state, function)
        else:
            given = {name: _in_format(x, format.dtype) for name, x in (inputs or {}).items()}
            slot = replace(slot, grad=_in_format(np.asarray(g), format.dtype), inputs=given)
            optimizer, own = cast(OptimizerBackend, backend), cast(OptimizerCapability, capability)
            ((new,),) = call(optimizer, own, [Group(hyper, [slot])])
        self._kept = replace(slot, param=np.asarray(new.param), state=new.state)
        return self.p


def _in_format(x: object, format: np.dtype[np.generic]) -> Array:
    """Arrays, and lists of them, in a format; counts, flags and Python's numbers as they are."""
    if isinstance(x, (list, tuple)):
        return [_in_format(item, format) for item in x]
    return np.ascontiguousarray(x, format).reshape(x.shape) if isinstance(x, np.ndarray) else x


def reference(rule: str, kind: Kind = "optimizer", /, **dialect: str) -> Implementation:
    """The float64 reference of a rule, in the form that the dialect says."""
    known = References().capabilities()
    found = next(c for c in known if (c.kind, c.rule) == (kind, rule))
    return Implementation(References(), replace(found, dialect=dialect))
