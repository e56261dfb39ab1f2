"""The quantizers that the C++ kernels offer: casts, block formats, and each of their choices."""

from collections.abc import Iterator, Mapping

from truestep.fast.ours import formats
from truestep.fast.protocol import Capability, Fixed, Level, QuantizerCapability
from truestep.reference.affine_formats import FORMATS as AFFINE
from truestep.reference.format_rows import ROWS
from truestep.reference.quantizers import QUANTIZERS as REFERENCES

STRICT = "ieee_float32_strict"
# Random bits of a drawn rounding: the comparison is in float32, or of a fraction of 23 bits.
RANDOM_BITS = 23
CASTS = tuple(sorted(name for name, rule in REFERENCES.items() if not rule.BLOCKS))
# Lengths of blocks where the format leaves them open: powers of two, which share no byte.
BLOCK_SIZES = (64, 128, 256, 1024, 4096, 32)
# Choices are facts like any other, whose elements do not matter: of formats with the same choices
# one is offered with all of them.
_WITH_CHOICES = (
    "e4m3_blocks", "e4m3_tiles", "int4", "int8_rows", "linear_8bit_tensor", "mxfp4", "nf4",
    "nvfp4", "nvfp4_two_level", "q4_0", "q4_1", "q8_0", "uint4", "uint8_rows",
)  # fmt: skip


# One format of each sort is run at level smoke already.
_FIRST = ("bfloat16", "e4m3_blocks", "float8_e4m3fn", "mxfp4", "nf4")


def _level(rule: str, variant: str) -> Level:
    return "standard" if variant or rule not in _FIRST else "smoke"


def _random_bits(dialect: Mapping[str, str]) -> int:
    return RANDOM_BITS if dialect.get("rounding") == "stochastic" else 0


def _casts() -> Iterator[Capability]:
    for rule in CASTS:
        yield from (
            QuantizerCapability(
                rule=rule,
                arithmetic=STRICT,
                dialect=dialect,
                variant=variant,
                level=_level(rule, variant),
                random_bits=_random_bits(dialect),
            )
            for variant, dialect in _choices(rule)
        )


def _blocks() -> Iterator[Capability]:
    for rule in sorted((*ROWS, *AFFINE)):
        fixed: dict[str, Fixed] = {}
        if "block_size" in REFERENCES[rule].Hyper.RANGES:
            fixed["block_size"] = BLOCK_SIZES
        for variant, dialect in _choices(rule):
            # Scale rules depend on the elements' precision and largest value.
            if not variant or rule in _WITH_CHOICES or "rule" in dialect:
                yield QuantizerCapability(
                    rule=rule,
                    arithmetic=STRICT,
                    dialect=dialect,
                    variant=variant,
                    fixed=fixed,
                    packing="pairs_high_first" if formats.is_packed(rule) else "",
                    level=_level(rule, variant),
                    random_bits=_random_bits(dialect),
                )


def _choices(rule: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The defaults, and each choice that departs from them in one field, with its name."""
    yield "", {}
    hyper = REFERENCES[rule].Hyper()
    for field, values in hyper.CHOICES.items():
        for value in values:
            if value != getattr(hyper, field):
                yield f"{field}_{value}", {field: value}


QUANTIZERS: tuple[Capability, ...] = (
    *_casts(),
    QuantizerCapability(rule="dynamic_8bit", arithmetic=STRICT, fixed={"absmax_floor": 0.0}),
    *_blocks(),
)
