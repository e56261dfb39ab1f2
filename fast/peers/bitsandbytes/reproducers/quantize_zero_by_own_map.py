"""What a zero beside a one is after quantization by a map that has 0 and 2e-6."""

import torch
from bitsandbytes import functional

values = torch.cat([torch.linspace(-1, 1, 255), torch.tensor([2e-6])]).sort().values
code, state = functional.quantize_blockwise(torch.tensor([1.0, 0.0]), code=values, blocksize=64)
print(round(functional.dequantize_blockwise(code, state)[1].item(), 8))
