"""Steps a matrix with one nan by AdaLomo."""

from unittest import mock

import torch
from lomo_optim import AdaLomo

model = torch.nn.Linear(2, 2, bias=False)
model.weight.data = torch.tensor([[1.0, 1.0], [1.0, float("nan")]])
# AdaLomo asks for CUDA as it is built.
with mock.patch.object(torch.Tensor, "cuda", lambda tensor: tensor):
    optimizer = AdaLomo(model, lr=1.0, loss_scale=0)
optimizer.fused_backward((model.weight * torch.ones(2, 2)).sum(), 1.0)
print([round(x, 4) for x in model.weight.flatten().tolist()])
