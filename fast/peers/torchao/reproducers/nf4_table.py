"""Prints the second of the sixteen values of NF4."""

import torch
from torchao.quantization.quantize_.workflows.nf4.nf4_tensor import to_nf4

print(float(to_nf4(torch.ones(64), 64, 1).nf4[1]))
