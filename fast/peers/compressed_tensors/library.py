"""The library's functions, imported whatever build of torchvision is installed.

The library imports transformers' models, which import torchvision where it is found; one that was
built for another torch raises.
"""

from unittest.mock import patch

with patch("transformers.utils.is_torchvision_available", return_value=False):
    from compressed_tensors.compressors.mx_utils import compress_mx_scale, decompress_mx_scale
    from compressed_tensors.compressors.nvfp4.helpers import (
        pack_fp4_to_uint8,
        unpack_fp4_from_uint8,
    )
    from compressed_tensors.compressors.pack_quantized.helpers import (
        pack_to_int32,
        unpack_from_int32,
    )
    from compressed_tensors.quantization import QuantizationArgs
    from compressed_tensors.quantization.lifecycle.forward import dequantize, quantize
    from compressed_tensors.quantization.utils import calculate_qparams

__all__ = [
    "QuantizationArgs",
    "calculate_qparams",
    "compress_mx_scale",
    "decompress_mx_scale",
    "dequantize",
    "pack_fp4_to_uint8",
    "pack_to_int32",
    "quantize",
    "unpack_fp4_from_uint8",
    "unpack_from_int32",
]
