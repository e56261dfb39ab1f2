"""Number formats and quantizers: float64 references of encode and decode."""

from truestep.reference.block_formats import FORMATS
from truestep.reference.rules import Quantizer, complete, table

QUANTIZERS: dict[str, Quantizer] = table(
    __name__, Quantizer, "bfloat16", "dynamic_8bit", "float16", "float8_e4m3fn", "float8_e5m2"
) | complete(FORMATS, Quantizer)
