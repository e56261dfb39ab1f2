"""The rate after a hundred equal metrics, positive and negative."""

import torch

for metric in (10.0, -10.0):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=60)
    for _ in range(100):
        optimizer.step()
        scheduler.step(metric)
    print(metric, optimizer.param_groups[0]["lr"])
