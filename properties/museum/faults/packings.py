"""Faults in how codes are packed: changed facts and lines of the reference's packings."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault
from truestep.reference import packing

fp4 = partial(fault, "fp4", "quantizer", fixed={"block_size": 64})
int4 = partial(fault, "int4", "quantizer")
nf4 = partial(fault, "nf4", "quantizer", fixed={"block_size": 64})

PACKINGS: dict[str, Fault] = {
    "fp4_last_nibble_dropped": fp4(
        "of an odd number of codes the last is not stored [n // 2 bytes allocated]",
        (packing, "places[:rest]", "places[: rest - rest % 2]"),
        packing="pairs_high_first",
    ),
    "int4_last_word_of_seven_lost": int4(
        "a last word of seven codes is lost [the tail of 8 n - 1 numbers]",
        (
            packing,
            "flags = flags.reshape(-1, places.size)",
            "flags = flags.reshape(-1, places.size)\n    flags[-1:] *= columns % span != span - 1",
        ),
        packing="awq",
        check="strata",
    ),
    "int4_offset_forgotten": int4(
        "integers are packed in two's complement [masks in the place of the added offset]",
        (packing, "if packing.excess and signed else 0", "if False else 0"),
        computes="int4 with codes packed as pack_quantized without its offset",
        packing="pack_quantized",
    ),
    "int4_packed_in_line": int4(
        "eight codes lie in the order of the columns [casper-hansen/AutoAWQ: packing for GPTQ's "
        "kernels]",
        (packing, "((4, 4), (2, 16))", "((8, 4),)"),
        packing="awq",
    ),
    "nf4_nibbles_swapped": nf4(
        "the first code of a pair has the lower half of the byte "
        "[the other order of torchao's MX formats]",
        (packing, "4, ((2, -4),)", "0, ((2, 4),)"),
        computes="nf4 with codes packed as pairs_low_first",
        packing="pairs_high_first",
    ),
}
