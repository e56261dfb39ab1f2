"""What negative controls and planted faults do to a kernel: other numbers, gradients, rules."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from truestep.fast.protocol import Capability, Number, Outputs, State
from truestep.properties.kinds.theorem.theorems.kernels import Kernel, Numbers, Pull, Run
from truestep.reference.declared import Hyper
from truestep.reference.validation import Array

# Each is given the number t = 0, 1, ... of steps made before.
NumbersChange = Callable[[Numbers, int], Numbers]
GradientChange = Callable[[Pull, int], Pull]
Sabotage = Callable[[Kernel], Kernel]


def _same_numbers(numbers: Numbers, t: int) -> Numbers:
    return numbers


def _same_gradient(g: Pull, t: int) -> Pull:
    return g


@dataclass(frozen=True, slots=True)
class InItsPlace:
    """What stands in a kernel's place, and is taken for it."""

    kernel: Kernel

    @property
    def u(self) -> float:
        """The kernel's."""
        return self.kernel.u

    @property
    def capability(self) -> Capability:
        """The kernel's."""
        return self.kernel.capability

    def hyper(self, numbers: Numbers) -> Hyper:
        """The kernel's, as the experiment means them."""
        return self.kernel.hyper(numbers)


@dataclass(frozen=True, slots=True)
class Spoilt(InItsPlace):
    """A kernel that is given other hyperparameters or another gradient than the experiment says."""

    change: NumbersChange = _same_numbers
    pull: GradientChange = _same_gradient

    def start(self, p: Array, **numbers: Number) -> Run:
        """A run that is spoilt at every step."""
        return _SpoiltRun(self, self.kernel.start(p, **self.change(numbers, 0)), numbers)

    def outputs(self, inputs: Mapping[str, object], **numbers: Number) -> Outputs:
        """The outputs with other hyperparameters."""
        return self.kernel.outputs(inputs, **self.change(numbers, 0))

    def rates(self, steps: Sequence[int], **numbers: Number) -> list[float]:
        """The values with other hyperparameters."""
        return self.kernel.rates(steps, **self.change(numbers, 0))


@dataclass(slots=True)
class _SpoiltRun:
    spoilt: Spoilt
    run: Run
    numbers: Numbers
    t: int = field(default=0)

    @property
    def p(self) -> Array:
        return self.run.p

    @property
    def state(self) -> State:
        return self.run.state

    def put(self, p: Array) -> None:
        self.run.put(p)

    def step(self, g: Pull, inputs: Mapping[str, Array] | None = None, **changed: Number) -> Array:
        numbers = self.spoilt.change({**self.numbers, **changed}, self.t)
        pulled = self.spoilt.pull(g, self.t)
        self.t += 1
        return self.run.step(pulled, inputs, **numbers)


def numbers(change: NumbersChange) -> Sabotage:
    """Other hyperparameters at step t."""
    return lambda kernel: Spoilt(kernel, change=change)


def gradients(change: GradientChange) -> Sabotage:
    """Another gradient at step t."""
    return lambda kernel: Spoilt(kernel, pull=change)


def rate(change: Callable[[float, int], float]) -> Sabotage:
    """Another learning rate at step t."""

    def changed(given: Numbers, t: int) -> Numbers:
        return {**given, "lr": change(float(given["lr"]), t)} if "lr" in given else given

    return numbers(changed)


def longer(factor: float) -> Sabotage:
    """Every step so many times as long."""
    return rate(lambda lr, _: factor * lr)


def held(**fixed: Number) -> Sabotage:
    """These hyperparameters, whatever the experiment says."""
    return numbers(lambda given, _: {**given, **fixed})


def another(kernel: Kernel, *names: str) -> Sabotage:
    """Another rule, which is told only these of the experiment's hyperparameters."""

    def only(given: Numbers, t: int) -> Numbers:
        return {name: given[name] for name in names if name in given}

    return lambda _: Spoilt(kernel, change=only)
