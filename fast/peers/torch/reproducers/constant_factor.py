"""The first four rates of ConstantLR: constant_factor.py FACTOR TOTAL_ITERS."""

import sys

import torch

optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
factor, total_iters = float(sys.argv[1]), int(sys.argv[2])
scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=factor, total_iters=total_iters)
rates = [optimizer.param_groups[0]["lr"]]
try:
    for _ in range(3):
        optimizer.step()
        scheduler.step()
        rates.append(optimizer.param_groups[0]["lr"])
    print(rates)
except ZeroDivisionError as error:
    print(rates, type(error).__name__)
