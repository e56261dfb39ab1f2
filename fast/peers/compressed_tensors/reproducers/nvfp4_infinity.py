"""Encodes an infinity in a block of NVFP4, global scale 1; prints what it is decoded to."""

from unittest.mock import patch

import torch

# What the library imports would import torchvision, for whatever build of torch that is.
with patch("transformers.utils.is_torchvision_available", return_value=False):
    from compressed_tensors.quantization import QuantizationArgs
    from compressed_tensors.quantization.lifecycle.forward import fake_quantize
    from compressed_tensors.quantization.utils import calculate_qparams

args = QuantizationArgs(
    num_bits=4, type="float", strategy="tensor_group", group_size=16,
    scale_dtype=torch.float8_e4m3fn,
)  # fmt: skip
x = torch.ones(1, 16)
x[0, 0] = torch.inf
low, high, second = torch.ones(1, 1), torch.full((1, 1), torch.inf), torch.ones(1)
scale, _ = calculate_qparams(low, high, args, global_scale=second)
print(float(fake_quantize(x, scale, None, args, global_scale=second)[0, 0]))
