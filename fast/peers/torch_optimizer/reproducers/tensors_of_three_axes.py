"""Steps tensors whose gradients have one value per row, of two axes and of three."""

import torch
from torch_optimizer import Adafactor

OPTIONS = {"relative_step": False, "scale_parameter": False, "clip_threshold": 9}

for shape in ((2, 3), (2, 2, 3), (2, 3, 4)):
    p = torch.zeros(shape)
    optimizer = Adafactor([p], lr=1.0, **OPTIONS)
    rows = torch.arange(1.0, p[..., 0].numel() + 1).reshape(*shape[:-1], 1)
    p.grad = rows.expand(shape).clone()
    try:
        optimizer.step()
        print(shape, sorted({round(-x, 3) for x in p.flatten().tolist()}))
    except RuntimeError as error:
        print(shape, type(error).__name__)
