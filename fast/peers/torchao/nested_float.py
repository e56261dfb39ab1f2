"""NF4Tensor of torchao: NF4 with its scales as 8-bit integers around their mean.

Of both block lengths only whole ones are taken, so that four blocks of 64 share a factor here where
256 do by default. The library's own table, that of ``normal_float``, is declared as what it is.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torchao.quantization.quantize_.workflows.nf4.nf4_tensor import (
    NF4Tensor,
    SubclassTensorArgs,
    to_nf4,
)

from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.peers.torchao.normal_float import TABLE
from truestep.fast.protocol import Array, QuantizerCapability
from truestep.reference.declared import Hyper

RULES = ("nf4_integer_nested",)
_BLOCK, _SECOND = 64, 4


def capabilities() -> tuple[QuantizerCapability, ...]:
    """NF4Tensor, in whole groups of blocks."""
    return (
        QuantizerCapability(
            rule=RULES[0],
            dialect={"table": "four_decimals"},
            fixed={"block_size": _BLOCK, "second_size": _SECOND},
            packing="pairs_high_first",
            multiple=_BLOCK * _SECOND,
        ),
    )


def encode(capability: QuantizerCapability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
    """Pairs of codes, those of the absmax, factors and the mean."""
    if not x.size:
        none = np.zeros(0, np.float32)
        codes = {"code": np.zeros(0, np.uint8), "absmax_code": np.zeros(0, np.int8)}
        return {**codes, "factor": none, "offset": none}
    made = to_nf4(to_tensor(x).flatten(), hyper.block_size, hyper.second_size)
    return {
        "code": from_tensor(made.quantized_data).reshape(-1),
        "absmax_code": from_tensor(made.quantized_scalers),
        "factor": from_tensor(made.quantization_factor),
        "offset": from_tensor(made.scaler_mean.reshape(1)),
    }


def decode(capability: QuantizerCapability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
    """The numbers that the codes stand for."""
    shape = tuple(stored["shape"].tolist())
    count = int(np.prod(shape))
    if not count:
        return np.zeros(shape, np.float32)
    flat = torch.empty(count)
    made = NF4Tensor(
        SubclassTensorArgs(flat.size(), flat.stride(), 0, flat.dtype, flat.device, False),
        hyper.block_size,
        count // hyper.block_size,
        hyper.second_size,
        to_tensor(stored["absmax_code"]),
        to_tensor(stored["factor"]),
        to_tensor(stored["offset"]).sum(),
        to_tensor(stored["code"]),
        nf4=TABLE,
    )
    return from_tensor(made.get_original_weight()).reshape(shape)
