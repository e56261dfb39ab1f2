"""The rate a third of the way down, in the run and a hundred million waves later."""

import warnings

import torch

warnings.simplefilter("ignore")
optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)
for t in (2, 2 + 12 * 10**8):
    scheduler.step(t)
    print(round(optimizer.param_groups[0]["lr"], 8))
