"""NF4 and FP4 in bitsandbytes with compressed statistics: QLoRA's double quantization.

Arithmetic: that of ``four_bit``; of absmax less its mean that of functional.quantize_blockwise, as
``eight_bit`` says.
"""

from collections.abc import Mapping

import torch
from bitsandbytes import functional

from truestep.fast.peers.bitsandbytes.eight_bit import DIALECT, MAPS
from truestep.fast.peers.bitsandbytes.four_bit import BLOCKS
from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Array, QuantizerCapability
from truestep.reference.declared import Hyper
from truestep.reference.nested_formats import SECOND

RULES = {"fp4_nested": "fp4", "nf4_nested": "nf4"}


def capabilities() -> tuple[QuantizerCapability, ...]:
    """Both, at every block length that the library takes."""
    dialect = {"map": DIALECT["map"], "normalise": "reciprocal", "ties": "lower"}
    return tuple(
        QuantizerCapability(
            rule=rule, dialect=dialect, fixed={"block_size": BLOCKS}, packing="pairs_high_first"
        )
        for rule in RULES
    )


def encode(rule: str, hyper: Hyper, x: Array) -> Mapping[str, Array]:
    """The codes of x, two to a byte, those of the absmax of its blocks, and what is beside them."""
    packed, state = functional.quantize_4bit(
        to_tensor(x), blocksize=hyper.block_size, compress_statistics=True, quant_type=RULES[rule]
    )
    return {
        "code": from_tensor(packed).reshape(-1),
        "absmax_code": from_tensor(state.absmax),
        "absmax2": from_tensor(state.state2.absmax),
        # Of no blocks the mean is nan, and is not kept.
        "offset": from_tensor(state.offset.reshape(1))[: state.absmax.numel()],
    }


def decode(rule: str, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
    """The float32 numbers that the codes stand for."""
    shape = tuple(stored["shape"].tolist())
    second = functional.QuantState(
        absmax=to_tensor(stored["absmax2"]), blocksize=SECOND, code=MAPS[True], dtype=torch.float32
    )
    state = functional.QuantState(
        absmax=to_tensor(stored["absmax_code"]),
        shape=torch.Size(shape or (1,)),
        blocksize=hyper.block_size,
        quant_type=RULES[rule],
        dtype=torch.float32,
        offset=to_tensor(stored["offset"]).sum(),
        state2=second,
    )
    packed = to_tensor(stored["code"]).reshape(-1, 1)
    with torch.compiler.set_stance("force_eager"):
        decoded = functional.dequantize_4bit(packed, state)
    return from_tensor(decoded.contiguous()).reshape(shape)
