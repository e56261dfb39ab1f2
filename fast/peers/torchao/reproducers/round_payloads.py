"""Rounds nans whose payload is at the ends of its range to bfloat16, stochastically."""

import torch
from torchao.optim.quant_utils import _fp32_to_bf16_sr

x = torch.tensor([0x7FFFFFFF, 0x7F800001], dtype=torch.int32).view(torch.float32)
torch.manual_seed(0)
print(_fp32_to_bf16_sr(x).tolist())
