"""Number formats and quantizers: float64 references of encode and decode."""

from truestep.reference import (
    affine_formats,
    block_formats,
    companded_formats,
    float_zero_points,
    integer_nested,
    k_quants,
    log_ranges,
    nested_formats,
    quantile_maps,
    rank_one,
)
from truestep.reference.rules import Quantizer, complete, table

# Formats that are rows of facts, each table with the one body of its own.
FORMATS = dict(
    sorted(
        (
            block_formats.FORMATS
            | affine_formats.FORMATS
            | companded_formats.FORMATS
            | float_zero_points.FORMATS
            | integer_nested.FORMATS
            | k_quants.FORMATS
            | log_ranges.FORMATS
            | nested_formats.FORMATS
            | quantile_maps.FORMATS
            | rank_one.FORMATS
        ).items()
    )
)
QUANTIZERS: dict[str, Quantizer] = table(
    __name__,
    Quantizer,
    "bfloat16",
    "dynamic_8bit",
    "float16",
    "float4_e2m1fn",
    "float6_e2m3fn",
    "float6_e3m2fn",
    "float8_e3m4",
    "float8_e4m3",
    "float8_e4m3b11fnuz",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
) | complete(FORMATS, Quantizer)
