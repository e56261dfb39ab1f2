"""Steps two groups whose rates differ by RAdam."""

import torch
from torch_optimizer import RAdam

p = [torch.zeros(1), torch.zeros(1)]
optimizer = RAdam([{"params": p[:1], "lr": 1.0}, {"params": p[1:], "lr": 0.125}])
for x in p:
    x.grad = torch.ones(1)
optimizer.step()
print([x.item() for x in p])
