"""Whether the polynomial schedule ends at lr_end."""

import torch
from transformers.optimization import get_polynomial_decay_schedule_with_warmup

lr, lr_end = 1.0563105971339778e-05, 9.118237210749533e-07
optimizer = torch.optim.SGD([torch.zeros(1)], lr=lr)
scheduler = get_polynomial_decay_schedule_with_warmup(optimizer, 0, 1, lr_end=lr_end)
optimizer.step()
scheduler.step()
print(optimizer.param_groups[0]["lr"] == lr_end)
