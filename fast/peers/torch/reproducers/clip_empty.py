"""Clips gradients of which one is empty, by two norms."""

import torch

for norm in (2.0, float("inf")):
    params = [torch.zeros(2), torch.zeros(0)]
    for p in params:
        p.grad = torch.ones_like(p)
    try:
        print(norm, torch.nn.utils.clip_grad_norm_(params, 4.0, norm).item() > 0)
    except RuntimeError:
        print(norm, "error")
