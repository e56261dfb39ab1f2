"""LOMO's norm pass over an infinite gradient."""

import torch
from pytorch_optimizer import LOMO

model = torch.nn.Linear(1, 1, bias=False)
optimizer = LOMO(model, lr=0.1, clip_grad_norm=1.0)
x = torch.full((1, 1), float("inf"))
try:
    optimizer.grad_norm(model(x).sum())
    print("clipped")
except RuntimeError as error:
    print(error)
