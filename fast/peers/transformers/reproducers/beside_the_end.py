"""How many of a hundred least rates the polynomial schedule does not end at."""

import torch
from transformers.optimization import get_polynomial_decay_schedule_with_warmup

missed = 0
for k in range(1, 101):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0 / 7)
    made = get_polynomial_decay_schedule_with_warmup(optimizer, 0, 1, lr_end=k / 1000)
    optimizer.step()
    made.step()
    missed += optimizer.param_groups[0]["lr"] != k / 1000
print(missed)
