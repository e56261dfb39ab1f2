"""Whether a map changed in place gives the codes of a new map of its values."""

import torch
from bitsandbytes import functional

x = torch.full((64,), 0.5)
x[0] = 1.0
code = torch.linspace(-1, 1, 256)
functional.quantize_blockwise(x, code=code, blocksize=64)
code[2:127] *= 0.9
code[128:254] *= 0.9
stale, _ = functional.quantize_blockwise(x, code=code, blocksize=64)
fresh, _ = functional.quantize_blockwise(x, code=code.clone(), blocksize=64)
print(torch.equal(stale, fresh))
