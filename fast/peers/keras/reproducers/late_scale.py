"""Trains a layer in 8-bit floats on inputs of 448, 896 and 896; prints its scale after each."""

import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import torch

layer = keras.layers.Dense(1, use_bias=False)
layer.build((None, 2))
layer.quantize("float8")
variables = layer.trainable_variables
optimizer = keras.optimizers.SGD(0.0)
optimizer.build(variables)
for size in (448.0, 896.0, 896.0):
    for variable in variables:
        variable.value.grad = None
    x = torch.full((1, 2), size, device=variables[0].value.device)
    layer(x, training=True).sum().backward()
    optimizer.apply([variable.value.grad for variable in variables], variables)
    print(layer.inputs_scale.value.item())
