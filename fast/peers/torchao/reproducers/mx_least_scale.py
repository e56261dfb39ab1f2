"""Encodes 2^-122 in a block of MXFP8, whose scale is the least there is; prints what became of it.

Argument: the rule of the scale.
"""

import sys

import torch
from torchao.prototype.mx_formats.config import ScaleCalculationMode
from torchao.prototype.mx_formats.mx_tensor import to_dtype, to_mx

x = torch.full((1, 32), 2.0**-122)
scale, code = to_mx(x, torch.float8_e4m3fn, 32, ScaleCalculationMode(sys.argv[1]))
back = to_dtype(code, scale, torch.float8_e4m3fn, 32, torch.float32)
print(int(scale.view(torch.uint8)), float(back[0, 0]) * 2.0**122)
