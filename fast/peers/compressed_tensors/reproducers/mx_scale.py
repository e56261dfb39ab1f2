"""Chooses the scales of blocks of MXFP4; prints the bytes that are stored of them.

The blocks' largest numbers: an infinity, a nan, and the largest number of float32; and a nan among
64 blocks, which torch computes with vectors, whose minima and maxima are the nan of all bits.
"""

from unittest.mock import patch

import torch

# What the library imports would import torchvision, for whatever build of torch that is.
with patch("transformers.utils.is_torchvision_available", return_value=False):
    from compressed_tensors.compressors.mx_utils import compress_mx_scale
    from compressed_tensors.quantization import QuantizationArgs
    from compressed_tensors.quantization.utils import calculate_qparams

args = QuantizationArgs(
    num_bits=4, type="float", strategy="group", group_size=32, scale_dtype=torch.uint8
)


def stored(largest: torch.Tensor) -> list[int]:
    """The bytes of the blocks' scales."""
    scale, _ = calculate_qparams(-largest, largest, args)
    kept: list[int] = compress_mx_scale(scale, torch.uint8).tolist()
    return kept


few = torch.tensor([torch.inf, torch.nan, torch.finfo(torch.float32).max])
print([*stored(few), stored(torch.full((64,), torch.nan))[0]])
