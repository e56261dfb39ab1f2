"""A gradient that is finite, and infinite once it is divided by a scale below 1."""

import torch

for foreach in (False, True):
    p = torch.ones(1)
    optimizer = torch.optim.SGD([p], lr=0.125, foreach=foreach)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**-4)
    scaler.scale(torch.zeros(1))
    p.grad = torch.full((1,), 1e38)
    scaler.step(optimizer)
    scaler.update()
    print(foreach, p.item(), scaler.get_scale())
