"""The rates where the warm-up takes the whole run, along a line and a polynomial of power 1."""

import torch
from transformers.optimization import (
    get_linear_schedule_with_warmup,
    get_polynomial_decay_schedule_with_warmup,
)

for make in (get_linear_schedule_with_warmup, get_polynomial_decay_schedule_with_warmup):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler = make(optimizer, 4, 4)
    rates = [optimizer.param_groups[0]["lr"]]
    try:
        for _ in range(5):
            optimizer.step()
            scheduler.step()
            rates.append(round(optimizer.param_groups[0]["lr"], 4))
        print(rates)
    except ZeroDivisionError as error:
        print(rates, type(error).__name__)
