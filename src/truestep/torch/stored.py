"""How a rule's state lies in torch tensors: their keys, and the storages of the kernels."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import torch

from truestep.fast import _core
from truestep.fast.ours.storages import NUMBERS, Kept, dynamic_8bit_kept, kept
from truestep.fast.protocol import Array
from truestep.reference.quantizers import QUANTIZERS

# What a parameter group says by name, and what an optimizer or a tensor's state holds by name.
Group: TypeAlias = Mapping[str, Any]
Held: TypeAlias = dict[str, Any]

BLOCK_SIZE = 256
# As in Li et al. 2023, "Memory efficient optimizers with 4-bit states".
BLOCK_SIZE_4BIT = 128
# Tensors with fewer elements keep float32 states: they are a small part of the memory, and biases
# and norms suffer most from coarse moments.
MIN_8BIT_SIZE = 4096
TORCH_DTYPES = {"float32": torch.float32, "uint8": torch.uint8, "uint16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Way:
    """A value of the argument `state`.

    kept: the storage of a tensor that is never negative, or of another; None is float32. large:
    whether tensors of fewer than min_8bit_size elements are excepted.
    """

    kept: Callable[[bool], Kept | None]
    large: bool = False


@cache
def _8bit(nonnegative: bool) -> Kept:
    return dynamic_8bit_kept(not nonnegative, BLOCK_SIZE)


def _4bit(nonnegative: bool) -> Kept:
    format = "linear_4bit" if nonnegative else "dynamic_4bit"
    return kept(format, QUANTIZERS[format].Hyper(block_size=BLOCK_SIZE_4BIT))


WAYS: Mapping[str, Way] = {
    "4bit": Way(_4bit, large=True),
    "8bit": Way(_8bit, large=True),
    # Rounded to the nearest of 8 bits, an average of squares with beta2 = 0.999 never decreases:
    # a thousandth is less than half the distance to the number below.
    "bfloat16": Way(lambda nonnegative: None if nonnegative else NUMBERS["bfloat16"]),
    "float32": Way(lambda nonnegative: None),
}


@dataclass(frozen=True, slots=True)
class Form:
    """A tensor of the state.

    name: the reference's. key: torch's. kept: its storage, None for float32. nonnegative: whether
    it is never negative.
    """

    name: str
    key: str
    kept: Kept | None
    nonnegative: bool

    @property
    def keys(self) -> Mapping[str, str]:
        """By the name of a plan's tensor the key of the one that holds it."""
        if self.kept is None:
            return {self.name: self.key}
        if not self.kept.scale:
            return {f"{self.name}_code": self.key}
        parts = "code", self.kept.scale
        return {f"{self.name}_{part}": f"{self.key}_{part}" for part in parts}

    def tensors(self, like: torch.Tensor) -> Iterator[tuple[str, torch.dtype, tuple[int, ...]]]:
        """Key, dtype and shape of each, for a parameter."""
        key, *scales = self.keys.values()
        if self.kept is None:
            yield key, torch.float32, tuple(like.shape)
            return
        how, n = self.kept, like.numel()
        shape = (how.codes(n),) if how.packed else tuple(like.shape)
        yield key, TORCH_DTYPES[how.code.name], shape
        for key in scales:
            yield key, TORCH_DTYPES[how.scales.name], (how.blocks(n),)

    def fits(self, state: Group, like: torch.Tensor) -> bool:
        """Whether state holds the tensors of this form, in whatever order of memory."""
        return all(
            isinstance(x := state.get(key), torch.Tensor)
            and x.dtype == dtype
            and tuple(x.shape) == shape
            for key, dtype, shape in self.tensors(like)
        )

    def encoded(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """The tensors, by key, of what is x in contiguous float32."""
        if self.kept is None or not self.kept.scale:
            ((key, dtype, _),) = self.tensors(x)
            return {key: x.to(dtype)}
        out = {key: torch.empty(shape, dtype=dtype) for key, dtype, shape in self.tensors(x)}
        code, scale = map(_bytes, out.values())
        _core.encode(self.kept.storage, x.reshape(-1).numpy(), code, scale)
        return out

    def decoded(self, state: Mapping[str, torch.Tensor], like: torch.Tensor) -> torch.Tensor:
        """float32 of a parameter's shape, from tensors by key."""
        code, *scale = (state[key].cpu().contiguous() for key in self.keys.values())
        if self.kept is None or not scale:
            return code.float()
        x = torch.empty(like.shape, dtype=torch.float32)
        _core.decode(self.kept.storage, _bytes(code), _bytes(scale[0]), x.reshape(-1).numpy())
        return x


def _bytes(x: torch.Tensor) -> Array:
    array: Array = x.reshape(-1).numpy().view(np.uint8)
    return array


def complete(state: Held, like: torch.Tensor, form: Form, start: float) -> bool:
    """Have the state of a parameter hold a tensor in this form; whether it is there anew.

    What it holds in another form is brought into this one.
    """
    if form.fits(state, like):
        # Not through float32: where no code of a block is 1, encoding would choose another scale.
        state.update({key: state[key].cpu().contiguous() for key in form.keys.values()})
        return False
    found = _found(state, like, form)
    x = torch.full(like.shape, start, dtype=torch.float32) if found is None else found
    if x.shape != like.shape:
        raise ValueError(
            f"{form.key} must have the parameter's shape {tuple(like.shape)}, got {tuple(x.shape)}"
        )
    state.update(form.encoded(x))
    return found is None


def _found(state: Held, like: torch.Tensor, form: Form) -> torch.Tensor | None:
    """A tensor out of the state as float32, whatever form it has there; None if it is not there."""
    for way in WAYS.values():
        held = replace(form, kept=way.kept(form.nonnegative))
        if all(isinstance(state.get(key), torch.Tensor) for key in held.keys.values()):
            x = held.decoded(state, like)
            for key in held.keys.values():
                del state[key]
            return x
    state.pop(form.key, None)
    return None
