"""The zero point of a group of zeros, in unsigned integers of 8 bits."""

from unittest.mock import patch

import torch

# What the library imports would import torchvision, for whatever build of torch that is.
with patch("transformers.utils.is_torchvision_available", return_value=False):
    from compressed_tensors.quantization import QuantizationArgs
    from compressed_tensors.quantization.utils import calculate_qparams

args = QuantizationArgs(num_bits=8, type="int", strategy="tensor", symmetric=False)
_, zero = calculate_qparams(torch.zeros(1), torch.zeros(1), args)
print(int(zero) + 128)
