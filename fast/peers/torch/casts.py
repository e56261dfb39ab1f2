"""torch's plain casts from float32 to the small formats and back."""

from collections.abc import Mapping

import numpy as np
import torch

from truestep.fast.peers.torch_tensors import from_tensor, to_tensor
from truestep.fast.protocol import Array, Capability, QuantizerCapability, numpy_dtype

# Each format, and what becomes of numbers that it does not have.
FORMATS: Mapping[str, Mapping[str, str]] = {
    "bfloat16": {},
    "float16": {},
    "float8_e4m3fn": {},
    "float8_e4m3fnuz": {"overflow": "nan"},
    "float8_e5m2": {},
    "float8_e5m2fnuz": {"overflow": "nan"},
    "float8_e8m0fnu": {"negative": "magnitude", "zero": "least"},
}


def capabilities() -> tuple[QuantizerCapability, ...]:
    """One cast per format; whether float8_e4m3fn saturates depends on the release: asked."""
    beyond = torch.tensor(1e6).to(torch.float8_e4m3fn)
    asked = {"float8_e4m3fn": {"overflow": "nan" if beyond.float().isnan() else "saturate"}}
    return tuple(
        QuantizerCapability(rule=format, dialect=dialect)
        for format, dialect in {**FORMATS, **asked}.items()
        if hasattr(torch, format)
    )


def encode(capability: Capability, x: Array) -> Mapping[str, Array]:
    """The bits of x after Tensor.to(dtype)."""
    cast = to_tensor(x).to(getattr(torch, capability.rule))
    unsigned = np.dtype(f"uint{8 * cast.element_size()}")
    return {"code": from_tensor(cast).view(unsigned)}


def decode(capability: Capability, stored: Mapping[str, Array]) -> Array:
    """The float32 values of the bits."""
    bits = stored["code"].view(numpy_dtype(capability.rule))
    return from_tensor(to_tensor(bits).to(torch.float32))
