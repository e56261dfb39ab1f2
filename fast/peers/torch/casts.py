"""Plain casts from float32 to the small formats and back, by torch and by ml_dtypes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from truestep.fast.peers.torch_arrays import from_tensor, to_tensor
from truestep.fast.protocol import Array, Capability, numpy_dtype

FORMATS = ("bfloat16", "float16", "float8_e4m3fn", "float8_e5m2")


def _capabilities(e4m3fn_overflow: str) -> tuple[Capability, ...]:
    # The only format without an infinity: what lies beyond its range is a choice.
    overflow = {"float8_e4m3fn": {"overflow": e4m3fn_overflow}}
    return tuple(
        Capability(kind="quantizer", rule=format, dialect=overflow.get(format, {}))
        for format in FORMATS
    )


def torch_capabilities(torch: Any) -> tuple[Capability, ...]:
    """One cast per format; whether float8_e4m3fn saturates depends on the release: asked."""
    beyond = torch.tensor(1e6).to(torch.float8_e4m3fn)
    return _capabilities("nan" if beyond.float().isnan() else "saturate")


def torch_encode(torch: Any, capability: Capability, x: Array) -> Mapping[str, Array]:
    """The bits of x after Tensor.to(dtype)."""
    cast = to_tensor(torch, x).to(getattr(torch, capability.rule))
    unsigned = np.dtype(f"uint{8 * cast.element_size()}")
    return {"code": from_tensor(torch, cast).view(unsigned)}


def torch_decode(torch: Any, capability: Capability, stored: Mapping[str, Array]) -> Array:
    """The float32 values of the bits."""
    bits = stored["code"].view(numpy_dtype(capability.rule))
    return from_tensor(torch, to_tensor(torch, bits).to(torch.float32))


class MlDtypesCasts:
    """ndarray.astype with the types of ml_dtypes; float16 is NumPy's own."""

    name = "ml_dtypes"

    def capabilities(self) -> tuple[Capability, ...]:
        """One cast per format."""
        return _capabilities("nan")

    def encode(self, capability: Capability, hyper: Any, x: Array) -> Mapping[str, Array]:
        """The bits of x after the cast."""
        with np.errstate(all="ignore"):
            cast = x.astype(numpy_dtype(capability.rule))
        return {"code": cast.view(np.dtype(f"uint{8 * cast.itemsize}"))}

    def decode(self, capability: Capability, hyper: Any, stored: Mapping[str, Array]) -> Array:
        """The float32 values of the bits."""
        return stored["code"].view(numpy_dtype(capability.rule)).astype(np.float32)
