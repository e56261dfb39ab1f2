"""Lists of tensors that any capability of the kernels takes, as tests and sanitizers need them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from truestep.fast.ours.rule_kernels import RuleKernel, kernel_for
from truestep.fast.protocol import Array, Capability, Group, OptimizerCapability, Slot, numpy_dtype
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.quantizers import QUANTIZERS

SPECIAL = (0.0, -0.0, 1e-45, 1e-38, -1e38, np.inf, -np.inf, np.nan)

# Two hypers that differ in what most rules read; a field that a rule has not, or not with that
# value, is left at its default.
SETTINGS: Sequence[Mapping[str, Any]] = (
    {"lr": 1e-2, "momentum": 0.9, "weight_decay": 0.1},
    {"lr": 1.0, "beta1": 0.5, "beta2": 0.99, "eps": 0.0, "momentum": 0.5, "maximize": True},
)


def tensor(
    rng: np.random.Generator,
    n: int,
    format: str = "float32",
    offset: int = 0,
    special: bool = False,
) -> Array:
    """Numbers over 14 decades, a view that starts offset elements into its memory.

    special: zeros, subnormals, infinities and nan among them.
    """
    x = rng.standard_normal(n + offset) * 10.0 ** rng.uniform(-10, 4, n + offset)
    if special and n:
        x[rng.integers(offset, n + offset, 3)] = rng.choice(SPECIAL, 3)
    with np.errstate(over="ignore"):
        return x.astype(numpy_dtype(format))[offset:]


def hypers(capability: OptimizerCapability) -> list[Hyper]:
    """One Hyper of the capability's dialect for each of SETTINGS."""
    kind = OPTIMIZERS[capability.rule].Hyper
    return [
        kind(**{k: v for k, v in given.items() if _takes(kind, k, v)}, **capability.dialect)
        for given in SETTINGS
    ]


def _takes(kind: type[Hyper], field: str, value: object) -> bool:
    if field not in kind.RANGES:
        return False
    try:
        kind.RANGES[field].check(field, value)
    except (TypeError, ValueError):
        return False
    return True


def kernel_of(capability: OptimizerCapability) -> RuleKernel:
    """The kernel that serves the capability's hypers."""
    return kernel_for(capability.rule, hypers(capability)[0])


def storage_of(capability: OptimizerCapability, **given: Any) -> dict[str, Hyper]:
    """How the capability's states are kept: each free choice as given, or the first."""
    found = {}
    for name, how in capability.storage.items():
        chosen = {
            field: given.get(field, value[0]) if isinstance(value, tuple) else value
            for field, value in how.hyper.items()
        }
        found[name] = QUANTIZERS[how.quantizer].Hyper(**chosen)
    return found


def slot(
    rng: np.random.Generator,
    capability: OptimizerCapability,
    h: Hyper,
    storage: Mapping[str, Hyper],
    n: int,
    offset: int = 0,
    special: bool = False,
) -> Slot:
    """One parameter of n elements with a state that a run could have reached, or only a fault."""

    def numbers(format: str = "float32") -> Array:
        return tensor(rng, n, format, offset, special=special and n > 100)

    reference, kernel = OPTIMIZERS[capability.rule], kernel_for(capability.rule, h)
    dtype = numpy_dtype(capability.format)
    state: dict[str, Any] = {"t": int(rng.integers(0, 3000))}
    first = reference.init(h, np.zeros(n))
    for name, behaviour in reference.State.BEHAVIOUR.items():
        if name in storage:
            state |= _codes(rng, name, storage[name], n, offset, special)
        elif name in (*kernel.inputs, *kernel.states):
            state[name] = np.abs(numbers()) if behaviour.nonnegative else numbers()
        else:
            state[name] = np.asarray(getattr(first, name))
    inputs = {
        name: numbers(capability.format) if of((n,)) else np.asarray(rng.standard_normal(), dtype)
        for name, of in reference.FACTS.inputs.items()
    }
    return Slot(numbers(capability.format), numbers(capability.format), state, inputs)


def _codes(
    rng: np.random.Generator, name: str, how: Hyper, n: int, offset: int, special: bool
) -> dict[str, Array]:
    """Any codes, with any scales."""
    blocks = -(-n // how.block_size)
    return {
        f"{name}_code": rng.integers(0, 256, n + offset).astype(np.uint8)[offset:],
        f"{name}_absmax": np.abs(tensor(rng, blocks, special=special and n > 4096)),
    }


def groups(
    rng: np.random.Generator,
    capability: OptimizerCapability,
    sizes: Sequence[int],
    block_sizes: Sequence[int] = (256, 64),
    special: bool = True,
) -> list[Group]:
    """A group for each of SETTINGS, with slots at all offsets from a vector.

    special: in longer tensors also what is not finite, or nearly zero.
    """
    found = []
    for h, block_size, map in zip(
        hypers(capability), block_sizes, ("fused", "separate"), strict=True
    ):
        storage = storage_of(capability, block_size=block_size, map=map)
        offsets = [int(rng.integers(0, 5)) for _ in sizes]
        slots = [
            slot(rng, capability, h, storage, n, offset, special)
            for n, offset in zip(sizes, offsets, strict=True)
        ]
        found.append(Group(h, slots, storage))
    return found


def one_of_each_shape(capabilities: Sequence[Capability]) -> list[Capability]:
    """Of optimizers whose kernels differ in the rule's arithmetic alone, the first; all others."""
    found: dict[object, Capability] = {}
    for capability in capabilities:
        shape: object = capability.rule
        if isinstance(capability, OptimizerCapability):
            kernel = kernel_of(capability)
            counts = len(kernel.states), len(kernel.inputs), len(kernel.numbers), kernel.sums
            shape = counts, capability.format, len(capability.storage)
        found.setdefault(shape, capability)
    return list(found.values())
