"""Encodes a matrix without rows in NVFP4; prints the shape of its codes, of two in a byte."""

import torch
from torchao.prototype.mx_formats.nvfp4_tensor import nvfp4_quantize

try:
    print(tuple(nvfp4_quantize(torch.zeros(0, 16))[1].shape))
except RuntimeError as error:
    print(type(error).__name__)
