"""The first rate of two cycles without warm-up, and of one after six restarts at half height."""

import pytorch_optimizer
import torch

optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
scheduler = pytorch_optimizer.CosineAnnealingWarmupRestarts(
    optimizer, first_cycle_steps=4, max_lr=1.0, min_lr=0.1, gamma=0.5
)
rates = [optimizer.param_groups[0]["lr"]]
for _ in range(24):
    optimizer.step()
    scheduler.step()
    rates.append(optimizer.param_groups[0]["lr"])
print(round(rates[0], 3), round(rates[4], 3), round(rates[24], 4))
