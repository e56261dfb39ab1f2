"""Whether the rate past the last step of a cycle is negative."""

import torch

optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
scheduler = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, max_lr=1.0, total_steps=20, anneal_strategy="linear", cycle_momentum=False
)
for _ in range(20):
    optimizer.step()
    scheduler.step()
print(optimizer.param_groups[0]["lr"] < 0)
