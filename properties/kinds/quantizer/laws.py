"""Laws of quantizers: of formats with a scale for every group, and of casts to small floats.

What the literature and the libraries state, and where it is here:

    encoding decoded values gives the codes again; a projection     idempotent
    ascending numbers have ascending values                         monotone, monotone_in_a_group
    negation                                                        odd
    zero stays zero                                                 zero_stays_zero
    the extreme is kept exactly, or to the rounding of its scale    extreme_kept
    the error is at most half of the gap, or what was cut off       nearest_value_taken
    a power of two passes into the scale                            codes_unchanged_when_scaled...,
                                                                    exponent_shifts_when_scaled...,
                                                                    code_is_one_higher_when_doubled
    groups do not see one another                                   groups_are_independent
    elements may change places in their group                       equivariant_under_permutation
    tensors of whole blocks may be joined                           equivariant_under_concatenation
    strides and shapes of one C order do not matter                 independent_of_layout
    OCP's floor rule fills the top binade of the elements           extreme_in_the_top_binade

Any other factor moves codes at thresholds alone, which ``admissible`` says of every element; codes
beside every scale, and so packing, are the family every_code; unbiased and two-valued draws are the
families frequency and random; what a step makes of stored moments is a law of optimizers. Narrower
inputs are handed over in float32, so that nothing is to be said of them. Where a statement does not
hold of a format, a test has the number that shows it.
"""

from collections.abc import Callable, Mapping

import numpy as np

from truestep.fast.protocol import Level, QuantizerCapability
from truestep.properties.kinds.quantizer.families import is_stochastic
from truestep.properties.kinds.quantizer.statements import (
    code_is_one_higher_when_doubled,
    codes_unchanged_when_scaled_by_a_power_of_two,
    equivariant_under_concatenation,
    equivariant_under_permutation,
    exponent_shifts_when_scaled_by_a_power_of_two,
    extreme_in_the_top_binade,
    extreme_kept,
    groups_are_independent,
    idempotent,
    independent_of_layout,
    kept_as,
    monotone,
    monotone_in_a_group,
    nearest_value_taken,
    odd,
    signed,
    signed_scale,
    zero_stays_zero,
)
from truestep.properties.kinds.quantizer.step import Encoded, Subject
from truestep.properties.laws.claims import Claims, by_name
from truestep.reference.declared import Hyper
from truestep.reference.quantizers import QUANTIZERS
from truestep.reference.rules import Quantizer
from truestep.reference.small_float import DIRECTED

# Numbers of examples of a law by level.
EXAMPLES: Mapping[Level, int] = {"smoke": 2, "standard": 6, "deep": 200}

Law = Callable[[Subject, Hyper, Encoded], Claims]


def _is_odd(rule: Quantizer, h: Hyper) -> bool:
    """Whether every value has its negative and ties are symmetric, or a scale takes the sign."""
    values = rule.all_values(h)
    values = np.sort(values[np.isfinite(values)])
    even = getattr(h, "ties", "toward_zero") == "toward_zero"
    return signed_scale(rule) or (np.array_equal(values, -values[::-1]) and even)


def _keeps_extremes(rule: Quantizer, h: Hyper) -> bool:
    plain = getattr(h, "kept", "quotient") == "quotient" and getattr(h, "power", "none") == "none"
    return plain and kept_as(rule) in ("absmax", "float32") and _takes_nearest(rule, h)


def _takes_nearest(rule: Quantizer, h: Hyper) -> bool:
    # Rounded to float16, a scale is not what was divided by.
    return getattr(h, "rounding", "") != "toward_zero" and kept_as(rule) != "float16"


def _has_zero(rule: Quantizer, h: Hyper) -> bool:
    return bool(np.any(rule.all_values(h) == 0))


# Which laws hold of which formats with groups, and in which of their dialects.
NEEDS: Mapping[str, Callable[[Quantizer, Hyper], bool]] = {
    "codes_unchanged_when_scaled_by_a_power_of_two": lambda rule, h: bool(rule.SCALES),
    "equivariant_under_concatenation": lambda rule, h: bool(rule.INDEPENDENT),
    "exponent_shifts_when_scaled_by_a_power_of_two": lambda rule, h: kept_as(rule) == "e8m0",
    "extreme_in_the_top_binade": lambda rule, h: getattr(h, "rule", "") == "floor",
    "extreme_kept": _keeps_extremes,
    # Of a value times a rounded scale the quotient may be cut off to the next value.
    "idempotent": lambda rule, h: getattr(h, "rounding", "") != "toward_zero" or bool(rule.EXACT),
    "nearest_value_taken": _takes_nearest,
    "odd": _is_odd,
    "zero_stays_zero": _has_zero,
}
BLOCK_LAWS: dict[str, Law] = by_name(
    codes_unchanged_when_scaled_by_a_power_of_two,
    equivariant_under_concatenation,
    equivariant_under_permutation,
    exponent_shifts_when_scaled_by_a_power_of_two,
    extreme_in_the_top_binade,
    extreme_kept,
    groups_are_independent,
    idempotent,
    independent_of_layout,
    monotone_in_a_group,
    nearest_value_taken,
    odd,
    zero_stays_zero,
)
CAST_LAWS: dict[str, Law] = by_name(
    equivariant_under_permutation, idempotent, independent_of_layout, monotone, odd, zero_stays_zero
)
POWER_LAWS: dict[str, Law] = by_name(
    code_is_one_higher_when_doubled,
    equivariant_under_permutation,
    idempotent,
    independent_of_layout,
    monotone,
)
LAWS: dict[str, Law] = BLOCK_LAWS | CAST_LAWS | POWER_LAWS


def laws_of(capability: QuantizerCapability) -> Mapping[str, Law]:
    """The laws that hold for a capability: for none that draws its roundings."""
    if is_stochastic(capability):
        return {}
    rule = QUANTIZERS[capability.rule]
    if not rule.BLOCKS and not signed(rule):
        return POWER_LAWS
    h = rule.Hyper(**capability.dialect)
    if not rule.BLOCKS:
        odd = h.rounding not in DIRECTED
        return {name: law for name, law in CAST_LAWS.items() if odd or name != "odd"}
    # What a format with more than a scale to a group has of them, it says.
    own = {name: law for name, law in BLOCK_LAWS.items() if name in getattr(rule, "LAWS", LAWS)}
    return {name: law for name, law in own.items() if NEEDS.get(name, _always)(rule, h)}


def _always(rule: Quantizer, h: Hyper) -> bool:
    return True
