"""The codes that FP4 gives to 0.001 and -0.001 beside a 1, or what it reads its -0 back as."""

import sys

import torch
from bitsandbytes import functional


def read_back(columns: int) -> float:
    """Code 8 as the first element of a row."""
    state = functional.QuantState(
        absmax=torch.ones(1),
        shape=torch.Size([1, columns]),
        blocksize=64,
        quant_type="fp4",
        dtype=torch.float32,
    )
    packed = torch.full(((columns + 1) // 2, 1), 0x88, dtype=torch.uint8)
    with torch.compiler.set_stance("force_eager"):
        return float(functional.dequantize_4bit(packed, state).reshape(-1)[0])


if sys.argv[1] == "codes":
    x = torch.zeros(64)
    x[0], x[1], x[2] = 1.0, 1e-3, -1e-3
    packed, _ = functional.quantize_4bit(x, blocksize=64, quant_type="fp4")
    print([int(packed[0] & 15), int(packed[1] >> 4)])
else:
    print([read_back(columns) for columns in (2, 3)])
