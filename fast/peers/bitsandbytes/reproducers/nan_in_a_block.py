"""What a nan, and the number beside it, become by block-wise quantization to 8 bits."""

import torch
from bitsandbytes import functional

code, state = functional.quantize_blockwise(torch.tensor([float("nan"), 1.0]))
print([round(x, 3) for x in functional.dequantize_blockwise(code, state).tolist()])
