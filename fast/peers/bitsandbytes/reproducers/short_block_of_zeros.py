"""The absmax of 63 zeros, in blocks of 64."""

import sys

import torch
from bitsandbytes import functional

_, state = functional.quantize_4bit(torch.zeros(63), blocksize=64, quant_type=sys.argv[1])
print(state.absmax.item())
