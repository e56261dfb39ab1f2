"""Steps two groups whose betas differ by Ranger."""

import warnings

import torch
from torch_optimizer import Ranger

p = [torch.zeros(1), torch.zeros(1)]
groups = [{"params": p[:1], "betas": (0.5, 0.999)}, {"params": p[1:], "betas": (0.0, 0.999)}]
optimizer = Ranger(groups, lr=1.0)
for x in p:
    x.grad = torch.ones(1)
with warnings.catch_warnings():
    # Of the signatures by which it calls torch.
    warnings.simplefilter("ignore")
    optimizer.step()
print([x.item() for x in p])
