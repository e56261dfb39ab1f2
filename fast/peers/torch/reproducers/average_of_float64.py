"""The average of 0, 0 and 3, by the default function and by that for lists."""

import torch
from torch.optim import swa_utils

model = torch.nn.ParameterList([torch.ones(1, dtype=torch.float64)])
for function in (None, swa_utils.get_swa_multi_avg_fn()):
    averaged = swa_utils.AveragedModel(model, multi_avg_fn=function)
    for value in (0.0, 0.0, 3.0):
        model[0].data.fill_(value)
        averaged.update_parameters(model)
    print(averaged.module[0].item())
