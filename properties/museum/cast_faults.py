"""Faults in casts to float16 and to the 8-bit floats: range, ties, subnormals, signs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from truestep.fast.protocol import Array, Capability, numpy_dtype

Change = Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class CastFault:
    """A cast of what change makes of a float32 tensor; the other fields are those of Fault."""

    rule: str
    description: str
    source: str
    change: Change
    check: str = "random"
    computes: str = ""
    kind: str = "quantizer"

    def backend(self) -> CastBackend:
        """A backend that computes with the fault."""
        return CastBackend(self.rule, self.change)


class CastBackend:
    """The casts of NumPy and ml_dtypes from float32, correct where nothing is changed before."""

    def __init__(self, rule: str, change: Change = lambda x: x) -> None:
        self.name = f"museum {rule}"
        self.rule = rule
        self.change = change
        self.dtype = numpy_dtype(rule)

    def capabilities(self) -> Sequence[Capability]:
        """The one format, in the reference's own form."""
        return [Capability("quantizer", self.rule)]

    def encode(self, capability: Capability, hyper: Any, x: Array) -> Mapping[str, Array]:
        """The codes of what the fault makes of x."""
        with np.errstate(all="ignore"):
            stored = np.ascontiguousarray(self.change(x)).astype(self.dtype)
        return {"code": stored.view(f"u{self.dtype.itemsize}").reshape(x.shape)}

    def decode(self, capability: Capability, hyper: Any, stored: Mapping[str, Array]) -> Array:
        """The float32 numbers that are stored."""
        return np.asarray(stored["code"].view(self.dtype).astype(np.float32))


def _wrapped(x: Array) -> Array:
    """What lies beyond the range comes back at its other end, as in integers."""
    return np.where(np.isfinite(x) & (np.abs(x) >= 464), np.fmod(x, np.float32(256)), x)


CASTS: dict[str, CastFault] = {
    "float16_rounded_twice": CastFault(
        "float16",
        "rounded to bfloat16 on the way",
        "a storage format between two others",
        lambda x: x.astype(ml_dtypes.bfloat16).astype(np.float32),
    ),
    "float16_sign_of_zero_lost": CastFault(
        "float16",
        "-0 becomes 0",
        "a comparison with zero as a shortcut",
        lambda x: np.where(x == 0, np.float32(0), x),
        check="all_codes",
    ),
    "float16_sizes_alone": CastFault(
        "float16",
        "negative numbers are stored by their size",
        "tenstorrent/tt-metal#56327",
        np.abs,
    ),
    "float8_e4m3fn_saturates": CastFault(
        "float8_e4m3fn",
        "large numbers become 448, declared as nan",
        "libraries differ",
        lambda x: np.clip(x, np.float32(-448), np.float32(448)),
        check="edges",
    ),
    "float8_e4m3fn_wraps": CastFault(
        "float8_e4m3fn",
        "numbers beyond the range come back at its other end",
        "tenstorrent/tt-metal#56290",
        _wrapped,
        check="edges",
    ),
    "float8_e5m2_subnormals_flushed": CastFault(
        "float8_e5m2",
        "subnormal numbers become zero",
        "units that flush",
        lambda x: np.where(np.abs(x) < 2**-14, np.copysign(np.float32(0), x), x),
        check="all_codes",
    ),
    "float8_e5m2_ties_away": CastFault(
        "float8_e5m2",
        "midpoints go away from zero, not to the even code",
        "half added before cutting off",
        lambda x: np.where(np.isfinite(x), np.nextafter(x, np.copysign(np.float32(1e38), x)), x),
        check="thresholds",
    ),
}
