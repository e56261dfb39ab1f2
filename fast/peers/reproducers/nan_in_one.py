"""Steps two matrices, of which the first's gradient is nan: nan_in_one.py OPTIMIZER [OPTIONS]."""

import importlib
import sys

import torch

module, _, name = sys.argv[1].rpartition(".")
p = [torch.zeros(3, 3), torch.zeros(3, 3)]
make = getattr(importlib.import_module(module), name)
optimizer = make(p, **eval(f"dict({''.join(sys.argv[2:])})"))
p[0].grad, p[1].grad = torch.full((3, 3), float("nan")), torch.eye(3)
try:
    optimizer.step()
    print("stepped")
except RuntimeError as error:
    print(type(error).__name__)
