"""Steps by a scaled gradient whose square exceeds float32, and prints parameter and scale."""

import torch
from pytorch_optimizer import SafeFP16Optimizer

p = torch.nn.Parameter(torch.ones(1))
optimizer = SafeFP16Optimizer(torch.optim.SGD([p], lr=2.0**-64))
p.grad = torch.full((1,), 2.0**79)
optimizer.clip_main_grads(0.0)
optimizer.step()
print(p.item(), optimizer.loss_scale)
