"""The smoothed metric five steps after a nan has left the window."""

import torch
from transformers.optimization import GreedyLR

optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
scheduler = GreedyLR(optimizer, smooth=True, window_size=2)
for metric in (3.0, float("nan"), 2.0, 2.0, 1.0, 1.0, 1.0):
    scheduler.step(metric)
print(scheduler._streaming_avg.values, scheduler._streaming_avg.streamavg(1.0))
