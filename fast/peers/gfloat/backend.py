"""gfloat: round_ndarray and encode_ndarray from float32 to the small formats, decode_ndarray back.

Arithmetic: an array is rounded in the format that it comes in, once. What a format has no number
for is, by the documentation, an error: nans in the formats of numbers alone and negative numbers
in that of powers of two are left out here, and zeros stand in their place. Drawn
roundings take sixteen random bits for a number.
"""

from collections.abc import Mapping

import numpy as np
from gfloat import RoundMode, decode_ndarray, encode_ndarray, formats, round_ndarray

from truestep.fast.protocol import Array, QuantizerCapability
from truestep.reference.declared import Hyper

FORMATS = {
    "bfloat16": formats.format_info_bfloat16,
    "float16": formats.format_info_binary16,
    "float4_e2m1fn": formats.format_info_ocp_e2m1,
    "float6_e2m3fn": formats.format_info_ocp_e2m3,
    "float6_e3m2fn": formats.format_info_ocp_e3m2,
    "float8_e4m3fn": formats.format_info_ocp_e4m3,
    "float8_e5m2": formats.format_info_ocp_e5m2,
    "float8_e8m0fnu": formats.format_info_ocp_e8m0,
}
POWERS = "float8_e8m0fnu"
ROUNDINGS = {
    "nearest_even": RoundMode.TiesToEven,
    "nearest_away": RoundMode.TiesToAway,
    "toward_zero": RoundMode.TowardZero,
    "up": RoundMode.TowardPositive,
    "down": RoundMode.TowardNegative,
    "stochastic": RoundMode.Stochastic,
}
# Those of powers of two, none of which is negative.
OF_POWERS = {
    "nearest_even": RoundMode.TiesToEven,
    "nearest_up": RoundMode.TiesToAway,
    "down": RoundMode.TowardZero,
    "up": RoundMode.TowardPositive,
    "stochastic": RoundMode.Stochastic,
}
# Random bits of stochastic rounding, as many as a float32 has beyond a bfloat16.
BITS = 16


class Backend:
    """Formats by their descriptions, the rounding and the saturation flag by the dialect."""

    name = "gfloat"

    def __init__(self) -> None:
        self.draws = np.random.default_rng(0)

    def capabilities(self) -> tuple[QuantizerCapability, ...]:
        """Every format saturated or not, where it can be, and in every rounding."""
        declared = [
            *((format, "saturated", {"overflow": "saturate"}) for format in FORMATS),
            *(
                (format, "" if rounding == "nearest_even" else rounding, {"rounding": rounding})
                for format in FORMATS
                for rounding in (OF_POWERS if format == POWERS else ROUNDINGS)
            ),
        ]
        return tuple(
            QuantizerCapability(
                rule=format,
                dialect=_dialect(format, dialect),
                variant=variant,
                random_bits=BITS if variant == "stochastic" else 0,
            )
            for format, variant, dialect in declared
            if FORMATS[format].num_nans or "overflow" not in dialect
        )

    def encode(self, capability: QuantizerCapability, hyper: Hyper, x: Array) -> dict[str, Array]:
        """The codes of x rounded."""
        info = FORMATS[capability.rule]
        rounding = (OF_POWERS if capability.rule == POWERS else ROUNDINGS)[hyper.rounding]
        saturated = not info.num_nans or hyper.overflow == "saturate"
        known = ~np.isnan(x) if not info.num_nans else np.isnan(x) | (x >= 0) | info.is_signed
        drawn = {}
        if rounding is RoundMode.Stochastic:
            drawn = {"srbits": self.draws.integers(0, 2**BITS, x.shape), "srnumbits": BITS}
        with np.errstate(all="ignore"):
            given = np.where(known, x, np.float32(0))
            near = round_ndarray(info, given, rounding, saturated, **drawn)
            code = encode_ndarray(info, near)
        # A code that is none stays none, or the last: cut to its low bits it might look right.
        unsigned = np.uint8 if info.k <= 8 else np.uint16
        return {"code": np.minimum(code, np.iinfo(unsigned).max).astype(unsigned)}

    def decode(
        self, capability: QuantizerCapability, hyper: Hyper, stored: Mapping[str, Array]
    ) -> Array:
        """The float32 values of the codes."""
        with np.errstate(all="ignore"):
            back: Array = decode_ndarray(FORMATS[capability.rule], stored["code"])
            return back.astype(np.float32)


def _dialect(format: str, dialect: Mapping[str, str]) -> Mapping[str, str]:
    if format == POWERS:
        free = {"negative": "undefined", "rounding": "nearest_even", "zero": "least"}
        return {**free, **dialect}
    return dialect if FORMATS[format].num_nans else {"nan": "undefined", **dialect}
