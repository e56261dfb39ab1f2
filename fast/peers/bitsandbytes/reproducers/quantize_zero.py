"""What a zero beside a one is after quantization."""

import torch
from bitsandbytes import functional

x = torch.zeros(64)
x[0] = 1.0
code, state = functional.quantize_blockwise(x, blocksize=64)
print(round(functional.dequantize_blockwise(code, state)[1].item(), 8))
