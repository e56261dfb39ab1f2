"""The references as a backend, to run laws and theorems on the definitions themselves."""

import dataclasses
from collections.abc import Sequence
from typing import cast

import numpy as np

from truestep.fast.protocol import (
    Capability,
    Function,
    Group,
    Inputs,
    MinimizerCapability,
    OptimizerCapability,
    Outputs,
    ScheduleCapability,
    Slot,
    State,
    Stepped,
    TrainingCapability,
)
from truestep.reference.advance import advanced
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import FROM_FUNCTION, OPTIMIZERS
from truestep.reference.rules import Facts
from truestep.reference.schedules import SCHEDULES
from truestep.reference.training import TRAINING
from truestep.reference.validation import Array


class Backend:
    """Every optimizer, minimizer, schedule and training piece of the reference in its own form."""

    name = "reference"

    def capabilities(self) -> Sequence[Capability]:
        """The whole table in float64."""
        kinds = (
            (OptimizerCapability, OPTIMIZERS),
            (MinimizerCapability, FROM_FUNCTION),
            (ScheduleCapability, SCHEDULES),
            (TrainingCapability, TRAINING),
        )
        return [
            declared(rule=rule, format="float64", arithmetic="ieee_float64")
            for declared, rules in kinds
            for rule in rules
        ]

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        """One step of the reference on every slot."""
        return [[_step(capability.rule, group, slot) for slot in group.slots] for group in groups]

    def minimizer_step(
        self, capability: Capability, hyper: Hyper, param: Array, state: State, function: Function
    ) -> Stepped:
        """One step of the reference on one tensor."""
        rule = FROM_FUNCTION[capability.rule]
        pulled = (lambda x: function(x)[0]) if rule.FACTS.values_alone else function
        return _stepped(*advanced(rule, hyper, rule.State(**state), param, pulled))

    def schedule_values(
        self, capability: Capability, hyper: Hyper, steps: Sequence[int]
    ) -> Sequence[float]:
        """The reference's closed form."""
        return [float(SCHEDULES[capability.rule].value(hyper, t)) for t in steps]

    def training_piece(self, capability: Capability, hyper: Hyper, inputs: Inputs) -> Outputs:
        """The reference's outputs."""
        given = {name: _lifted(x) for name, x in inputs.items()}
        with np.errstate(all="ignore"):
            out = TRAINING[capability.rule].run(hyper, **given)
        return {name: _plain(x) for name, x in out.items()}


def _lifted(x: object) -> object:
    # A float64 array divides by zero as IEEE 754 says, where a Python float raises.
    if isinstance(x, (list, tuple)):
        return [_lifted(item) for item in x]
    return np.asarray(x) if isinstance(x, float) else x


def _plain(x: object) -> object:
    if isinstance(x, list):
        return [_plain(item) for item in x]
    return x if isinstance(x, (bool, int)) else np.asarray(x)


# Of what rules draw themselves, where they are not handed it.
_DRAWS = np.random.default_rng(2022)


def _step(name: str, group: Group, slot: Slot) -> Stepped:
    rule = OPTIMIZERS[name]
    before, inputs = rule.State(**slot.state), with_draws(rule.FACTS, slot, _DRAWS)
    return _stepped(*advanced(rule, group.hyper, before, slot.param, slot.grad, inputs))


def with_draws(facts: Facts, slot: Slot, rng: np.random.Generator) -> dict[str, Array]:
    """The inputs of a slot, with those drawn that the rule draws where it is not handed them."""
    shape, dtype = slot.param.shape, slot.param.dtype
    lacking = [name for name in facts.drawn if name not in slot.inputs]
    own = {name: rng.standard_normal(facts.inputs[name](shape)).astype(dtype) for name in lacking}
    return {**own, **slot.inputs}


def _stepped(state: object, p: Array) -> Stepped:
    fields = {f.name: getattr(state, f.name) for f in dataclasses.fields(cast(Array, state))}
    return Stepped(
        np.asarray(p),
        {k: int(x) if isinstance(x, int) else np.asarray(x) for k, x in fields.items()},
    )
