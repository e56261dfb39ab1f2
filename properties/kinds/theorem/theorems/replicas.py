"""How far rounding moves a run of matrix functions: replicas of the rule's own lines.

Where running error analysis says nothing of use, as of iterations on matrices and decompositions,
the rule's lines run beside the kernel in Monte Carlo arithmetic, each replica carried on from step
to step. An error like theirs exceeds what is allowed with probability 1e-9 per tensor, as in the
judge's own contract for these rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from truestep.fast.protocol import Number
from truestep.properties.arithmetic.formats import format_named
from truestep.properties.arithmetic.lift import converted, sampled
from truestep.properties.arithmetic.profiles import ORACLE, Arithmetic, arithmetic_of
from truestep.properties.arithmetic.sampled import Replicates, Sampled
from truestep.properties.kinds.minimizer.cases import Function
from truestep.properties.kinds.minimizer.step import for_replicates
from truestep.properties.kinds.optimizer.sampling import replicates, spread
from truestep.properties.kinds.theorem.theorems.kernels import Kernel, Numbers
from truestep.reference.advance import advanced
from truestep.reference.declared import fields_of
from truestep.reference.rules import Optimizer
from truestep.reference.tables import RULES
from truestep.reference.validation import Array

# Of float64's own error, a small share of a kernel's, whose size alone is wanted.
OF_ORACLE = 8


@dataclass(slots=True)
class Replicas:
    """Runs that start at the float64 numbers p, as the kernel has them."""

    kernel: Kernel
    p: Array
    numbers: Numbers
    _runs: list["_Replica"] = field(init=False)

    def __post_init__(self) -> None:
        own = arithmetic_of(self.kernel.capability.arithmetic)
        self._runs = [
            _Replica(self.kernel, self.p, self.numbers, world)
            for world in (replicates(own), replicates(ORACLE, OF_ORACLE))
        ]

    def step(
        self, g: Array | Function, inputs: Mapping[str, Array] | None = None, **changed: Number
    ) -> Array:
        """The errors of p after a step: a kernel's, and those of the float64 numbers beside it."""
        for run in self._runs:
            run.step(g, inputs or {}, changed)
        return self.error

    @property
    def error(self) -> Array:
        """The errors of p now."""
        return sum(spread(run.p.x) for run in self._runs)

    @property
    def value(self) -> Array:
        """Where exact arithmetic has p, but for float64's rounding."""
        return self._runs[0].p.x[0]


class _Replica:
    """The runs of one arithmetic, in the rows of Sampled arrays."""

    def __init__(self, kernel: Kernel, p: Array, numbers: Numbers, world: Replicates) -> None:
        capability = kernel.capability
        self.kernel, self.numbers, self.world = kernel, numbers, world
        self.rule = cast(Optimizer, RULES[capability.kind][capability.rule])
        self.format = format_named(capability.format)
        self.lift = sampled(world)
        self.p: Sampled = self.lift.tensor(p)
        begun = self.rule.init(kernel.hyper(numbers), p)
        self.state = self.lift.state(self.rule.State, fields_of(begun))

    def step(
        self, g: Array | Function, inputs: Mapping[str, Array], changed: Mapping[str, Number]
    ) -> None:
        """One step of all of them."""
        hyper = self.lift.hyper(self.kernel.hyper({**self.numbers, **changed}))
        pull = for_replicates(g, self.world, self.format) if callable(g) else self.lift.tensor(g)
        given = {name: self.lift.tensor(x) for name, x in inputs.items()}
        state, p = advanced(self.rule, hyper, self.state, self.p, pull, given)
        outputs = self.lift.outputs(state, p)

        def read(_: str, x: Array) -> Array:
            return self._read(x) if isinstance(x, Sampled) else x

        self.p = self._read(outputs.pop("p"))
        self.state = converted(self.rule.State(**outputs), read)

    def _read(self, x: Array) -> Sampled:
        where: Arithmetic = self.world.arithmetic
        return Sampled(x.x, self.world, where.format)
