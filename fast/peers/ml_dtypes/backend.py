"""Plain casts from float32 to the small formats and back; float16 is NumPy's own.

Arithmetic: ndarray.astype rounds once, to the nearest, ties to even; of powers of two, ties up.
"""

from collections.abc import Mapping

import numpy as np

from truestep.fast.protocol import Array, QuantizerCapability, numpy_dtype
from truestep.reference.declared import Hyper

# Each format, and what becomes of numbers that it does not have.
FORMATS: Mapping[str, Mapping[str, str]] = {
    "bfloat16": {},
    "float16": {},
    "float4_e2m1fn": {"nan": "zero"},
    "float6_e2m3fn": {"nan": "zero"},
    "float6_e3m2fn": {"nan": "zero"},
    "float8_e3m4": {},
    "float8_e4m3": {},
    "float8_e4m3b11fnuz": {"overflow": "nan"},
    "float8_e4m3fn": {"overflow": "nan"},
    "float8_e4m3fnuz": {"overflow": "nan"},
    "float8_e5m2": {},
    "float8_e5m2fnuz": {"overflow": "nan"},
    "float8_e8m0fnu": {"negative": "nan", "zero": "nan"},
}


class Backend:
    """ndarray.astype with the types of ml_dtypes."""

    name = "ml_dtypes"

    def capabilities(self) -> tuple[QuantizerCapability, ...]:
        """One cast per format."""
        return tuple(
            QuantizerCapability(rule=format, dialect=dialect) for format, dialect in FORMATS.items()
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
