"""The best metric, and how many more are ignored, after GreedyLR began anew."""

import torch
from transformers.optimization import GreedyLR

optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
scheduler = GreedyLR(optimizer, patience=0, cooldown=7, min_lr=1.0, reset_start=1)
for metric in (1.0, 2.0):
    scheduler.step(metric)
print(scheduler.best, scheduler.cooldown_counter)
