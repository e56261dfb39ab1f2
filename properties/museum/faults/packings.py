"""Faults in how codes are packed: changed facts and lines of the reference's packings."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault
from truestep.reference import packing

fp4 = partial(fault, "fp4", "quantizer", fixed={"block_size": 64})
int4 = partial(fault, "int4", "quantizer")
mxfp4 = partial(fault, "mxfp4", "quantizer")
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
        check="strata",
    ),
    "mxfp4_nibbles_swapped": mxfp4(
        "the first code of a pair has the higher half of the byte "
        "[the other order of bitsandbytes]",
        (
            packing,
            "(Field(0, 4, 0, ((2, 4),)),), arranged",
            "(Field(0, 4, 4, ((2, -4),)),), arranged",
        ),
        packing="pairs_low_first",
    ),
    "q4_0_pairs_in_line": partial(fault, "q4_0", "quantizer")(
        "a byte has two codes that follow one another [packings of other libraries]",
        (packing, "(Field(0, 4, 0, ((2, 4), (16, 8))),)", "(Field(0, 4, 0, ((16, 8), (2, 4))),)"),
        packing="q4_0",
    ),
    "q4_k_pairs_in_line": partial(fault, "q4_k", "quantizer")(
        "a byte has two codes that follow one another [packings of other libraries]",
        (packing, "((4, 256), (2, 4), (32, 8))", "((4, 256), (32, 8), (2, 4))"),
        packing="q4_k",
    ),
    "q6_k_highest_bits_from_the_top": partial(fault, "q6_k", "quantizer")(
        "of four codes the first has the highest two bits of a byte [shifts counted down]",
        (packing, "Field(4, 2, 1024, ((2, 256), (4, 2)", "Field(4, 2, 1030, ((2, 256), (4, -2)"),
        packing="q6_k",
    ),
    "nf4_nibbles_swapped": nf4(
        "the first code of a pair has the lower half of the byte "
        "[the other order of torchao's MX formats]",
        (packing, "4, ((2, -4),)", "0, ((2, 4),)"),
        computes="nf4 with codes packed as pairs_low_first",
        packing="pairs_high_first",
    ),
}
