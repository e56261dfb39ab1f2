"""The first three rates of REXScheduler."""

import pytorch_optimizer
import torch

optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
scheduler = pytorch_optimizer.REXScheduler(optimizer, total_steps=4, max_lr=1.0, min_lr=0.1)
rates = [optimizer.param_groups[0]["lr"]]
for _ in range(2):
    optimizer.step()
    scheduler.step()
    rates.append(optimizer.param_groups[0]["lr"])
print(*(round(rate, 4) for rate in rates))
