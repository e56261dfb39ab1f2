"""Steps queries that are contiguous, then queries that are stored transposed."""

import torch
from adam_mini import Adam_mini

for data in (torch.zeros(4, 2), torch.zeros(2, 4).t()):
    p = torch.nn.Parameter(data)
    optimizer = Adam_mini([("q_proj.weight", p)], dim=4, n_heads=2, verbose=False)
    p.grad = torch.ones_like(p)
    try:
        optimizer.step()
        print("stepped")
    except RuntimeError as error:
        print(type(error).__name__)
