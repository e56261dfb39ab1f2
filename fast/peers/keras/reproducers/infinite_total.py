"""Accumulates an infinity, then two numbers: torch's path and the generic one."""

import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import torch

for base in (keras.optimizers.SGD, type("Generic", (keras.optimizers.SGD,), {})):
    variable = keras.Variable(torch.zeros(1))
    optimizer = base(0.5, gradient_accumulation_steps=2)
    optimizer.build([variable])
    for g in (torch.inf, 1.0):
        optimizer.apply([torch.full((1,), g)])
    variable.assign(torch.zeros(1))
    for g in (2.0, 2.0):
        optimizer.apply([torch.full((1,), g)])
    print(base.__name__, variable.value.item())
