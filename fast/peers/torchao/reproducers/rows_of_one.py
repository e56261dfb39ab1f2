"""Chooses the scales of rows of one element, and quantizes by them; prints their shape.

Argument: "integers", "affine_integers" or "floats".
"""

import sys

import torch
from torchao.quantization import Float8Tensor, PerRow
from torchao.quantization.quant_primitives import (
    MappingType,
    choose_qparams_affine,
    quantize_affine,
)

x = torch.tensor([[1.0], [2.0]])
try:
    if sys.argv[1] == "integers":
        scale, _ = choose_qparams_affine(
            x, MappingType.SYMMETRIC, (1, 1), torch.int8, -127, 127, keepdim=True
        )
    elif sys.argv[1] == "affine_integers":
        scale, zero = choose_qparams_affine(x, MappingType.ASYMMETRIC, (1, 1), torch.uint8, 0, 255)
        quantize_affine(x, (1, 1), scale, zero, torch.uint8, 0, 255)
    else:
        scale = Float8Tensor.from_hp(x, granularity=PerRow()).scale
    print(tuple(scale.shape))
except RuntimeError as error:
    print(error)
