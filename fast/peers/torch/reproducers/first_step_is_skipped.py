"""Steps by a number after a first step that was skipped for its infinity."""

import torch

# Memory that was never written reads as nan.
torch.use_deterministic_algorithms(True)
for fused in (False, True):
    p = torch.ones(1)
    optimizer = torch.optim.SGD([p], lr=0.125, momentum=0.5, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    for g in (torch.inf, 2.0):
        scaler.scale(torch.zeros(1))
        p.grad = torch.full((1,), g)
        scaler.step(optimizer)
        scaler.update()
    print(fused, p.item())
torch.use_deterministic_algorithms(False)
