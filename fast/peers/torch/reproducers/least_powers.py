"""Casts 1, 1.25, 1.5 and 1.75 times 2^-127 to float8_e8m0fnu and prints them over 2^-127."""

import torch

x = torch.tensor([1, 1.25, 1.5, 1.75]) * 2.0**-127
print((x.to(torch.float8_e8m0fnu).to(torch.float64) * 2.0**127).tolist())
