"""Encodes 1 and an infinity in one block of MXFP8; prints the scale's byte and the 1.

Argument: the rule of the scale.
"""

import sys

import torch
from torchao.prototype.mx_formats.config import ScaleCalculationMode
from torchao.prototype.mx_formats.mx_tensor import to_dtype, to_mx

x = torch.ones(1, 32)
x[0, -1] = torch.inf
scale, code = to_mx(x, torch.float8_e4m3fn, 32, ScaleCalculationMode(sys.argv[1]))
back = to_dtype(code, scale, torch.float8_e4m3fn, 32, torch.float32)
print(int(scale.view(torch.uint8)), float(back[0, 0]))
