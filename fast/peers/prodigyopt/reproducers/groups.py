"""Steps two groups by Prodigy, of which the second has a number of its own.

groups.py NAME VALUE
"""

import sys

import torch
from prodigyopt import Prodigy

name, value = sys.argv[1], eval(sys.argv[2])
first, second = (torch.ones(1, requires_grad=True) for _ in range(2))
optimizer = Prodigy([{"params": [first]}, {"params": [second], name: value}], lr=1.0, d0=0.1)
for p in (first, second):
    p.grad = torch.ones_like(p)
try:
    optimizer.step()
    print(*(round(optimizer.state[p]["exp_avg"].item(), 4) for p in (first, second)))
except RuntimeError as error:
    print(type(error).__name__)
