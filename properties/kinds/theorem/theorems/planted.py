"""Plain SGD that errs in how it moves or stores parameters: controls, and faults to plant."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from truestep.fast.protocol import Number, Outputs, State
from truestep.properties.kinds.theorem.theorems.controls import InItsPlace, Sabotage
from truestep.properties.kinds.theorem.theorems.kernels import Pull
from truestep.reference.validation import Array

# From a parameter, its update lr g in more than float64, and the unit roundoff of the kernel that
# is replaced, to the new parameter.
Move = Callable[[Array, Array, float], Array]
# A parameter as computed, and the unit roundoff of what it is stored in: as it is stored.
Store = Callable[[Array, float], Array]


@dataclass(frozen=True, slots=True)
class PlainSgd(InItsPlace):
    """Plain SGD with another way to move, in the place of a kernel."""

    move: Move

    def start(self, p: Array, **numbers: Number) -> "_PlainRun":
        """A run from p."""
        return _PlainRun(self, np.array(p, np.float64), numbers)

    def outputs(self, inputs: Mapping[str, object], **numbers: Number) -> Outputs:
        """None: it is an optimizer."""
        raise NotImplementedError

    def rates(self, steps: Sequence[int], **numbers: Number) -> list[float]:
        """None: it is an optimizer."""
        raise NotImplementedError


@dataclass(slots=True)
class _PlainRun:
    kernel: PlainSgd
    p: Array
    numbers: Mapping[str, Number]
    state: State = field(default_factory=dict)

    def put(self, p: Array) -> None:
        self.p = np.array(p, np.float64)

    def step(self, g: Pull, inputs: Mapping[str, Array] | None = None, **changed: Number) -> Array:
        lr = float({**self.numbers, **changed}["lr"])
        update = lr * np.asarray(g, np.longdouble)
        self.p = np.asarray(self.kernel.move(self.p, update, self.kernel.u), np.float64)
        return self.p


def moved(move: Move) -> Sabotage:
    """The kernel's place is taken by plain SGD that moves so."""
    return lambda kernel: PlainSgd(kernel, move)


def stored(store: Store) -> Sabotage:
    """The kernel's place is taken by plain SGD that stores so, in a format as fine."""
    return moved(lambda p, update, u: store(p - update, u))


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


def dead_below(size: float, share: float = 0.0) -> Move:
    """Updates below a size, or below a share of the parameter's, are left out."""

    def move(p: Array, update: Array, u: float) -> Array:
        small = np.abs(update) < np.maximum(size, share * np.abs(p))
        return np.where(small, p, p - update)

    return move
