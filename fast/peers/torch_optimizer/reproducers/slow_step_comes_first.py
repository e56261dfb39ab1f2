"""Prints where four steps of SGD lead within Lookahead: lr = 1, g = 1, k = 2, alpha = 1/2."""

import torch
from torch_optimizer import Lookahead

p = torch.nn.Parameter(torch.zeros(1))
optimizer = Lookahead(torch.optim.SGD([p], lr=1.0), k=2, alpha=0.5)
points = []
for _ in range(4):
    p.grad = torch.ones(1)
    optimizer.step()
    points.append(p.item())
print(*points)
