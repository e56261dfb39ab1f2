"""Encodes -0, and a negative number that rounds to it, in 4-bit floats; prints their codes."""

from unittest.mock import patch

import torch

# What the library imports would import torchvision, for whatever build of torch that is.
with patch("transformers.utils.is_torchvision_available", return_value=False):
    from compressed_tensors.compressors.nvfp4.helpers import pack_fp4_to_uint8
    from compressed_tensors.quantization.utils.fp4_utils import cast_to_fp4

pair = int(pack_fp4_to_uint8(cast_to_fp4(torch.tensor([[-0.0, -0.1]]))))
print([pair & 15, pair >> 4])
