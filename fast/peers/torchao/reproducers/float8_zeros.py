"""Encodes a row of zeros in 8-bit floats; prints what they are decoded to."""

import torch
from torchao.quantization import Float8Tensor, PerRow

print(Float8Tensor.from_hp(torch.zeros(1, 2), granularity=PerRow()).dequantize().tolist())
