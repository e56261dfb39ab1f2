"""The rates of N epochs from epoch FIRST on, and beside them the steps of the paper's order:
chebyshev.py N FIRST.
"""

import sys

import pytorch_optimizer
import torch

epochs, first = map(int, sys.argv[1:])
optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
scheduler = pytorch_optimizer.get_chebyshev_schedule(optimizer, epochs)
rates = []
for _ in range(first + epochs):
    rates.append(round(float(optimizer.param_groups[0]["lr"]), 3))
    optimizer.step()
    scheduler.step()
print(rates[first:])
