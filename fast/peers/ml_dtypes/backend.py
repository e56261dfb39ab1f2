"""Plain casts from float32 to the small formats and back; float16 is NumPy's own.

Arithmetic: ndarray.astype rounds once, to the nearest, ties to even.
"""

from collections.abc import Mapping

import numpy as np

from truestep.fast.protocol import Array, QuantizerCapability, numpy_dtype
from truestep.reference.declared import Hyper

FORMATS = ("bfloat16", "float16", "float8_e4m3fn", "float8_e5m2")
# The only format without an infinity: what lies beyond its range is a choice.
DIALECTS = {"float8_e4m3fn": {"overflow": "nan"}}


class Backend:
    """ndarray.astype with the types of ml_dtypes."""

    name = "ml_dtypes"

    def capabilities(self) -> tuple[QuantizerCapability, ...]:
        """One cast per format."""
        return tuple(
            QuantizerCapability(rule=format, dialect=DIALECTS.get(format, {})) for format in FORMATS
        )

    def encode(self, capability: QuantizerCapability, hyper: Hyper, x: Array) -> dict[str, Array]:
        """The bits of x after the cast."""
        with np.errstate(all="ignore"):
            cast = x.astype(numpy_dtype(capability.rule))
        return {"code": cast.view(np.dtype(f"uint{8 * cast.itemsize}"))}

    def decode(
        self, capability: QuantizerCapability, hyper: Hyper, stored: Mapping[str, Array]
    ) -> Array:
        """The float32 values of the bits."""
        return stored["code"].view(numpy_dtype(capability.rule)).astype(np.float32)
