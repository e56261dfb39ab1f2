"""Encodes an infinity in a block of NVFP4; prints what it is decoded to."""

import torch
from torchao.prototype.mx_formats.nvfp4_tensor import NVFP4Tensor

x = torch.ones(1, 16)
x[0, 0] = torch.inf
print(float(NVFP4Tensor.to_nvfp4(x).dequantize()[0, 0]))
