"""The one evaluation of a rule: its own lines, on the numbers of whatever arithmetic."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import DTypeLike

from truestep.fast.protocol import Slot
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.counter import Counter
from truestep.properties.arithmetic.profiles import Arithmetic
from truestep.properties.arithmetic.sampled import Replicates, Sampled
from truestep.properties.arithmetic.simulated import Simulated
from truestep.properties.arithmetic.world import World
from truestep.reference.advance import advanced
from truestep.reference.declared import Hyper, State, fields_of
from truestep.reference.optimizers import Rule
from truestep.reference.validation import Array

Record = TypeVar("Record")
Outputs = dict[str, Array]


@dataclass(frozen=True, slots=True)
class Lift:
    """How numbers enter an arithmetic and leave it.

    tensor(x): an input. scalar(name, x): a hyperparameter. stored(name, x): an output, as it is
    after its store; counters pass.
    """

    tensor: Callable[[Array], Array]
    scalar: Callable[[str, float], Array]
    stored: Callable[[str, Array], Array]

    def hyper(self, hyper: Record) -> Record:
        """The hyperparameters as the host of this arithmetic holds them."""
        return converted(hyper, lambda name, x: self.scalar(name, x) if isinstance(x, float) else x)

    def state(self, kind: type[Record], fields: Mapping[str, Array]) -> Record:
        """A State of that kind from fields by name."""
        return state_of(kind, fields, self.tensor)

    def outputs(self, state: State, p: Array) -> Outputs:
        """What a step gave, by name, "p" for the parameter."""
        stored = {name: self.stored(name, x) for name, x in fields_of(state).items()}
        return {"p": self.stored("p", p)} | stored


def stepped(
    rule: Rule,
    hyper: Hyper,
    slot: Slot,
    lift: Lift,
    function: Callable[[Array], Array] | None = None,
) -> Outputs:
    """The outputs of a step from slot; function: what the rule takes in the gradient's place."""
    state, p = advanced(
        rule,
        lift.hyper(hyper),
        lift.state(rule.State, slot.state),
        lift.tensor(slot.param),
        lift.tensor(slot.grad) if function is None else function,
        {name: lift.tensor(x) for name, x in slot.inputs.items()},
    )
    return lift.outputs(state, p)


def plain(dtype: DTypeLike = np.float64) -> Lift:
    """NumPy's own arithmetic on arrays of that dtype; codes stay what they are."""

    def cast(x: Array) -> Array:
        x = np.asarray(x)
        return x if x.dtype.kind in "biu" else x.astype(dtype)

    return Lift(cast, lambda _, x: x, lambda _, x: int(x) if isinstance(x, int) else cast(x))


def bounded(arithmetic: Arithmetic) -> Lift:
    """Bounded arrays, which carry the error that a kernel in this arithmetic can make."""
    return Lift(
        lambda x: Bounded.exact(x, arithmetic),
        lambda name, x: Bounded.hyper(x, arithmetic, arithmetic.hyper_format(name)),
        lambda name, x: x.stored(name) if isinstance(x, Bounded) else x,
    )


def sampled(world: Replicates) -> Lift:
    """Sampled arrays, with replicates that err as a kernel in this world's arithmetic may."""
    return Lift(
        lambda x: Sampled.exact(x, world),
        lambda name, x: Sampled.hyper(x, world, world.arithmetic.hyper_format(name)),
        lambda name, x: x.stored(name) if isinstance(x, Sampled) else x,
    )


def simulated(world: World) -> Lift:
    """A simulated kernel, one faithful order of evaluation; its outputs are float64 arrays."""

    def stored(name: str, x: Array) -> Array:
        if not isinstance(x, Simulated):
            return x
        return world.round(x.value, world.arithmetic.stored(name)).reshape(x.shape)

    return Lift(lambda x: Simulated.of(x, world), lambda _, x: Simulated.hyper(x, world), stored)


def converted(record: Record, convert: Callable[[str, Array], Array]) -> Record:
    """A copy with every field passed through convert(name, value); validation is not run again.

    A Hyper is validated once, from Python numbers; its lifted copy holds numbers of another kind.
    """
    copy = object.__new__(type(record))
    for name, x in fields_of(record).items():
        object.__setattr__(copy, name, convert(name, x))
    return copy


def state_of(
    kind: type[Record], state: Mapping[str, Array], array: Callable[[Array], Array]
) -> Record:
    """A State of that kind from fields by name: arrays through array(), integers as counters."""
    copy = object.__new__(kind)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name not in state:
            raise ValueError(f"state lacks {field.name!r}; it has {', '.join(state) or 'nothing'}")
        value = state[field.name]
        is_count = isinstance(value, (int, np.integer)) and not isinstance(value, np.ndarray)
        object.__setattr__(copy, field.name, Counter(value) if is_count else array(value))
    return copy
