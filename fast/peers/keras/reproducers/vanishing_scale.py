"""Prints whether the scale after a tiny extreme is positive, and what it makes of a zero."""

import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import torch

amax, one, largest = (torch.tensor(x) for x in (1e-37, 1.0, 448.0))
scale = keras.quantizers.compute_float8_scale(amax, one, largest)
zero = keras.quantizers.quantize_and_dequantize(torch.zeros(1), scale, "float8_e4m3fn", "float32")
print(bool(scale > 0), zero.item())
