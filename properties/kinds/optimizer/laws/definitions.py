"""Every rule that laws speak of, those included that take a function for a gradient.

The function is made from plain arrays, so that a law can permute and scale it: curvature p^2 / 2 +
g p, summed over the elements, whose gradient is curvature p + g.
"""

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from truestep.fast.protocol import Group, OptimizerCapability, Slot, Stepped
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.arithmetic.lift import plain
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.cases.tensors import values
from truestep.properties.kinds.minimizer.step import stored_in
from truestep.properties.kinds.optimizer import step as stepping
from truestep.properties.kinds.optimizer.cases import GroupCase, SlotCase, gradient_at
from truestep.properties.kinds.optimizer.storage import rule_of
from truestep.reference.advance import advanced
from truestep.reference.declared import fields_of
from truestep.reference.optimizers import FROM_FUNCTION, OPTIMIZERS, Rule
from truestep.reference.validation import Array

RULES: ChainMap[str, Rule] = ChainMap(OPTIMIZERS, FROM_FUNCTION)


def inputs_of(rule: str, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The shapes of what the named rule takes besides g."""
    if rule in FROM_FUNCTION:
        return {"curvature": shape}
    return {name: of(shape) for name, of in RULES[rule].FACTS.inputs.items()}


def handed(
    rule: str, g: Array, inputs: Mapping[str, Array], lift: Callable[[Array], Array]
) -> tuple[Array, dict[str, Array]]:
    """What step takes in the gradient's place, and besides it, in the arrays that lift makes."""
    lifted = {name: lift(x) for name, x in inputs.items()}
    if rule not in FROM_FUNCTION:
        return lift(g), lifted
    function = _quadratic(lifted["curvature"], lift(g))
    if RULES[rule].FACTS.values_alone:
        return lambda x: function(x)[0], {}
    return function, {}


def function_of(slot: Slot) -> Callable[[Array], tuple[Array, Array]]:
    """What a rule is handed that takes the function: its value and its gradient, in float64."""
    return _quadratic(slot.inputs["curvature"].astype(np.float64), slot.grad.astype(np.float64))


def _quadratic(a: Array, b: Array) -> Callable[[Array], tuple[Array, Array]]:
    return lambda x: (np.sum(0.5 * (a * (x * x)) + b * x), a * x + b)


def initial(capability: OptimizerCapability, group: GroupCase, case: SlotCase) -> Slot:
    """The slot before the first step of a case, of any rule."""
    name, rule = capability.rule, rule_of(capability)
    if name in OPTIMIZERS:
        return stepping.initial(rule, capability, group, case)
    travel = format_named(capability.format)
    hyper = rule.Hyper(**group.hyper)
    p = values(case.param, travel)
    state = rule.init(hyper, p)
    for i in range(case.history):
        g, inputs = values(gradient_at(case.grad, -2 - i), travel), _inputs(name, case, i + 1)
        state, p = advanced(rule, hyper, state, p, handed(name, g, inputs, np.asarray)[0])
    arithmetic = arithmetic_of(capability.arithmetic)
    stored = {
        k: case.t if k == "t" else stored_in(arithmetic.stored(k), x)
        for k, x in fields_of(state).items()
    }
    p, g = (stored_in(travel, x) for x in (p, values(gradient_at(case.grad, 0), travel)))
    inputs = {k: stored_in(travel, x) for k, x in _inputs(name, case, 0).items()}
    return Slot(p, g, stored, inputs)


def _inputs(name: str, case: SlotCase, step: int) -> dict[str, Array]:
    """Curvatures around 1, none of them negative."""
    rng = np.random.default_rng((case.param.seed, step))
    shapes = inputs_of(name, case.param.shape)
    drawn = {k: rng.standard_normal(shape) for k, shape in shapes.items()}
    return {k: np.abs(x) for k, x in drawn.items()}


class Backend:
    """The references of all rules, whatever their step takes, in float64."""

    name = "definitions"

    def capabilities(self) -> Sequence[OptimizerCapability]:
        """One of each rule."""
        return [
            OptimizerCapability(rule=rule, format="float64", arithmetic="ieee_float64")
            for rule in RULES
        ]

    def optimizer_step(
        self, capability: OptimizerCapability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        """One step of the reference on every slot."""
        return [[_step(capability, group, slot) for slot in group.slots] for group in groups]


def _step(capability: OptimizerCapability, group: Group, slot: Slot) -> Stepped:
    rule, lift, hyper = rule_of(capability), plain(), group.hyper
    if group.storage:
        hyper = rule.Hyper(**fields_of(hyper), storage=group.storage)
    state = lift.state(rule.State, slot.state)
    g, others = handed(capability.rule, slot.grad, slot.inputs, np.asarray)
    out = lift.outputs(*advanced(rule, hyper, state, slot.param, g, others))
    return Stepped(out.pop("p"), out)
