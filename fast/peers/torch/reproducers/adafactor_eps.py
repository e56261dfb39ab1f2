"""The step of a float64 parameter in the group of a float32 one, and of another float64 one."""

import torch

for first in (torch.float32, torch.float64):
    p = [torch.ones(1, dtype=first), torch.ones(1, dtype=torch.float64)]
    optimizer = torch.optim.Adafactor(p, lr=1.0)
    for x in p:
        x.grad = torch.full_like(x, 1e-9)
    optimizer.step()
    print(first, round(1 - p[1].item(), 4))
