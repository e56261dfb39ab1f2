"""How the tests of other suites call a kernel, and what they see of it.

A kernel is given what a suite's own tests give: inputs drawn as theirs, as many steps, the
hyperparameters that they set where the rule has them. What is seen is compared with what the same
test sees of the right kernel, whose lines are the same in the same order.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from truestep.fast.protocol import Array, Group, Slot, State
from truestep.properties.museum.plant import Kernel
from truestep.reference.declared import Hyper, fields_of

# What a test looks at, by name: "p" and the state after a step, "value", "decoded" and "x".
Seen = Mapping[str, Array]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]
# The gradient at a point.
Gradient = Callable[[np.random.Generator, Array], Array]

# What matrices of a rule that is not of single elements are: on larger ones its steps take long.
_MATRIX = (16, 24)


@dataclass(frozen=True, slots=True)
class Setting:
    """How one test calls a kernel.

    hyper: numbers that it sets, as far as the rule has them. param, grad: how they are drawn.
    before: steps of the right kernel, from whose state the kernel goes on. steps: of the kernel.
    last: whether the last alone is compared. trials: draws of other inputs.
    """

    hyper: Mapping[str, object] = field(default_factory=dict)
    shape: tuple[int, ...] = (64, 32)
    param: Draw = lambda rng, shape: rng.standard_normal(shape)
    grad: Gradient = lambda rng, p: rng.standard_normal(p.shape)
    before: int = 0
    steps: int = 1
    last: bool = False
    trials: int = 1


def seen(kernel: Kernel, right: Kernel, setting: Setting, trial: int) -> list[Seen]:
    """What a test sees of a kernel, one mapping for each comparison.

    Raises what the kernel raises, and what a number does that the rule's range excludes.
    """
    rng = np.random.default_rng(trial)
    with np.errstate(all="ignore"):
        return _SEEN[kernel.capability.kind](kernel, right, setting, rng)


def _hyper(kernel: Kernel, setting: Setting) -> Hyper:
    """The kernel's Hyper: what it declares before what the test sets before the defaults."""
    fields = kernel.module.Hyper.__dataclass_fields__
    set_ = {name: value for name, value in setting.hyper.items() if name in fields}
    declared = {**kernel.capability.dialect, **kernel.capability.fixed}
    made: Hyper = kernel.module.Hyper(**{**set_, **declared})
    return made


def _steps(kernel: Kernel, right: Kernel, setting: Setting, rng: np.random.Generator) -> list[Seen]:
    facts = right.module.FACTS
    whole = facts.elementwise or (len(setting.shape) == 1 and not facts.matrices)
    shape = setting.shape if whole else _MATRIX
    h, own = _hyper(right, setting), _hyper(kernel, setting)
    p = np.asarray(setting.param(rng, shape), np.float32)
    state: State = _state(kernel if not setting.before else right, h, p)
    found: list[Seen] = []
    last = setting.before + setting.steps - 1
    for step in range(last + 1):
        runs, with_ = (right, h) if step < setting.before else (kernel, own)
        g = np.asarray(setting.grad(rng, p), np.float32)
        [[new]] = runs.optimizer_step(runs.capability, [Group(with_, [Slot(p, g, state)])])
        p, state = new.param, new.state
        if step >= (last if setting.last else setting.before):
            found.append({"p": p, **{name: np.asarray(x) for name, x in state.items()}})
    return found


def _state(kernel: Kernel, h: Hyper, p: Array) -> State:
    """The state before the first step, in the kernel's float32."""
    made = fields_of(kernel.module.init(h, p.astype(np.float64)))
    return {name: x if isinstance(x, int) else _single(np.asarray(x)) for name, x in made.items()}


def _single(x: Array) -> Array:
    return x.astype(np.float32) if x.dtype == np.float64 else x


def _values(
    kernel: Kernel, right: Kernel, setting: Setting, rng: np.random.Generator
) -> list[Seen]:
    steps = range(setting.before, setting.before + setting.steps)
    values = kernel.schedule_values(kernel.capability, _hyper(kernel, setting), list(steps))
    return [{"value": np.asarray(x)} for x in values]


def _decoded(
    kernel: Kernel, right: Kernel, setting: Setting, rng: np.random.Generator
) -> list[Seen]:
    x = np.asarray(setting.param(rng, setting.shape), np.float32)
    h = _hyper(kernel, setting)
    back = kernel.decode(kernel.capability, h, kernel.encode(kernel.capability, h, x))
    return [{"x": x.astype(np.float64), "decoded": np.asarray(back, np.float64)}]


_SEEN: Mapping[str, Callable[[Kernel, Kernel, Setting, np.random.Generator], list[Seen]]] = {
    "optimizer": _steps,
    "quantizer": _decoded,
    "schedule": _values,
}
