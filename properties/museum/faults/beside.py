"""Faults in formats with a body of their own: affine, K-quants, nested, rank-1, curves, ranges."""

from truestep.properties.museum.fault import Fault, fault
from truestep.properties.museum.plant import Edit

AFFINE = ("uint4", "uint4_rows", "uint4_tensor", "uint8", "uint8_rows", "uint8_tensor")
SMALLER, WITH_MINIMA, NESTED = ("q4_1", "q5_1"), ("q4_k", "q5_k"), ("fp4_nested", "nf4_nested")
RANK_ONE = ("dynamic_4bit_rank1", "linear_4bit_rank1")
FLOAT_ZERO = ("uint4_float_zero", "uint8_float_zero")
INTEGERS = ("nf4_integer_nested",)
COMPANDED = ("softsign_8bit", "sqrt_8bit")
RANGES = ("log_range_4bit", "log_range_8bit")
ZERO = "zero_point = self._limited(self._plain(h, -low, wide, 0))"
GIVEN = "for held in (wide, zero_point))"
FACTORS = "d, dmin, scale, least = held"
OFFSET = "spread.astype(np.float32) + np.asarray(offset).astype(np.float32)"
SECOND = "np.asarray(absmax2, np.float64)"


# In which formats; the fault's name; what is wrong; the edit; the check that is to catch it.
_PLANTED: tuple[tuple[tuple[str, ...], str, str, Edit, str], ...] = (
    (
        AFFINE, "zero_point_off_by_one",
        "zero points are one too large [GPTQ's checkpoints, which keep them less one]",
        (ZERO, ZERO.replace("0))", "0) + 1)")), "random",
    ),
    (
        AFFINE, "zero_point_of_the_wrong_sign",
        "zero points are the quotient of the least number, not of its negative "
        "[conversions to signed codes]",
        (ZERO, ZERO.replace("-low", "low")), "random",
    ),
    (
        AFFINE, "zero_point_added_on_reading",
        "the zero point is added where it is to be taken away [dequantizers of signed codes]",
        ("(code - second) * s", "(code + second) * s"), "every_code",
    ),
    (
        ("uint4", "uint4_rows", "uint8", "uint8_rows"), "neighbours_zero_point",
        "codes have the next group's zero point [group indices off by one]",
        (GIVEN, "for held in (wide, np.append(zero_point[1:], zero_point[-1:])))"), "strata",
    ),
    (
        SMALLER, "scale_and_min_exchanged",
        "scale and minimum change places [readers that take d for m]",
        ("return code * s + second", "return code * second + s"), "every_code",
    ),
    (
        SMALLER, "min_dropped",
        "codes are those of x and not of what x is above the minimum [Q4_0's lines copied]",
        ("np.floor(np.where(s > 0, x - m, 0.0)", "np.floor(np.where(s > 0, x, 0.0)"), "random",
    ),
    (
        SMALLER, "scale_rounded_first",
        "the scale is rounded to float16 before x is divided by it "
        "[encoders that use the scale they store]",
        ("/ np.where(s > 0, s, 1.0) + 0.5",
         "/ np.where(s > 0, np.maximum(s.astype(np.float16), 2.0**-24), 1.0) + 0.5"), "random",
    ),
    (
        WITH_MINIMA, "scale_and_min_exchanged",
        "scales and minima of parts change places [readers that unpack six bits]",
        (FACTORS, "d, dmin, least, scale = held"), "every_code",
    ),
    (
        WITH_MINIMA, "min_added",
        "minima are added [readers that take dmin for a minimum, not for its size]",
        ("return v - m if", "return v + m if"), "every_code",
    ),
    (
        (*WITH_MINIMA, "q6_k"), "truncated",
        "codes are cut off, not rounded [casts that drop the lower bits]",
        ("np.clip(np.rint(q) + self.middle", "np.clip(np.floor(q) + self.middle"), "random",
    ),
    (
        (*WITH_MINIMA, "q6_k"), "least_part_s_scale",
        "d is made for the least of a block's parts [reductions that start at the wrong end]",
        ("(sizes.max(axis=-1, initial=0.0) / most)", "(sizes.min(axis=-1) / most)"), "random",
    ),
    (
        WITH_MINIMA, "minima_left_at_zero",
        "minima are zero, so that what is negative is lost [encoders that fill scales alone]",
        ("self._shared(depth, most)", "self._shared(0 * depth, most)"), "random",
    ),
    (
        WITH_MINIMA, "grid_too_wide",
        "a part's step is a twentieth too wide [ranges with a margin]",
        ("return (high - low) / (len(", "return 1.05 * (high - low) / (len("), "strata",
    ),
    (
        ("q6_k",), "middle_left_out",
        "codes are read as they are, without the 32 below [readers of Q6_K]",
        ("- self.middle) * s", "- 0) * s"), "every_code",
    ),
    (
        RANK_ONE, "larger_scale",
        "of a row's and a column's scale the larger is taken [min and max mixed up]",
        ("np.minimum(rows", "np.maximum(rows"), "strata",
    ),
    (
        RANK_ONE, "column_alone",
        "an element has its column's scale [normalization by one axis]",
        ("np.minimum(rows.reshape(", "np.minimum(np.full(n, np.inf).reshape("), "strata",
    ),
    (
        NESTED, "offset_dropped",
        "the mean is not added to what is read of absmax [loaders that keep no offset]",
        (OFFSET, "spread.astype(np.float32)"), "every_code",
    ),
    (
        NESTED, "second_level_dropped",
        "absmax2 is not read [bitsandbytes-foundation/bitsandbytes#1549]",
        (SECOND, "np.ones(np.shape(absmax2))"), "every_code",
    ),
    (
        NESTED, "first_for_mean",
        "the offset is the first absmax [reductions whose first lane alone writes]",
        ("mean_of(absmax), np.float32)", "absmax[:1].sum(), np.float32)"), "random",
    ),
    (
        NESTED, "neighbours_absmax2",
        "absmax are read with the next 256 blocks' absmax2 [block indices off by one]",
        (SECOND, f"np.roll({SECOND}, 1)"), "every_code",
    ),
    (
        COMPANDED, "scale_rounded_first",
        "x is divided by what is stored of the scale [encoders that use the scale they store]",
        ("return np.maximum(self.extremes(h, x), self.smallest(h))",
         "return np.asarray(self.value(h, scale), np.float64)"), "random",
    ),
    (
        COMPANDED, "truncated",
        "codes are cut off, not rounded [casts that drop the lower bits]",
        ("(below[k] * size < above[k] * y)",
         "(np.roll(below, -1)[k] * size <= np.roll(above, -1)[k] * y)"), "thresholds",
    ),
    (
        COMPANDED, "one_step_more",
        "codes are read as so many 128ths or 256ths [ranges of two kinds]",
        ("counts[self.ranked[0]] = self.counts",
         "counts[self.ranked[0]] = self.counts * (self.STEPS / (self.STEPS + 1))"), "every_code",
    ),
    (
        COMPANDED, "extreme_without_last",
        "a group's last element does not count for its scale [partial-block reductions]",
        ("return np.maximum(self.extremes(h, x), self.smallest(h))",
         "return np.maximum(self.extremes(h, np.where(np.arange(x.size).reshape(x.shape) % 32 == "
         "31, 0.0, x)), self.smallest(h))"), "random",
    ),
    (
        ("softsign_8bit",), "even_steps",
        "numbers are rounded as they are, and read off the curve [encoders without the curve]",
        ("return half, 2 * self.STEPS - np.abs(half)",
         "return half, np.full(half.shape, float(self.STEPS))"), "random",
    ),
    (
        ("softsign_8bit",), "read_without_curve",
        "codes are read as even steps [decoders of plain integers]",
        ("return y / (2 - np.abs(y)) * scale", "return y * scale"), "every_code",
    ),
    (
        ("softsign_8bit",), "softsign_not_doubled",
        "the curve ends at 1/2: n / (1 + |n|) [softsign as its textbooks have it]",
        ("return half, 2 * self.STEPS - np.abs(half)",
         "return half, np.maximum(self.STEPS - np.abs(half), 1e-30)"), "random",
    ),
    (
        ("sqrt_8bit",), "root_left_out",
        "numbers are rounded as they are [encoders without the curve]",
        ("return half * half, np.full(half.shape, float(self.STEPS**2))",
         "return half, np.full(half.shape, float(self.STEPS))"), "random",
    ),
    (
        ("sqrt_8bit",), "read_as_root",
        "what is read is not squared [a second moment in the place of its root]",
        ("return root * root", "return root"), "every_code",
    ),
    (
        ("sqrt_8bit",), "scale_of_squares",
        "the scale is the largest number, not its root [an absmax before the curve]",
        ("root = np.sqrt(m)", "root = m"), "random",
    ),
    (
        RANGES, "ends_to_nearest",
        "the ends are rounded to nearest, so that what lies beyond them is cut off "
        "[casts without a direction]",
        ("np.where(apart, _outward(end, up=up), end.astype(np.float16))", "end"), "random",
    ),
    (
        RANGES, "truncated",
        "codes are cut off, not rounded [casts that drop the lower bits]",
        ("np.floor(q + 0.5)", "np.floor(q)"), "random",
    ),
    (
        RANGES, "threshold_off",
        "codes change a thousandth of a step too late [constants typed with few digits]",
        ("np.floor(q + 0.5)", "np.floor(q + 0.499)"), "thresholds",
    ),
    (
        RANGES, "neighbours_ends",
        "codes are those of the next group's ends [group indices off by one]",
        ("q, _, known = self._steps(h, x, *kept)",
         "q, _, known = self._steps(h, x, *(np.append(end[1:], end[-1:]) for end in kept))"),
        "strata",
    ),
    (
        RANGES, "last_without_a_say",
        "a tensor's last element does not count for the ends [partial-block reductions]",
        ("logs = self.logarithms(x).reshape(-1)",
         "logs = self.logarithms(x).reshape(-1)\n"
         "        logs = np.append(logs[:-1], logs[-2:-1]) if logs.size % 64 > 1 else logs"),
        "strata",
    ),
    (
        RANGES, "one_step_more",
        "codes are read as so many 16ths or 256ths [ranges of two kinds]",
        ("above = code / self.top", "above = code / (self.top + 1)"), "every_code",
    ),
    (
        RANGES, "ends_exchanged",
        "the least and the largest change places as they are read [two ends in one array]",
        ("return np.exp(a + above), a, above", "return np.exp(b - above), b, above"), "every_code",
    ),
    (
        RANGES, "to_the_base_2",
        "what is read is a power of two [exp2 for exp]",
        ("return np.exp(a + above)", "return np.exp2(a + above)"), "every_code",
    ),
    (
        RANGES, "zeros_are_least_normal",
        "zeros count as 2^-126 [limits of another format]",
        ("np.clip(np.asarray(x, np.float64), LEAST, MOST)",
         "np.clip(np.asarray(x, np.float64), 2.0**-126, MOST)"), "strata",
    ),
    (
        FLOAT_ZERO, "zero_point_rounded",
        "zero points are rounded to multiples of the scale [zero points kept as integers]",
        ("z = low + self.middle * s if", "z = (np.rint(low / s) + self.middle) * s if"), "random",
    ),
    (
        FLOAT_ZERO, "middle_off_by_one",
        "the middle is that of the range, 7.5 or 127.5 [ranges of two kinds]",
        ("return float(2.0 ** (self.bits - 1))", "return float(2.0 ** (self.bits - 1) - 0.5)"),
        "random",
    ),
    (
        FLOAT_ZERO, "middle_left_out_on_reading",
        "the zero point is what code 0 stands for [readers of a minimum]",
        ("product = (code - self.middle) * s", "product = code * s"), "every_code",
    ),
    (
        FLOAT_ZERO, "zero_in_the_range",
        "0 counts among the numbers of every group [ranges that hold zero]",
        ("low, high = self.ends(h, x)\n        with",
         "low, high = self.ends(h, x)\n        low, high = np.minimum(low, 0), "
         "np.maximum(high, 0)\n        with"), "strata",
    ),
    (
        FLOAT_ZERO, "truncated",
        "codes are cut off, not rounded [casts that drop the lower bits]",
        ("self._limited(np.rint(np.where(", "self._limited(np.floor(np.where("), "random",
    ),
    (
        FLOAT_ZERO, "neighbours_zero_point",
        "codes have the next group's zero point [group indices off by one]",
        ("for y in (scale, zero))", "for y in (scale, np.append(zero[1:], zero[-1:])))"), "strata",
    ),
    (
        INTEGERS, "offset_dropped",
        "the mean is not added to what is read of absmax [loaders that keep no offset]",
        ("absmax = spread + np.asarray(offset).astype(np.float32)", "absmax = spread"),
        "every_code",
    ),
    (
        INTEGERS, "factor_multiplied",
        "integers are multiplied by the factor that they are to be divided by [scales kept as "
        "their reciprocals]",
        ("(absmax_code / of)", "(absmax_code * of)"), "every_code",
    ),
    (
        INTEGERS, "largest_of_127",
        "the largest distance from the mean becomes 127 [ranges of two kinds]",
        ("return _WHOLE / largest", "return _TOP / largest"), "random",
    ),
    (
        INTEGERS, "truncated",
        "integers are cut off, not rounded [casts that drop the lower bits]",
        ("np.clip(np.rint(np.where(", "np.clip(np.trunc(np.where("), "random",
    ),
    (
        INTEGERS, "neighbours_factor",
        "absmax are kept with the next blocks' factor [block indices off by one]",
        ("np.asarray(factor)[np", "np.roll(np.asarray(factor), 1)[np"), "every_code",
    ),
)  # fmt: skip

BESIDE: dict[str, Fault] = {
    f"{rule}_{name}": fault(rule, "quantizer", about, edit, check=check)
    for rules, name, about, edit, check in _PLANTED
    for rule in rules
} | {
    f"{rule}_zero_point_wraps": fault(
        rule, "quantizer",
        "zero points beyond the codes are taken modulo their number [casts that do not saturate]",
        (ZERO, "zero_point = self._plain(h, -low, wide, 0).clip(-(2**31), 2**31)\n"
         "        zero_point = (np.nan_to_num(zero_point).astype(np.int64) % (self.top + 1))"
         ".astype(np.uint8)"),
        check="strata", dialect={"range": "own"},
    )
    for rule in AFFINE
}  # fmt: skip
