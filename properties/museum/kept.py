"""State that is kept as codes, as a float32 kernel reads and stores it around a rule's lines."""

import itertools
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import ml_dtypes
import numpy as np

from truestep.fast.protocol import Array, Capability, Group, OptimizerCapability, Slot, Stepped
from truestep.properties.kinds.optimizer.storage import draws
from truestep.properties.kinds.optimizer.stored import scale_value
from truestep.reference.declared import Hyper
from truestep.reference.rules import Quantizer
from truestep.reference.splits import HIGH


@dataclass(frozen=True, slots=True)
class Stream:
    """What draws belong to: the call, the tensor's place in it, and the state."""

    call: int
    tensor: int
    state: str


# 16 random bits for every element of a shape.
Noise = Callable[[Stream, tuple[int, ...]], Array]
# By name of a state tensor: by what it is quantized, and how.
Keeping = Mapping[str, tuple[Quantizer, Hyper]]


def fresh(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Independent draws."""
    own = zlib.crc32(stream.state.encode())
    rng = np.random.default_rng([stream.call, stream.tensor, own])
    return rng.integers(0, 2**16, shape)


def keeping(capability: Capability, group: Group, storages: Mapping[str, Quantizer]) -> Keeping:
    """How a group's state is kept, by these formats."""
    storage = capability.storage if isinstance(capability, OptimizerCapability) else {}
    return {name: (storages[how.quantizer], group.storage[name]) for name, how in storage.items()}


def read(group: Group, kept: Keeping) -> Group:
    """The group with the numbers that its codes stand for."""
    return replace(group, slots=[decoded(slot, kept) for slot in group.slots])


def stored(
    made: Sequence[Sequence[Stepped]], kept: Sequence[Keeping], call: int, noise: Noise
) -> list[list[Stepped]]:
    """The results of a call with codes and scales for their states."""
    place = itertools.count()

    def one(new: Stepped, how: Keeping) -> Stepped:
        tensor = next(place)
        return encoded(new, how, lambda name, shape: noise(Stream(call, tensor, name), shape))

    return [[one(new, how) for new in news] for news, how in zip(made, kept, strict=True)]


def number(quantizer: Quantizer, how: Hyper, code: Array, scale: Array) -> Array:
    """What codes and scales stand for, multiplied in float32."""
    if quantizer.SCALE == HIGH:
        return np.asarray(quantizer.decode(how, code, scale), np.float32)
    value = scale_value(quantizer, scale).astype(np.float32)
    made = quantizer.all_values(how).astype(np.float32)[code]
    made = made * quantizer.per_element(how, value, code.shape)
    factor, divisor = quantizer.read_by(how) if hasattr(quantizer, "read_by") else (1.0, 1.0)
    return np.asarray(made * np.float32(factor) / np.float32(divisor))


def decoded(slot: Slot, kept: Keeping) -> Slot:
    """The slot with the numbers that its codes stand for."""
    state = {**slot.state, "p": slot.param}
    for name, (quantizer, how) in kept.items():
        scale = "p" if name == "p" else f"{name}_{quantizer.SCALE}"
        state[name] = number(quantizer, how, state.pop(f"{name}_code"), state.pop(scale))
    param = state.pop("p")
    grad = slot.grad if "p" not in kept else slot.grad.astype(np.float32)
    return replace(slot, state=state, param=param, grad=grad)


def encoded(new: Stepped, kept: Keeping, noise: Callable[[str, tuple[int, ...]], Array]) -> Stepped:
    """The result with codes and scales for its state; noise: by name of a state that is drawn."""
    state: dict[str, Array] = {**new.state, "p": new.param}
    for name, (quantizer, how) in kept.items():
        x = np.asarray(state.pop(name), np.float64)
        random = (noise(name, x.shape),) if draws(how) else ()
        code, scale = quantizer.encode(how, x, *random)
        wide = ml_dtypes.bfloat16 if quantizer.SCALE == HIGH else np.float32
        state |= {
            f"{name}_code": code,
            "p" if name == "p" else f"{name}_{quantizer.SCALE}": (
                scale.astype(wide) if scale.dtype == np.float64 else scale
            ),
        }
    param = state.pop("p")
    return Stepped(param, state)
