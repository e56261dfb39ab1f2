"""Number formats and quantizers: float64 references of encode and decode.

Every module holds Hyper, DIALECTS, all_values, thresholds, encode, decode and admissible.
"""

from __future__ import annotations

from types import ModuleType

from truestep.reference.quantizers import (
    bfloat16,
    dynamic_8bit,
    float8_e4m3fn,
    float8_e5m2,
    float16,
)

QUANTIZERS: dict[str, ModuleType] = {
    "bfloat16": bfloat16,
    "dynamic_8bit": dynamic_8bit,
    "float16": float16,
    "float8_e4m3fn": float8_e4m3fn,
    "float8_e5m2": float8_e5m2,
}
