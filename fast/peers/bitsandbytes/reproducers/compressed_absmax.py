"""The mean of the absmax of 63 zeros, and as what the absmax 2 of a block is read back.

Beside it are blocks whose absmax are 1 and 3.
"""

import sys

import torch
from bitsandbytes import functional
from bitsandbytes.functional import QuantState


def compressed(x: torch.Tensor) -> QuantState:
    """What is kept beside the codes of x."""
    kind = sys.argv[1].partition("_")[0]
    return functional.quantize_4bit(x, blocksize=64, quant_type=kind, compress_statistics=True)[1]


state = compressed(torch.tensor([1.0, 2.0, 3.0]).repeat_interleave(64))
absmax = functional.dequantize_blockwise(state.absmax, state.state2) + state.offset
print(f"{compressed(torch.zeros(63)).offset.item():g} {absmax[1].item():.8g}")
