"""Factors of the rate around the end of a run that is all warm-up, by name."""

import torch
from transformers.optimization import get_scheduler

for name in ("linear", "cosine", "cosine_with_min_lr"):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    more = {"min_lr": 0.0} if name == "cosine_with_min_lr" else None
    made = get_scheduler(name, optimizer, 4, 4, scheduler_specific_kwargs=more)
    print(name, [float(made.lr_lambdas[0](t)) for t in (3, 4, 5, 6)])
