"""The faults that kernels of formats have, by family: where each is planted, or why not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from truestep.properties.museum import FAULTS
from truestep.properties.museum.fault import Fault
from truestep.properties.museum.faults.blocks import PLANTED, made
from truestep.properties.run.plan import checks_of, run_check
from truestep.properties.search import exploration
from truestep.reference.format_rows import ROWS
from truestep.reference.quantizers import QUANTIZERS

# By family its formats; of block formats, whose one body has its faults by row, some.
CASTS = tuple(sorted(name for name, rule in QUANTIZERS.items() if not rule.BLOCKS))
FAMILIES: dict[str, tuple[str, ...]] = {
    "affine": ("uint4", "uint4_rows", "uint4_tensor", "uint8", "uint8_rows", "uint8_tensor"),
    "casts": CASTS,
    "codebooks": ("bof4_s", "dynamic_4bit", "fp4", "linear_8bit", "log_8bit", "nf4"),
    "companded": ("softsign_8bit", "sqrt_8bit"),
    "dynamic": ("dynamic_8bit",),
    "float_zero_points": ("uint4_float_zero", "uint8_float_zero"),
    "ggml": ("q4_0", "q5_0", "q8_0"),
    "ggml_minima": ("q4_1", "q5_1"),
    "integers": ("int2", "int4", "int8", "int8_columns", "int8_tensor"),
    "k_quants": ("q4_k", "q5_k", "q6_k"),
    "log_ranges": ("log_range_4bit", "log_range_8bit"),
    "mx": ("mxfp4", "mxfp4_tiles", "mxfp6_e2m3", "mxfp8_e4m3", "mxfp8_e5m2", "mxint8"),
    "nested": ("fp4_nested", "nf4_integer_nested", "nf4_nested"),
    "nvfp4": ("nvfp4", "nvfp4_tiles", "nvfp4_two_level"),
    "rank_one": ("dynamic_4bit_rank1", "linear_4bit_rank1"),
    "scaled_floats": ("e4m3_blocks", "e4m3_rows", "e4m3_tiles", "e5m2_tensors"),
}
BLOCKS = ("codebooks", "ggml", "integers", "mx", "nvfp4", "scaled_floats")
# Why a fault cannot exist, or cannot be told from a right kernel.
NO_GROUPS = "a cast has no groups"
SLACK = "what is rounded is the sum of others, so that on a tie either code is right"
FREE = "scales are free, and codes are judged from the kernel's own"
NO_ZERO = "no code is a zero of a sign"
NO_DRAWS = "nothing is drawn"


def _blocks(planted: str, **others: str) -> dict[str, str]:
    return {**dict.fromkeys(BLOCKS, f"*{planted}"), **others}


# By fault and family: the end of a fault's name, "*" before one of those planted by row; or, with
# spaces, why there is none.
TABLE: dict[str, dict[str, str]] = {
    "ties away from zero": _blocks(
        "ties_away", affine="ties_away", casts="ties_away", dynamic="ties_up", nested="ties_away",
        rank_one="ties_away", companded=SLACK, float_zero_points=SLACK, ggml=SLACK,
        ggml_minima=SLACK, k_quants=FREE, log_ranges=SLACK,
    ),
    "truncation": _blocks(
        "truncated", affine="truncated", casts="truncates", companded="truncated",
        float_zero_points="truncated", k_quants="truncated", log_ranges="truncated",
        ggml_minima="truncated", nested="truncated", rank_one="truncated",
    ),
    "a threshold off": _blocks(
        "threshold_off", casts="threshold_one_ulp_up", dynamic="threshold_one_ulp_up",
        log_ranges="threshold_off", nested="threshold_off", rank_one="threshold_off", ggml=SLACK,
    ),
    "one wrong code value": _blocks(
        "wrong_value", affine="wrong_value", casts="one_value", dynamic="value_off_by_6e-7",
        log_ranges="one_step_more", companded="one_step_more", nested="wrong_value",
        ggml_minima="wrong_value", rank_one="wrong_value", k_quants="middle_left_out",
    ),
    "a map with a doubled or a missing value": _blocks(
        "missing_value", dynamic="one_missing_from_the_map", casts="two_codes_exchanged",
        nested="missing_value", rank_one="missing_value", companded="one_step_more",
    ),
    "an extreme that ignores the last element": _blocks(
        "extreme_without_last", affine="ends_without_last", casts=NO_GROUPS,
        companded="extreme_without_last", dynamic="absmax_without_last",
        ggml_minima="ends_without_last", k_quants=FREE,
        log_ranges="last_without_a_say", nested="extreme_without_last",
        rank_one="extreme_without_last",
    ),
    "an extreme in bfloat16": _blocks(
        "extreme_in_bfloat16", affine="ends_in_bfloat16", casts=NO_GROUPS,
        dynamic="absmax_in_bfloat16", k_quants=FREE, nested="extreme_in_bfloat16",
    ),
    "the neighbour's scale": _blocks(
        "neighbours_scale", affine="neighbours_scale", casts=NO_GROUPS,
        dynamic="next_blocks_scale", log_ranges="neighbours_ends", nested="neighbours_scale",
        float_zero_points="neighbours_zero_point", rank_one="column_alone",
    ),
    "nibbles swapped, and other orders": {
        "codebooks": "nibbles_swapped", "ggml": "pairs_in_line", "integers": "packed_in_line",
        "k_quants": "pairs_in_line", "mx": "nibbles_swapped",
    },
    "a zero point off by one": {
        "affine": "zero_point_off_by_one", "float_zero_points": "middle_off_by_one",
    },
    "a zero point of the wrong sign": {
        "affine": "zero_point_of_the_wrong_sign", "k_quants": "min_added",
    },
    "E8M0 rounded to nearest, or twice": {"casts": "up", "mx": "*exponent_rounded"},
    "E8M0 off by one": {"casts": "bias_of_126", "mx": "*exponent_off_by_one"},
    "E8M0 of a subnormal": {"casts": "multiples_of_the_least", "mx": "*exponent_of_subnormals"},
    "a scale after rounding": _blocks(
        "unscaled", affine="unscaled", casts=NO_GROUPS, nested="unscaled", rank_one="unscaled",
    ),
    "saturation to nan": {"casts": "finite", "mx": "*kept_above_the_range"},
    "saturation in the place of nan": {"casts": "saturates"},
    "one seed for all": {"casts": "seed_shared_by_calls", "codebooks": NO_DRAWS,
                         "mx": "draw_of_block"},
    "a lost carry": {"casts": "lost_carry", "mx": "carry_lost", "integers": "no exponent"},
    "a bias of 2^-9": {"casts": "biased_by_2_to_the_minus_9", "integers": "draws_biased"},
    "the second level dropped": {"nested": "offset_dropped"},
    "every 64th group zeroed": _blocks(
        "block_zeroed", affine="block_zeroed", casts=NO_GROUPS, nested="block_zeroed",
        k_quants=FREE,
    ),
    "the sign of zero lost": {
        "affine": NO_ZERO, "casts": "sign_of_zero_lost", "codebooks": "*sign_of_zero_lost",
        "integers": NO_ZERO, "mx": "*sign_of_zero_lost", "nvfp4": "*sign_of_zero_lost",
        "scaled_floats": "*sign_of_zero_lost",
    },
}  # fmt: skip


def cells() -> Iterator[tuple[str, str, str]]:
    """The fault, the family and where it is planted."""
    for fault, families in TABLE.items():
        for family, where in families.items():
            if " " not in where:
                yield fault, family, where


def planted(family: str, where: str) -> list[Fault]:
    """The faults of a cell, each in a format of the family."""
    formats = FAMILIES[family]
    if where.startswith("*"):
        sort = PLANTED[where[1:]]
        return [made(row, sort) for row in formats if sort.of(ROWS[row])]
    names = (f"{format}_{where}" for format in formats)
    return [FAULTS[name] for name in names if name in FAULTS]


def test_every_fault_is_somewhere_and_every_family_has_some() -> None:
    """No cell is empty and no name is stale."""
    reached = {family for _, family, _ in cells()}
    assert reached == set(FAMILIES)
    for fault, family, where in cells():
        assert planted(family, where), (fault, family, where)


@pytest.mark.power
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("fault", "family", "where"), list(cells()))
def test_its_check_finds_it(
    fault: str, family: str, where: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check that is named for it, whatever is drawn."""
    monkeypatch.setattr(exploration, "SIMPLER", 0)
    found = planted(family, where)
    # One format of a family for each seed: the body of all of them is one.
    chosen = found[seed % len(found)]
    backend = chosen.backend()
    (check,) = (check for check in checks_of(backend) if check.name == chosen.check)
    result = run_check(backend, check, level="standard", seed=seed, told=False)
    assert result.verdict == "fail", f"{fault} in {chosen.rule}: {result.message}"
