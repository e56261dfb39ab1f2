"""The best metric after three that improve, with a threshold of 1, by a scheduler's name."""

import importlib
import sys

import torch

home, _, name = sys.argv[1].rpartition(".")
optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
make = getattr(importlib.import_module(home), name)
scheduler = make(optimizer, patience=1, threshold=1.0, threshold_mode="rel")
for metric in (4.0, 2.0, -1.0):
    optimizer.step()
    scheduler.step(metric)
print(scheduler.best)
