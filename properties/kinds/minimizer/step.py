"""One step of a rule that evaluates the function, twice: by the backend, and by the reference.

The function is the same for both, its values and gradients rounded to the capability's format. The
reference's step is repeated in Monte Carlo arithmetic; where rounding may turn one of its
comparisons, in a line search or of a pair's curvature, the step is undecided and not judged.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields

import numpy as np

from truestep.fast.protocol import (
    Array,
    Capability,
    Group,
    MinimizerBackend,
    MinimizerCapability,
    OptimizerCapability,
    Slot,
    Stepped,
)
from truestep.fast.protocol import Function as ToBackend
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.arithmetic.formats import Format, format_named
from truestep.properties.arithmetic.lift import sampled, stepped
from truestep.properties.arithmetic.profiles import ORACLE, Arithmetic, arithmetic_of
from truestep.properties.arithmetic.sampled import Replicates, Sampled
from truestep.properties.cases.tensors import array, values
from truestep.properties.judge import truth
from truestep.properties.judge.calls import BackendFault
from truestep.properties.judge.contracts import Judged, Judgement, judge_sampled, not_judged
from truestep.properties.kinds.minimizer.cases import Function, MinimizerCase, function_of
from truestep.properties.kinds.optimizer.sampling import replicates
from truestep.properties.kinds.optimizer.step import call
from truestep.reference.advance import advanced
from truestep.reference.declared import Hyper, fields_of
from truestep.reference.optimizers import FROM_FUNCTION
from truestep.reference.rules import Optimizer
from truestep.reference.validation import Array as Flow

Reread = Callable[[Hyper], Hyper]


class AsOptimizer:
    """A minimizer in the form of an optimizer, whose call is verified in one place.

    function(slot): what is minimized from that slot on. capability: the optimizer's.
    """

    def __init__(
        self,
        backend: MinimizerBackend,
        capability: MinimizerCapability,
        function: Callable[[Slot], Function],
    ) -> None:
        self.backend, self.own, self.function = backend, capability, function
        self.name = backend.name
        shared = {f.name: getattr(capability, f.name) for f in fields(capability)}
        self.capability = OptimizerCapability(**{**shared, "kind": "optimizer"})

    def capabilities(self) -> Sequence[Capability]:
        """The one."""
        return [self.capability]

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> list[list[Stepped]]:
        """The backend's step on one tensor after the other."""
        format = format_named(capability.format)
        return [
            [
                self.backend.minimizer_step(
                    self.own,
                    group.hyper,
                    slot.param,
                    slot.state,
                    for_backend(self.function(slot), format),
                )
                for slot in group.slots
            ]
            for group in groups
        ]


def initial(rule: Optimizer, capability: MinimizerCapability, case: MinimizerCase) -> Slot:
    """The parameter and the state before the first judged step, as the backend stores them."""
    arithmetic = arithmetic_of(capability.arithmetic)
    travel = format_named(capability.format)
    function = function_of(case.problem, travel)
    hyper = rule.Hyper(**case.hyper)
    p = values(case.start, travel)
    state = rule.init(hyper, p)
    for _ in range(case.history):
        state, p = advanced(rule, hyper, state, p, taken(rule, function))
        p = travel.round(np.asarray(p))
    return Slot(
        p.astype(travel.dtype) if case.history else array(case.start, travel),
        np.zeros(np.shape(p), travel.dtype),
        {
            name: x if isinstance(x, int) else stored_in(arithmetic.stored(name), x)
            for name, x in fields_of(state).items()
        },
    )


def stored_in(where: Format, x: Array) -> Array:
    """x in that format, what is beyond its range at the end of it."""
    limit = where.largest
    return np.asarray(where.round(np.clip(np.asarray(x), -limit, limit))).astype(where.dtype)


def for_backend(function: Function, format: Format) -> ToBackend:
    """The function on arrays of the format's dtype: a scalar and an array of that dtype."""

    def called(x: Array) -> tuple[Array, Array]:
        value, gradient = function(np.asarray(x))
        # A scalar of that type, not a 0-d array.
        return format.dtype.type(value), gradient.astype(format.dtype)  # type: ignore[return-value]

    return called


def for_replicates(function: Function, world: Replicates, format: Format) -> Callable[..., Flow]:
    """The function on Sampled arrays, row by row; replicates are read in the format."""

    def called(x: Sampled) -> tuple[Sampled, Sampled]:
        rows = np.concatenate([x.x[:1], format.round(x.x[1:])])
        found = [function(row) for row in rows]
        values, gradients = (np.stack([pair[i] for pair in found]) for i in (0, 1))
        where = world.arithmetic.format
        return Sampled(values, world, where), Sampled(gradients, world, where)

    return called


def taken(rule: Optimizer, function: Callable[..., Flow]) -> Callable[..., Flow]:
    """The function as the rule takes it: with the gradient, or its values alone."""
    if rule.FACTS.values_alone:
        return lambda x: function(x)[0]
    return function


def observed(
    rule: Optimizer,
    hyper: Hyper,
    slot: Slot,
    function: Function,
    arithmetic: Arithmetic,
    format: Format,
) -> dict[str, Flow]:
    """The step's outputs by name, "p" for the parameter: rows of value and replicates, or counts.

    Raises Undecided where rounding may turn a comparison.
    """
    world = replicates(arithmetic)
    outputs = stepped(
        rule, hyper, slot, sampled(world), taken(rule, for_replicates(function, world, format))
    )
    return {name: _rows(x, name, world) for name, x in outputs.items()}


def _rows(x: Flow, name: str, world: Replicates) -> Flow:
    if isinstance(x, int):
        return int(x)
    lifted = x if isinstance(x, Sampled) else Sampled.exact(x, world)
    return lifted.stored(name).x


def lockstep(
    backend: MinimizerBackend,
    capability: MinimizerCapability,
    case: MinimizerCase,
    reread: Reread = lambda hyper: hyper,
) -> Iterator[tuple[Mapping[str, Array | int], list[Judged]]]:
    """Run a case; yield each step's inputs with its judgements, from the backend's own last state.

    reread: what becomes of the Hyper that the reference is given.
    """
    rule = FROM_FUNCTION[capability.rule]
    format = format_named(capability.format)
    hyper = rule.Hyper(**case.hyper)
    function = function_of(case.problem, format)
    shim = AsOptimizer(backend, capability, lambda _: function)
    slot = initial(rule, capability, case)
    for step in range(case.steps):
        new = call(shim, shim.capability, [Group(hyper, [slot])])[0][0]
        found = _judged(rule, reread(hyper), slot, new, function, capability, step)
        yield {"p": slot.param, **slot.state}, found
        slot = Slot(new.param, slot.grad, new.state)


def _judged(
    rule: Optimizer,
    hyper: Hyper,
    slot: Slot,
    new: Stepped,
    function: Function,
    capability: MinimizerCapability,
    step: int,
) -> list[Judged]:
    arithmetic, format = arithmetic_of(capability.arithmetic), format_named(capability.format)
    got = {**new.state, "p": new.param}
    # A number of NumPy is an array without axes.
    arrays = {n: np.asarray(x) for n, x in got.items() if not isinstance(x, (int, np.integer))}

    def evaluated(kind: Arithmetic) -> dict[str, Flow]:
        return observed(rule, hyper, slot, function, kind, format)

    def found(oracle: Mapping[str, Flow]) -> Iterator[tuple[str, Judgement]]:
        for name, x in arrays.items():
            yield name, judge_sampled(x, due[name], oracle.get(name))

    try:
        due = evaluated(arithmetic)
        for name, x in got.items():
            if name not in arrays and int(x) != due[name]:
                raise BackendFault(
                    f"{name} is {int(x)} after a step from {int(slot.state[name])}, expected "
                    f"{due[name]} (step {step})"
                )
        judged = truth.decided(
            found,
            dict[str, Flow](),
            lambda: evaluated(ORACLE),
            measured=truth.measured(arithmetic, slot.param),
        )
    except Undecided:
        judged = [(name, not_judged(x.size)) for name, x in arrays.items()]
    return [Judged(step, 0, 0, name, judgement) for name, judgement in judged]
