"""Prints a scale before and after a tensor of zeros, which leaves it."""

import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import torch

scale = torch.tensor(397 / 448)
zero, largest = torch.tensor(0.0), torch.tensor(448.0)
print(scale.item(), keras.quantizers.compute_float8_scale(zero, scale, largest).item())
