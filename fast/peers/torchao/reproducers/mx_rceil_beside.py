"""Encodes the number after 448 times 2^100 in a block of MXFP8; prints the scale's byte."""

import torch
from torchao.prototype.mx_formats.config import ScaleCalculationMode
from torchao.prototype.mx_formats.mx_tensor import to_mx

most = torch.tensor(448 * 2.0**100)
x = torch.nextafter(most, torch.tensor(torch.inf)).repeat(1, 32)
scale, _ = to_mx(x, torch.float8_e4m3fn, 32, ScaleCalculationMode.RCEIL)
print(int(scale.view(torch.uint8)))
