"""The rates around the first restart of 49 cycles of 2 steps, of a rate of 1."""

import torch
from transformers import get_cosine_with_hard_restarts_schedule_with_warmup

optimizer = torch.optim.SGD([torch.ones(1)], lr=1.0)
schedule = get_cosine_with_hard_restarts_schedule_with_warmup(optimizer, 0, 98, num_cycles=49)
rates = []
for _ in range(4):
    rates.append(round(optimizer.param_groups[0]["lr"], 6))
    optimizer.step()
    schedule.step()
print(*rates)
