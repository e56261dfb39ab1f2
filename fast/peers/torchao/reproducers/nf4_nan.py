"""Encodes four blocks of NF4, of which one has a nan; prints how many of them hold a number."""

import torch
from torchao.quantization.quantize_.workflows.nf4.nf4_tensor import to_nf4

x = torch.ones(4, 64)
x[0, 0] = torch.nan
back = to_nf4(x, 64, 4).get_original_weight()
print(int(back.isfinite().any(dim=1).sum()))
