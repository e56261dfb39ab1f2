"""Modules that rules share: through which rules a changed line of theirs is judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Judge:
    """A rule whose checks judge a change. declared: fields of the kernel's capability."""

    kind: str
    rule: str
    declared: Mapping[str, object] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.kind, self.rule, repr(self.declared)))


def _formats(*names: str) -> tuple[Judge, ...]:
    return tuple(Judge("quantizer", name) for name in names)


def _optimizers(*names: str) -> tuple[Judge, ...]:
    return tuple(Judge("optimizer", name) for name in names)


def _packed(**formats: str) -> tuple[Judge, ...]:
    return tuple(
        Judge("quantizer", format, {"packing": packing}) for packing, format in formats.items()
    )


def _limited(**least: float) -> tuple[Judge, ...]:
    """Formats whose kernel holds a limit below which no scale goes: nobody else draws one."""
    return tuple(
        Judge("quantizer", format, {"fixed": {"least": limit}}) for format, limit in least.items()
    )


# By module: the rules, those that use most of it first. What none of them executes as a kernel is
# the judge's own, as the bounds of formats are.
SHARED: dict[str, tuple[Judge, ...]] = {
    "affine_formats": (
        *_formats("uint4", "uint8_rows", "q4_1", "uint8_tensor"), *_limited(uint8=2.0**-7),
    ),
    "around": _formats("nf4_nested", "uint4", "q4_k"),
    "block_formats": _formats(
        "nf4", "int4", "mxfp4", "nvfp4", "e4m3_blocks", "q4_0", "bof4_s", "int8_rows"
    ),
    "block_groups": _formats(
        "nf4", "bof4_s", "int8_columns", "int8_rows", "mxfp4_tiles", "int8_tensor"
    ),
    "block_scales": (
        *_formats(
            "nf4", "int4", "mxfp4", "nvfp4", "nvfp4_two_level", "q4_0", "e4m3_blocks", "int8_rows"
        ),
        *_limited(nf4=2.0**-7, int4=2.0**-7),
    ),
    "companded_formats": (
        *_formats("softsign_8bit", "sqrt_8bit"),
        *_limited(softsign_8bit=2.0**-7, sqrt_8bit=2.0**-7),
    ),
    "element_tables": _formats(
        "nf4", "log_8bit", "dynamic_8bit_tensor", "dynamic_8bit_unsigned_tensor",
        "inverse_dynamic_8bit", "dynamic_4bit", "linear_8bit", "linear_8bit_unsigned",
        "linear_4bit", "int4", "int4_full", "mxint8", "fp4", "af4", "bof4", "bof4_s", "mxfp4",
        "mxfp6_e2m3", "mxfp6_e3m2", "mxfp8_e4m3", "mxfp8_e5m2", "nvfp4",
    ),
    "factors": _optimizers("shampoo", "kfac", "soap", "kbfgs"),
    "float_zero_points": (
        *_formats("uint4_float_zero", "uint8_float_zero"), *_limited(uint8_float_zero=2.0**-7),
    ),
    "four_over_six": _formats("nvfp4"),
    "integer_nested": _formats("nf4_integer_nested"),
    "k_quants": _formats("q4_k", "q5_k", "q6_k"),
    "line_search": (Judge("minimizer", "lbfgs"),),
    "log_ranges": _formats("log_range_4bit", "log_range_8bit"),
    "nested_formats": _formats("nf4_nested", "fp4_nested"),
    "newton_schulz": _optimizers("muon", "normuon"),
    "packing": _packed(
        awq="int4", gptq="int4", pack_quantized="int4", pairs_high_first="nf4",
        pairs_low_first="mxfp4", q4_0="q4_0", q4_k="q4_k", q5_0="q5_0", q5_k="q5_k", q6_k="q6_k",
    ),
    "powers_of_two": _formats("float8_e8m0fnu", "mxfp4"),
    "quantile_maps": _formats("quantile_8bit"),
    "rank_one": _formats("dynamic_4bit_rank1", "linear_4bit_rank1"),
    "small_float": _formats(
        "float8_e4m3fn", "float16", "float4_e2m1fn", "float8_e4m3fnuz", "nvfp4"
    ),
    "stages": (
        Judge("schedule", "linear"), Judge("schedule", "inverse_time"),
        *_optimizers("muon", "shampoo"),
    ),
}  # fmt: skip

# Modules of which no kernel computes with a line, and what they are.
UNSHARED = {
    "advance": "runs a rule's lines, of which it has none",
    "compositions": "proofs about sums and products of schedules",
    "declared": "ranges of hyperparameters and what is known of a state",
    "erring_extremes": "bounds of formats: the judge's",
    "exponents": "comparisons in the proofs about schedules",
    "format_rows": "the rows of formats: facts, each of which the format's own tests state again",
    "importing": "loads files that the caller names",
    "own": "puts rules of one's own into the tables",
    "robbins_monro": "proofs about schedules",
    "rules": "what a rule has",
    "silence": "puts NumPy's warnings off",
    "splits": "numbers in two parts, which keep a state; faults of theirs are planted by name",
    "storages": "the table of what may keep a state",
    "stored_arrays": "formats and shapes of what is stored",
    "tables": "the tables of rules",
    "validation": "ranges of hyperparameters",
}
