"""Lists of tensors for the capabilities of the CUDA kernels, and bitwise comparison of results."""

from __future__ import annotations

from typing import Any

import numpy as np

from truestep.fast.ours import cuda_units, samples
from truestep.fast.protocol import Group, OptimizerCapability
from truestep.reference.quantizers import QUANTIZERS

CAPABILITIES = samples.one_of_each_shape(cuda_units.capabilities())
# Of optimizers one for every shape of kernels: what a rule computes of an element is certified.
OPTIMIZERS = [c for c in CAPABILITIES if isinstance(c, OptimizerCapability)]
CODERS = [c for c in CAPABILITIES if c.kind == "quantizer"]
# Around vectors of 4 and 8, warps, blocks of threads, quantization blocks and chunks.
SIZES = (0, 1, 3, 4, 5, 31, 33, 63, 64, 65, 255, 257, 4095, 4096, 4097, 8193)


def named(rule: str, *, format: str = "float32", stored: bool = False) -> OptimizerCapability:
    """The first capability of a rule with that format, with or without codes."""
    return next(
        c
        for c in cuda_units.capabilities()
        if isinstance(c, OptimizerCapability)
        and (c.rule, c.format, bool(c.storage)) == (rule, format, stored)
    )


def groups(
    seed: int,
    capability: Any,
    sizes: tuple[int, ...] = SIZES,
    block_size: int = 256,
    special: bool = True,
) -> list[Group]:
    """Two groups that differ in their hyperparameters, with slots at all offsets from a vector."""
    return samples.groups(np.random.default_rng(seed), capability, sizes, (block_size, 64), special)


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
    """Nested results with every array as its type, shape and bytes, so that == means bitwise.

    Which nan it is, is free.
    """
    if isinstance(result, np.ndarray):
        if result.dtype.kind not in "biu":
            result = np.where(np.isnan(result), result.dtype.type(np.nan), result)
        return (result.dtype.str, result.shape, result.tobytes())
    if isinstance(result, dict):
        return {key: bits(value) for key, value in result.items()}
    if isinstance(result, (list, tuple)):
        return [bits(item) for item in result]
    if hasattr(result, "param"):
        return [bits(result.param), bits(dict(result.state))]
    return result
