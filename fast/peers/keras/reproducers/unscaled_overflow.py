"""A gradient that is finite, and infinite once it is divided by a scale below 1."""

import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import torch

variable = keras.Variable(torch.ones(1))
optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.125), 2.0**-4)
optimizer.build([variable])
optimizer.apply([torch.full((1,), 1e38)])
print(variable.value.item(), optimizer.dynamic_scale.value.item())
