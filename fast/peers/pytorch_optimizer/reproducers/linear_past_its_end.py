"""The rates of LinearScheduler from its last step on: linear_past_its_end.py MIN_LR."""

import sys

import pytorch_optimizer
import torch

optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
scheduler = pytorch_optimizer.LinearScheduler(
    optimizer, t_max=4, max_lr=1.0, min_lr=float(sys.argv[1])
)
rates = [scheduler.step() for _ in range(7)]
print(rates[4:])
