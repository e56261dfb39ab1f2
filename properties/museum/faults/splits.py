"""Faults in parameters that are kept in two parts, a bfloat16 and a rest."""

from collections.abc import Mapping
from functools import partial

from truestep.fast.protocol import Storage
from truestep.properties.museum.fault import Fault, fault
from truestep.properties.museum.faults.adamw import BEFORE
from truestep.properties.museum.plant import Edit
from truestep.reference import splits

# By what the rest is: the splits that libraries have, with their roundings.
KEPT: Mapping[str, Storage] = {
    "bits": Storage("bfloat16_rest16", {"rest": "bits"}),
    "few_bits": Storage("bfloat16_rest8", {"rest": "bits"}),
    "fraction": Storage("bfloat16_rest8", {"rest": "fraction", "rounding": "nearest_away"}),
    "signed_bits": Storage("bfloat16_rest16", {"rest": "signed_bits"}),
}
STORED = "return rest, with_sign(code, np.signbit(x))"
FRACTION = "return self._integer(h, y, random).astype(self.code_type(h)), high"
READ = "j = ((held & 0x7FFF) << self.bits) + np.asarray(code, np.int64)"
READ_FRACTION = "+ code / self.largest * half_spacing(high)"

# What the rest is; the fault's name; what is wrong; the edit.
_PLANTED: tuple[tuple[str, str, str, Edit], ...] = (
    (
        "bits",
        "rest_dropped",
        "the rest is stored as zero [parameters loaded without their optimizer's state]",
        (splits, STORED, STORED.replace("rest,", "0 * rest,")),
    ),
    (
        "bits",
        "rest_not_read",
        "the rest is not read [kernels that take the parameter for the number]",
        (splits, READ, READ.replace("code, np", "0 * code, np")),
    ),
    (
        "bits",
        "rest_of_neighbour",
        "the rest is the neighbour's [offsets of packed bytes]",
        (splits, STORED, STORED.replace("rest,", "np.roll(rest, 1),")),
    ),
    (
        "bits",
        "rest_read_as_signed",
        "the rest is read as a signed integer [int16 tensors of the low bits]",
        (splits, READ, READ.replace("code, np.int64)", "code).astype(np.int16)")),
    ),
    (
        "few_bits",
        "rest_cut_off",
        "the rest's lower bits are cut off where they are to be rounded [shifts]",
        (splits, "code = code + _up(h, cut_off, code, random)", "code = code + 0"),
    ),
    (
        "few_bits",
        "rest_wraps_around",
        "a rest that is rounded up to 2^8 becomes 0 without a carry [bytes rounded by themselves]",
        (
            splits,
            STORED,
            STORED.replace("code,", "self.wide.truncated(np.abs(x))[1] >> self.bits,"),
        ),
    ),
    (
        "fraction",
        "rest_dropped",
        "the fraction is stored as zero [states reset with the moments]",
        (splits, FRACTION, FRACTION.replace("self._integer", "0 * self._integer")),
    ),
    (
        "fraction",
        "rest_of_neighbour",
        "the fraction is the neighbour's [lanes exchanged]",
        (splits, FRACTION, FRACTION.replace("y, random", "np.roll(y, 1), random")),
    ),
    (
        "fraction",
        "rest_of_the_wrong_sign",
        "the rest is taken away where it is to be added [h - x for x - h]",
        (splits, READ_FRACTION, READ_FRACTION.replace("+", "-")),
    ),
    (
        "fraction",
        "high_cut_off",
        "the high part is cut off where it is to be the nearest [casts by shifting]",
        (
            splits,
            "return _value(bfloat16.FORMAT.encode(_IEEE, np.asarray(x, np.float64)))",
            "return _value(bfloat16.encode(bfloat16.Hyper(rounding='toward_zero'), x))",
        ),
    ),
    (
        "fraction",
        "whole_spacing",
        "the rest is a part of the spacing, not of half of it [ulp for half an ulp]",
        (splits, "np.maximum(exponent, -126) - 8", "np.maximum(exponent, -126) - 7"),
    ),
    (
        "signed_bits",
        "carry_lost",
        "the high part is not one larger where the rest is negative [the undone rounding not done]",
        (splits, STORED, STORED.replace("with_sign(code", "with_sign(j >> self.bits")),
    ),
    (
        "signed_bits",
        "carry_not_undone",
        "where the rest is negative the high part is read as it is [unsigned low bits]",
        (splits, READ, READ.replace("code, np.int64)", "code).astype(np.uint16)")),
    ),
)
planted = partial(
    fault, "adamw", "splits", dialect=BEFORE, format="bfloat16", arithmetic="ieee_float32"
)
SPLITS: dict[str, Fault] = {
    f"adamw_{rest}_{name}": planted(about, edit, storage={"p": KEPT[rest]})
    for rest, name, about, edit in _PLANTED
}
