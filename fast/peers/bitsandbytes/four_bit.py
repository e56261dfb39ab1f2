"""NF4 and FP4 in bitsandbytes: quantize_4bit and dequantize_4bit, without compressed statistics.

Arithmetic, from bitsandbytes/backends/default/ops.py: x times the reciprocal of absmax, by which
the last, short block is divided. What it decodes tensors of odd rows by is compiled where torch has
a compiler; here it is not.
"""

from collections.abc import Mapping

import torch
from bitsandbytes import functional

from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Array, QuantizerCapability
from truestep.reference.declared import Hyper

RULES = ("fp4", "nf4")
BLOCKS = (64, 32, 128, 256, 512, 1024, 2048, 4096)


def capabilities() -> tuple[QuantizerCapability, ...]:
    """Both, at every block length that the library takes."""
    dialect = {"normalise": "reciprocal", "ties": "lower"}
    return tuple(
        QuantizerCapability(
            rule=rule, dialect=dialect, fixed={"block_size": BLOCKS}, packing="pairs_high_first"
        )
        for rule in RULES
    )


def encode(rule: str, hyper: Hyper, x: Array) -> Mapping[str, Array]:
    """The codes of x, two to a byte, and the scale of every block."""
    packed, state = functional.quantize_4bit(
        to_tensor(x), blocksize=hyper.block_size, quant_type=rule
    )
    return {"code": from_tensor(packed).reshape(-1), "scale": from_tensor(state.absmax)}


def decode(rule: str, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
    """The float32 numbers that the codes stand for.

    Given shapes are given on; a number is a vector of one, for the library takes no shape without
    axes. What comes back has lost some: see findings.toml.
    """
    shape = tuple(stored["shape"].tolist())
    state = functional.QuantState(
        absmax=to_tensor(stored["scale"]),
        shape=torch.Size(shape or (1,)),
        blocksize=hyper.block_size,
        quant_type=rule,
        dtype=torch.float32,
    )
    packed = to_tensor(stored["code"]).reshape(-1, 1)
    with torch.compiler.set_stance("force_eager"):
        decoded = functional.dequantize_4bit(packed, state)
    return from_tensor(decoded.contiguous()).reshape(shape)
