"""Steps one parameter, then another too: later_gradient.py [OPTIONS]."""

import sys

import torch

a, b = torch.ones(1), torch.ones(1)
options = eval(f"dict({''.join(sys.argv[1:])})")
optimizer = torch.optim.SGD([a, b], lr=1.0, momentum=0.5, fused=True, **options)
a.grad = torch.ones(1)
optimizer.step()
b.grad = torch.ones(1)
try:
    optimizer.step()
    print(b.item())
except TypeError as error:
    print(type(error).__name__)
