"""Plain SGD with a way of storing parameters that errs: controls, and faults to plant."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from truestep.fast.protocol import Number, Outputs, State
from truestep.properties.kinds.theorem.theorems.controls import Sabotage
from truestep.properties.kinds.theorem.theorems.kernels import Pull
from truestep.reference.validation import Array

# A parameter as computed, and the unit roundoff of what it is stored in: as it is stored.
Store = Callable[[Array, float], Array]


@dataclass(frozen=True, slots=True)
class StoredSgd:
    """p - lr g in more than float64, then stored."""

    u: float
    store: Store

    def start(self, p: Array, **numbers: Number) -> "_StoredRun":
        """A run from p."""
        return _StoredRun(self, np.array(p, np.float64), numbers)

    def outputs(self, inputs: Mapping[str, object], **numbers: Number) -> Outputs:
        """None: it is an optimizer."""
        raise NotImplementedError

    def rates(self, steps: Sequence[int], **numbers: Number) -> list[float]:
        """None: it is an optimizer."""
        raise NotImplementedError


@dataclass(slots=True)
class _StoredRun:
    kernel: StoredSgd
    p: Array
    numbers: Mapping[str, Number]
    state: State = field(default_factory=dict)

    def step(self, g: Pull, inputs: Mapping[str, Array] | None = None, **changed: Number) -> Array:
        lr = float({**self.numbers, **changed}["lr"])
        moved = np.asarray(self.p, np.longdouble) - lr * np.asarray(g)
        self.p = np.asarray(self.kernel.store(moved, self.kernel.u), np.float64)
        return self.p


def stored(store: Store) -> Sabotage:
    """The kernel's place is taken by plain SGD that stores so, in a format as fine."""
    return lambda kernel: StoredSgd(kernel.u, store)


def truncated(x: Array, u: float) -> Array:
    """Towards zero, to the numbers of a format of unit roundoff u."""
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.trunc(mantissa / u) * u, exponent)


def rounded_up_too_often(chance: float, seed: int) -> Store:
    """Stochastically, away from zero by so much more often than it is due."""
    rng = np.random.default_rng(seed)

    def store(x: Array, u: float) -> Array:
        mantissa, exponent = np.frexp(x)
        low = np.trunc(mantissa / u)
        share = np.abs(mantissa / u - low)
        up = rng.uniform(size=np.shape(x)) < share + chance * (share > 0)
        return np.ldexp((low + np.sign(mantissa) * up) * u, exponent)

    return store
