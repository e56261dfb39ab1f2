"""Scales three losses and prints the scale after each."""

import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import torch

inner = keras.optimizers.SGD(0.5)
optimizer = keras.optimizers.LossScaleOptimizer(inner, 2.0**127, dynamic_growth_steps=1)
optimizer.build([keras.Variable(torch.zeros(1))])
for loss in (0.0, 1.0, 1.0):
    # The loss is its own gradient.
    optimizer.apply([optimizer.scale_loss(torch.full((1,), loss))])
    print(optimizer.dynamic_scale.value.item())
