"""The rate halfway down, in the run and a million waves later."""

import torch
from transformers.optimization import get_cosine_schedule_with_warmup

optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
factor = get_cosine_schedule_with_warmup(optimizer, 0, 6).lr_lambdas[0]
print(round(factor(2), 12), round(factor(2 + 12 * 10**6), 12))
