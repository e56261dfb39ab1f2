"""Lists of tensors for every capability of the CUDA kernels, and bitwise comparison of results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from truestep.fast.ours import offered
from truestep.fast.protocol import Array, Group, Slot, numpy_dtype
from truestep.reference.optimizers import adamw
from truestep.reference.quantizers import QUANTIZERS, dynamic_8bit

OPTIMIZERS = [c for c in offered.CAPABILITIES if c.kind == "optimizer"]
CODERS = [c for c in offered.CAPABILITIES if c.kind == "quantizer"]
# Around vectors of 4 and 8, warps, blocks of threads, quantization blocks and chunks.
SIZES = (0, 1, 3, 4, 5, 31, 33, 63, 64, 65, 255, 257, 4095, 4096, 4097, 8193)
SPECIAL = (0.0, -0.0, 1e-45, 1e-38, -1e38, np.inf, -np.inf, np.nan)


def tensor(rng: np.random.Generator, n: int, dtype: str, offset: int, special: bool) -> Array:
    """Numbers over 14 decades, a view that starts `offset` elements into its memory."""
    x = rng.standard_normal(n + offset) * 10.0 ** rng.uniform(-10, 4, n + offset)
    if special and n:
        x[rng.integers(offset, n + offset, 3)] = rng.choice(SPECIAL, 3)
    return x.astype(numpy_dtype(dtype))[offset:]


def slot(
    rng: np.random.Generator, capability: Any, storage: Mapping[str, Any], n: int, offset: int
) -> Slot:
    """One parameter with a state that a run could have reached, or that only a fault could."""

    def numbers(dtype: str = "float32") -> Array:
        return tensor(rng, n, dtype, offset, special=n > 100)

    state: dict[str, Any] = {"t": int(rng.integers(0, 3000))}
    if not storage:
        state |= {"m": numbers(), "v": np.abs(numbers())}
    for name, how in storage.items():
        blocks = -(-n // how.block_size)
        state[f"{name}_code"] = rng.integers(0, 256, n + offset).astype(np.uint8)[offset:]
        state[f"{name}_absmax"] = np.abs(tensor(rng, blocks, "float32", 0, special=n > 4096))
    return Slot(numbers(capability.format), numbers(capability.format), state)


def stored(**fields: Any) -> dict[str, Any]:
    """Both moments as codes in one map."""
    return {name: dynamic_8bit.Hyper(signed=name == "m", **fields) for name in ("m", "v")}


def groups(
    seed: int, capability: Any, sizes: tuple[int, ...] = SIZES, block_size: int = 256
) -> list[Group]:
    """Two groups that differ in every hyperparameter, with slots at all offsets from a vector."""
    rng = np.random.default_rng(seed)
    kinds: list[tuple[Any, dict[str, Any]]] = [
        (adamw.Hyper(lr=1e-2, weight_decay=0.1, decay="before"), {}),
        (adamw.Hyper(lr=1.0, beta1=0.5, beta2=0.99, eps=0.0, maximize=True, decay="before"), {}),
    ]
    if capability.storage:
        kinds = [
            (adamw.Hyper(lr=0.1, decay="before"), stored(block_size=block_size)),
            (adamw.Hyper(beta1=0.0, decay="before"), stored(block_size=64, map="separate")),
        ]
    return [
        Group(h, [slot(rng, capability, how, n, int(rng.integers(0, 5))) for n in sizes], how)
        for h, how in kinds
    ]


def quantizer_hypers(rule: str) -> list[Any]:
    """Every block size of both maps, or the one form of bfloat16."""
    module = QUANTIZERS[rule]
    if rule == "bfloat16":
        return [module.Hyper()]
    return [
        module.Hyper(signed=signed, block_size=size)
        for signed in (True, False)
        for size in module.BLOCK_SIZES
    ]


def bits(result: Any) -> Any:
    """Nested results with every array as its type, shape and bytes, so that == means bitwise."""
    if isinstance(result, np.ndarray):
        return (result.dtype.str, result.shape, result.tobytes())
    if isinstance(result, dict):
        return {key: bits(value) for key, value in result.items()}
    if isinstance(result, (list, tuple)):
        return [bits(item) for item in result]
    if hasattr(result, "param"):
        return [bits(result.param), bits(dict(result.state))]
    return result
