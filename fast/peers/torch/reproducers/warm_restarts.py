"""The position and the rate at three restarts."""

import torch

optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=1, T_mult=3)
optimizer.step()
for t in (13, 40, 121):
    scheduler.step(t)
    print(t, scheduler.T_cur, scheduler.get_last_lr()[0])
