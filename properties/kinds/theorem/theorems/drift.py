"""How far rounding can move a run of several steps from where exact arithmetic would have it.

The rule's own lines run beside the kernel on Bounded arrays that are carried on from step to step:
running error analysis of a whole trajectory, where the judge's contract is of one step. Gradients
are the same numbers for both, so that the analysis holds for any sequence of them; where they hang
on the parameters, they are those that the kernel has met.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from truestep.fast.protocol import Number
from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.arithmetic.lift import bounded, converted
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.judge.results import SLACK
from truestep.properties.kinds.theorem.theorems.kernels import Kernel, Numbers
from truestep.reference.advance import advanced
from truestep.reference.declared import Hyper, State, fields_of
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.validation import Array


@dataclass(slots=True)
class Drift:
    """The error of a run that starts at the float64 numbers p, as the kernel has them.

    State tensors that are kept as codes count as kept exactly: a theorem says where they are.
    """

    kernel: Kernel
    p: Array
    numbers: Numbers
    _p: Bounded = field(init=False)
    _state: State = field(init=False)

    def __post_init__(self) -> None:
        lift = bounded(arithmetic_of(self.kernel.capability.arithmetic))
        self._p = lift.tensor(self.p)
        rule = OPTIMIZERS[self.kernel.capability.rule]
        self._state = lift.state(rule.State, fields_of(rule.init(self._hyper({}), self.p)))

    def _hyper(self, changed: Numbers) -> Hyper:
        return self.kernel.hyper({**self.numbers, **changed})

    def step(self, g: Array, inputs: Mapping[str, Array] | None = None, **changed: Number) -> Array:
        """The errors of p after a step from g: what a kernel may stray from the exact numbers.

        The judge's factor for another order of evaluation is within, and what the float64 numbers
        beside the kernel err.
        """
        capability = self.kernel.capability
        arithmetic = arithmetic_of(capability.arithmetic)
        lift, rule = bounded(arithmetic), OPTIMIZERS[capability.rule]
        hyper = lift.hyper(self._hyper(changed))
        given = {name: lift.tensor(x) for name, x in (inputs or {}).items()}
        state, p = advanced(rule, hyper, self._state, self._p, lift.tensor(g), given)
        outputs = lift.outputs(state, p)

        def read(_: str, x: Array) -> Array:
            if not isinstance(x, Bounded):
                return x
            return Bounded(x.v, x.e, arithmetic, arithmetic.format, nonnegative=x.nonnegative)

        self._p = read("p", outputs.pop("p"))
        self._state = converted(rule.State(**outputs), read)
        return self.error

    @property
    def error(self) -> Array:
        """The errors of p now."""
        # float64 numbers err as a kernel in float64 does, and by less where the store is coarser.
        own = 2.0**-53 / arithmetic_of(self.kernel.capability.arithmetic).format.u
        return (SLACK + own) * np.broadcast_to(self._p.e, self._p.shape)

    @property
    def value(self) -> Array:
        """Where exact arithmetic has p, but for float64's rounding."""
        return self._p.v

    def clip(self, low: Array, high: Array) -> None:
        """p is clipped between two steps; where all that a kernel can have leaves, it is exact."""
        v, e = self._p.v, self.error
        new = np.clip(v, low, high)
        spread = np.maximum(np.clip(v + e, low, high) - new, new - np.clip(v - e, low, high))
        factor = np.divide(spread, e, out=np.zeros_like(v), where=e > 0)
        arithmetic = self._p.arithmetic
        self._p = Bounded(new, self._p.e * factor, arithmetic, arithmetic.format)
