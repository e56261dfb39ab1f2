"""Reads the byte 255, OCP's nan, as the scale of a block of MXFP4."""

from unittest.mock import patch

import torch

# What the library imports would import torchvision, for whatever build of torch that is.
with patch("transformers.utils.is_torchvision_available", return_value=False):
    from compressed_tensors.compressors.mx_utils import decompress_mx_scale

print(float(decompress_mx_scale(torch.tensor([255], dtype=torch.uint8))))
