"""Encodes a block of zeros beside blocks of 1, 1 and 8 in NF4; prints what the zeros became."""

import torch
from torchao.quantization.quantize_.workflows.nf4.nf4_tensor import to_nf4

x = torch.tensor([0.0, 1.0, 1.0, 8.0]).repeat_interleave(64)
print(to_nf4(x, 64, 4).get_original_weight()[0].item())
