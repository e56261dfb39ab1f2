"""Every rule that laws speak of, those included that take a function for a gradient.

The function is made from plain arrays, so that a law can permute and scale it: curvature p^2 / 2 +
g p, summed over the elements, whose gradient is curvature p + g.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from truestep.fast.protocol import Capability, Group, Slot, Stepped
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.arithmetic.lift import state_of
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.cases.tensors import values
from truestep.properties.kinds.minimizer.step import stored_in
from truestep.properties.kinds.optimizer import step as stepping
from truestep.properties.kinds.optimizer.cases import GroupCase, SlotCase, gradient_at
from truestep.reference.optimizers import FROM_FUNCTION, OPTIMIZERS, Rule

RULES: dict[str, Rule] = {**OPTIMIZERS, **FROM_FUNCTION}


def inputs_of(rule: str, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The shapes of what the named rule takes besides g."""
    if rule in FROM_FUNCTION:
        return {"curvature": shape}
    return {name: of(shape) for name, of in RULES[rule].FACTS.inputs.items()}


def handed(
    rule: str, g: Any, inputs: Mapping[str, Any], lift: Callable[[Any], Any]
) -> tuple[Any, dict[str, Any]]:
    """What step takes in the gradient's place, and besides it, in the arrays that lift makes."""
    lifted = {name: lift(x) for name, x in inputs.items()}
    if rule not in FROM_FUNCTION:
        return lift(g), lifted
    function = _quadratic(lifted["curvature"], lift(g))
    if RULES[rule].FACTS.values_alone:
        return lambda x: function(x)[0], {}
    return function, {}


def function_of(slot: Slot) -> Callable[[Any], tuple[Any, Any]]:
    """What a rule is handed that takes the function: its value and its gradient, in float64."""
    return _quadratic(slot.inputs["curvature"].astype(np.float64), slot.grad.astype(np.float64))


def _quadratic(a: Any, b: Any) -> Callable[[Any], tuple[Any, Any]]:
    return lambda x: (np.sum(0.5 * (a * (x * x)) + b * x), a * x + b)


def initial(capability: Capability, group: GroupCase, case: SlotCase) -> Slot:
    """The slot before the first step of a case, of any rule."""
    name = capability.rule
    rule = RULES[name]
    if name in OPTIMIZERS:
        return stepping.initial(rule, capability, group, case)
    travel = format_named(capability.format)
    hyper = rule.Hyper(**group.hyper)
    p = values(case.param, travel)
    state = rule.init(hyper, p)
    for i in range(case.history):
        g, inputs = values(gradient_at(case.grad, -2 - i), travel), _inputs(name, case, i + 1)
        with np.errstate(all="ignore"):
            state, p = rule.step(hyper, state, p, handed(name, g, inputs, np.asarray)[0])
    arithmetic = arithmetic_of(capability.arithmetic)
    fields = {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}
    stored = {
        k: case.t if k == "t" else stored_in(arithmetic.stored(k), x) for k, x in fields.items()
    }
    p, g = (stored_in(travel, x) for x in (p, values(gradient_at(case.grad, 0), travel)))
    inputs = {k: stored_in(travel, x) for k, x in _inputs(name, case, 0).items()}
    return Slot(p, g, stored, inputs)


def _inputs(name: str, case: SlotCase, step: int) -> dict[str, Any]:
    """Curvatures around 1, none of them negative."""
    rng = np.random.default_rng((case.param.seed, step))
    shapes = inputs_of(name, case.param.shape)
    drawn = {k: rng.standard_normal(shape) for k, shape in shapes.items()}
    return {k: np.abs(x) for k, x in drawn.items()}


class Backend:
    """The references of all rules, whatever their step takes, in float64."""

    name = "definitions"

    def capabilities(self) -> Sequence[Capability]:
        """One of each rule."""
        return [
            Capability("optimizer", rule, format="float64", arithmetic="ieee_float64")
            for rule in RULES
        ]

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        """One step of the reference on every slot."""
        return [[_step(capability.rule, group, slot) for slot in group.slots] for group in groups]


def _step(name: str, group: Group, slot: Slot) -> Stepped:
    rule = RULES[name]
    with np.errstate(all="ignore"):
        g, others = handed(name, slot.grad, slot.inputs, np.asarray)
        state, p = rule.step(
            group.hyper, state_of(rule.State, slot.state, np.asarray), slot.param, g, **others
        )
    fields = {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}
    return Stepped(
        np.asarray(p), {k: int(x) if k == "t" else np.asarray(x) for k, x in fields.items()}
    )
