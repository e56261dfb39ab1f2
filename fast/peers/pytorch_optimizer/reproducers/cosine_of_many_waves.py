"""The rate a third of the way down, in the run and half a million waves later."""

import pytorch_optimizer
import torch

optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
scheduler = pytorch_optimizer.CosineScheduler(optimizer, t_max=6, max_lr=1.0)
for t in (2, 2 + 12 * 10**6):
    scheduler.step_t = t
    print(round(scheduler.step(), 12))
