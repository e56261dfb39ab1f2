"""In which formats the C++ kernels keep states: a table, and which rules are judged with what."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from truestep.fast.protocol import Fixed, Level, OptimizerCapability, Storage
from truestep.reference.optimizers import OPTIMIZERS
from truestep.reference.splits import SPLITS

# No rule knows how its states are kept. One is judged with all of these that has a signed state and
# one that is never negative, and one with signed states alone; every other one with two.
RULES_JUDGED = ("adamw", "sgd")
EVERY = ("4bit", "e4m3")
# How many others each of these is judged with at level deep.
_IN_TURN = 3
_CODEBOOK: Mapping[str, Fixed] = {"block_size": (64, 128, 256, 1024, 4096, 32)}
_GROUP: Mapping[str, Fixed] = {"block_size": (128, 64, 32, 256)}


@dataclass(frozen=True, slots=True)
class Formats:
    """The block formats of signed states and of those never negative, and their choices."""

    signed: str
    nonnegative: str
    hyper: Mapping[str, Fixed] = field(default_factory=dict)


def _same(format: str, hyper: Mapping[str, Fixed] = {}) -> Formats:
    return Formats(format, format, hyper)


# Of each sort of rest, the rounding that libraries have.
_PARTS: Mapping[str, Fixed] = {
    "rest": ("bits", "fraction", "signed_bits"),
    "rounding": ("nearest_even", "nearest_away", "nearest_even"),
}
_DRAWN = {**_GROUP, "rounding": "stochastic"}
VARIANTS: Mapping[str, Formats] = {
    "4bit": Formats("dynamic_4bit", "linear_4bit", _CODEBOOK),
    "af4": _same("af4", _CODEBOOK),
    "e4m3": _same("e4m3_blocks", _GROUP),
    "e4m3_stochastic": _same("e4m3_blocks", _DRAWN),
    "e5m2": _same("e5m2_blocks", _GROUP),
    "fp4": _same("fp4", _CODEBOOK),
    "int4": _same("int4", _GROUP),
    "int4_stochastic": _same("int4", _DRAWN),
    "int8": _same("int8", _GROUP),
    "inverse_dynamic_8bit": Formats(
        "inverse_dynamic_8bit", "inverse_dynamic_8bit_unsigned", _CODEBOOK
    ),
    "linear_8bit": Formats("linear_8bit", "linear_8bit_unsigned", _CODEBOOK),
    "log_4bit": _same("log_4bit", _CODEBOOK),
    "log_8bit": _same("log_8bit", _CODEBOOK),
    "mxfp4": _same("mxfp4"),
    "mxfp6_e2m3": _same("mxfp6_e2m3"),
    "mxfp6_e3m2": _same("mxfp6_e3m2"),
    "mxfp8_e4m3": _same("mxfp8_e4m3"),
    "mxfp8_e5m2": _same("mxfp8_e5m2"),
    "mxint8": _same("mxint8"),
    "nf4": _same("nf4", _CODEBOOK),
    "nvfp4": _same("nvfp4"),
    "q4_0": _same("q4_0"),
    "q8_0": _same("q8_0"),
}


def capabilities(
    rule: str, dialect: Mapping[str, str], arithmetic: str, coded: tuple[str, ...]
) -> Iterator[OptimizerCapability]:
    """The rule with these states as codes; of RULES_JUDGED its parameters in other forms too."""
    if rule in RULES_JUDGED:
        yield from _parameters(rule, dialect, arithmetic)
    behaviour = OPTIMIZERS[rule].State.BEHAVIOUR
    for variant, level in _chosen(rule).items():
        formats = VARIANTS[variant]
        chosen = {
            name: formats.nonnegative if behaviour[name].nonnegative else formats.signed
            for name in coded
        }
        yield OptimizerCapability(
            rule=rule,
            arithmetic=arithmetic,
            dialect=dialect,
            variant=variant,
            level=level,
            storage={name: Storage(format, formats.hyper) for name, format in chosen.items()},
        )


def _chosen(rule: str) -> Mapping[str, Level]:
    """The variants of a rule, and the level from which on each is run.

    Of most rules those of EVERY, and at level deep a few that the rules take in turn.
    """
    if rule in RULES_JUDGED:
        return dict.fromkeys(VARIANTS, "standard")
    others = [variant for variant in VARIANTS if variant not in EVERY]
    at = list(OPTIMIZERS).index(rule) * _IN_TURN
    turn = [others[(at + k) % len(others)] for k in range(_IN_TURN)]
    return {**dict.fromkeys(turn, "deep"), **dict.fromkeys(EVERY, "standard")}


def _parameters(
    rule: str, dialect: Mapping[str, str], arithmetic: str
) -> Iterator[OptimizerCapability]:
    """The rule with parameters in float16, and in two parts."""
    yield OptimizerCapability(
        rule=rule, format="float16", arithmetic="float16_params", dialect=dialect, level="standard"
    )
    for split in SPLITS:
        yield OptimizerCapability(
            rule=rule,
            format="bfloat16",
            arithmetic=arithmetic,
            dialect=dialect,
            variant=split,
            level="standard",
            storage={"p": Storage(split, _PARTS)},
        )
