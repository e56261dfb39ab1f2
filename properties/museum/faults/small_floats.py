"""Faults in casts to floats of four to eight bits and to powers of two."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault
from truestep.properties.museum.faults.quantizers import cast, decoded
from truestep.properties.museum.plant import Edit
from truestep.reference import powers_of_two, small_float

e2m1 = partial(fault, "float4_e2m1fn", "quantizer")
e2m3 = partial(fault, "float6_e2m3fn", "quantizer")
e3m2 = partial(fault, "float6_e3m2fn", "quantizer")
e3m4 = partial(fault, "float8_e3m4", "quantizer")
e4m3fn = partial(fault, "float8_e4m3fn", "quantizer")
e4m3 = partial(fault, "float8_e4m3", "quantizer")
e4m3b11fnuz = partial(fault, "float8_e4m3b11fnuz", "quantizer")
e4m3fnuz = partial(fault, "float8_e4m3fnuz", "quantizer")
e5m2 = partial(fault, "float8_e5m2", "quantizer")
e5m2fnuz = partial(fault, "float8_e5m2fnuz", "quantizer")
float16 = partial(fault, "float16", "quantizer")
e8m0 = partial(fault, "float8_e8m0fnu", "quantizer")

EXPONENT = "above.astype(np.int64) - 1"
AWAY = "cut_off >= 0.5"
DRAWN = "np.where(random < cut_off * 2**16, code + 1, code)"
K = "code = np.maximum(k + BIAS, 0)"
POWER = "np.ldexp(1.0, k - BIAS)"
PART = "random < _beyond(size) * 2**16"
TOWARD_ZERO = "return np.minimum(code, self.largest)"
TRUNCATED: Edit = (
    "FORMAT.encode\n",
    "lambda h, x, *drawn: FORMAT.finished(h, x, FORMAT.truncated(x)[1])\n",
)
AWAY_DECLARED = {"rounding": "nearest_away"}
CUT_DECLARED = {"rounding": "toward_zero"}
DOWN_DECLARED, UP_DECLARED = {"rounding": "down"}, {"rounding": "up"}
DRAWN_DECLARED = {"rounding": "stochastic"}


def _coded(code: str) -> Edit:
    """Another code is given for a number; code: in terms of x and of c, the code that is due."""
    return (
        "FORMAT.encode\n",
        f"lambda h, x, *drawn: (lambda c: {code})(FORMAT.encode(h, x, *drawn)).astype(np.uint8)\n",
    )


def _next_to(x: float) -> str:
    """Where x is the float32 number after this one."""
    return f"x == np.nextafter(np.float32({x}), np.float32(np.inf))"


SMALL_FLOATS: dict[str, Fault] = {
    "float4_e2m1fn_halves_away": e2m1(
        "midpoints go away from zero, not to the even code [half added before cutting off]",
        cast("np.where(np.isfinite(x), np.nextafter(x, np.copysign(np.inf, x)), x)"),
        check="thresholds",
    ),
    "float4_e2m1fn_nan_is_a_number": e2m1(
        "nan becomes 1.5, declared as a zero [bits of a nan masked, pytorch/ao]",
        _coded("np.where(np.isnan(x), 3, c)"),
        check="strata",
    ),
    "float4_e2m1fn_sign_of_zero_lost": e2m1(
        "-0 and what rounds to it become 0 [the sign put on by a multiplication]",
        _coded("np.where(c == 8, 0, c)"),
        check="all_codes",
    ),
    "float4_e2m1fn_two_codes_exchanged": e2m1(
        "3 and 4 have each other's codes [tables typed by hand]",
        _coded("np.where(c == 5, 6, np.where(c == 6, 5, c))"),
        check="all_codes",
    ),
    "float4_e2m1fn_halves_to_even": e2m1(
        "midpoints go to the even code, declared as away from zero [microsoft/microxcaling]",
        (small_float, AWAY, "(cut_off > 0.5) | ((cut_off == 0.5) & (code % 2 == 1))"),
        check="thresholds",
        computes="to nearest, ties to even",
        dialect=AWAY_DECLARED,
    ),
    "float4_e2m1fn_never_drawn_up": e2m1(
        "the random bits are zeros, so that everything goes away from zero "
        "[NVIDIA/TransformerEngine#3281]",
        (small_float, DRAWN, DRAWN.replace("random", "0 * random")),
        check="frequency",
        dialect=DRAWN_DECLARED,
    ),
    "float6_e2m3fn_truncates": e2m3(
        "what lies between two values is cut off [a shift without rounding]", TRUNCATED
    ),
    "float6_e2m3fn_wraps": e2m3(
        "numbers beyond the range come back at its other end [codes without a saturation]",
        cast("np.where(np.isfinite(x) & (np.abs(x) >= 8), np.fmod(x, 8), x)"),
        check="edges",
    ),
    "float6_e3m2fn_no_subnormals": e3m2(
        "subnormal numbers become zero [units that flush]",
        cast("np.where(np.abs(x) < 0.21875, np.copysign(0, x), x)"),
        check="all_codes",
    ),
    "float6_e3m2fn_value_of_another_format": e3m2(
        "the code of 28 is decoded as infinity [the exponent of ones read as by IEEE 754]",
        decoded("np.where(np.abs(x) == 28, np.copysign(np.inf, x), x)"),
        check="every_code",
    ),
    "float8_e3m4_one_value": e3m4(
        "one code has the value of the next [tables typed by hand]",
        decoded("np.where(x == 1.0625, 1.125, x)"),
        check="every_code",
    ),
    "float8_e3m4_threshold_one_ulp_up": e3m4(
        "one threshold is an ulp too large [tables typed in decimal]",
        cast(f"np.where({_next_to(1.03125)}, 1, x)"),
        check="thresholds",
    ),
    "float8_e4m3_finite": e4m3(
        "overflow becomes nan, as in the format without infinities [float8_e4m3fn for float8_e4m3]",
        cast("np.where(np.abs(x) >= 248, np.nan, x)"),
        check="edges",
    ),
    "float8_e4m3_saturates": e4m3(
        "large numbers become 240, declared as infinite [libraries differ]",
        cast("np.clip(x, -240, 240)"),
        check="thresholds",
    ),
    "float8_e4m3b11fnuz_another_bias": e4m3b11fnuz(
        "the bias is that of float8_e4m3fnuz [float8_e4m3fnuz for float8_e4m3b11fnuz]",
        ("min_exponent=-10", "min_exponent=-7"),
    ),
    "float8_e4m3fnuz_infinity_saturates": e4m3fnuz(
        "infinities become 240 and other large numbers nan [a clip after the test for overflow]",
        cast("np.where(np.isinf(x), np.copysign(240, x), x)"),
        check="edges",
    ),
    "float8_e4m3fnuz_negative_zero_is_nan": e4m3fnuz(
        "-0 gets the code of nan [the sign set without a look at the rest]",
        _coded("np.where((c == 0) & np.signbit(x), 128, c)"),
        check="strata",
    ),
    "float8_e4m3fnuz_read_as_fn": e4m3fnuz(
        "codes are decoded with the bias of float8_e4m3fn: twice the value [AMD's fp8 on NVIDIA's]",
        decoded("2 * x"),
        check="every_code",
    ),
    "float8_e4m3fn_drawn_twice": e4m3fn(
        "noise is added and then rounded to nearest, which adds a half [a cast after the noise]",
        (small_float, DRAWN, "np.where(random < cut_off * 2**16 + 2**15, code + 1, code)"),
        check="frequency",
        dialect=DRAWN_DECLARED,
    ),
    "float8_e4m3fn_eight_random_bits": e4m3fn(
        "eight random bits decide, declared as sixteen [PTX' cvt.rs]",
        (small_float, DRAWN, "np.where(random // 2**8 < np.floor(cut_off * 2**8), code + 1, code)"),
        check="frequency",
        dialect=DRAWN_DECLARED,
        random_bits=16,
    ),
    "float8_e4m3fn_four_random_bits": e4m3fn(
        "four random bits decide [a byte shared by two numbers]",
        (
            small_float,
            DRAWN,
            "np.where(random // 2**12 < np.floor(cut_off * 2**4), code + 1, code)",
        ),
        check="frequency",
        dialect=DRAWN_DECLARED,
    ),
    "float8_e4m3fn_of_four_axes": e4m3fn(
        "tensors of more than four axes become zeros [loops over four axes]",
        _coded("np.where(x.ndim > 4, 0 * c, c)"),
        check="strata",
    ),
    "float8_e4m3fn_overflows_toward_zero": e4m3fn(
        "what is larger than 448 becomes nan, declared as toward zero [overflow tested first]",
        (small_float, TOWARD_ZERO, "return np.where(np.abs(x) >= 464, self.largest + 1, code)"),
        check="thresholds",
        dialect=CUT_DECLARED,
    ),
    "float8_e4m3fn_down_by_size": e4m3fn(
        "sizes are rounded down, declared as numbers [floor of a magnitude]",
        (small_float, 'x > 0 if h.rounding == "up" else x < 0', "False"),
        dialect=DOWN_DECLARED,
        computes="what lies between two values cut off",
    ),
    "float16_up_without_subnormals": float16(
        "what is less than 2^-24 stays zero, declared as up [a test of the fraction's bits alone]",
        (small_float, "code + (cut_off > 0)", "code + ((cut_off > 0) & (code > 0))"),
        check="thresholds",
        dialect=UP_DECLARED,
    ),
    "float8_e5m2_up_saturates": e5m2(
        "beyond 57344 nothing goes up, declared as infinite [a clip after the direction]",
        (
            small_float,
            "np.where(away, code + (cut_off > 0), np.minimum(code, self.largest))",
            "np.minimum(np.where(away, code + (cut_off > 0), code), self.largest)",
        ),
        check="thresholds",
        dialect=UP_DECLARED,
    ),
    "float8_e4m3fn_toward_minus_infinity": e4m3fn(
        "rounded down, declared as toward zero [an arithmetic shift of a signed number]",
        (
            small_float,
            TOWARD_ZERO,
            "return np.minimum(code + ((x < 0) & (cut_off > 0)), self.largest)",
        ),
        dialect=CUT_DECLARED,
    ),
    "float8_e4m3fnuz_drawn_to_minus_zero": e4m3fnuz(
        "small negative numbers are drawn to the code of nan [the sign set without a look]",
        _coded("np.where((c == 0) & np.signbit(x), 128, c)"),
        dialect=DRAWN_DECLARED,
        check="strata",
    ),
    "float8_e5m2_lost_carry": e5m2(
        "drawn up, a fraction of ones does not carry into the exponent [masks of the fraction]",
        (small_float, DRAWN, DRAWN.replace("code + 1", "code - code % 4 + (code + 1) % 4")),
        check="edges",
        dialect=DRAWN_DECLARED,
    ),
    "float8_e5m2_nearest_overrides": e5m2(
        "what was rounded at random is written again, rounded to nearest [Nerogar/OneTrainer#994]",
        (small_float, DRAWN, "np.where(cut_off >= 0.5, code + 1, code)"),
        check="frequency",
        dialect=DRAWN_DECLARED,
    ),
    "float8_e5m2_seed_shared_by_calls": e5m2(
        "every call draws the same numbers [seeds that are not advanced]",
        (
            small_float,
            DRAWN,
            DRAWN.replace("random", "np.random.default_rng(0).integers(0, 2**16, x.shape)"),
        ),
        check="independence",
        dialect=DRAWN_DECLARED,
    ),
    "float8_e5m2fnuz_saturates": e5m2fnuz(
        "what overflows becomes 57344, declared as nan [libraries differ]",
        cast("np.clip(x, -57344, 57344)"),
        check="thresholds",
    ),
    "float8_e5m2fnuz_threshold_one_ulp_up": e5m2fnuz(
        "one threshold is an ulp too large [tables typed in decimal]",
        cast(f"np.where({_next_to(4.5)}, 4, x)"),
        check="thresholds",
    ),
    "float8_e5m2fnuz_truncates": e5m2fnuz(
        "what lies between two values is cut off [a shift without rounding]", TRUNCATED
    ),
    "float8_e8m0fnu_another_tie": e8m0(
        "midpoints go down [> in the place of >=]",
        (powers_of_two, "half >= 0.75", "half > 0.75"),
        check="thresholds",
    ),
    "float8_e8m0fnu_bias_of_126": e8m0(
        "every code is one too small [frexp's exponent taken for the logarithm, or not]",
        (K, "code = np.maximum(k + BIAS - 1, 0)"),
    ),
    "float8_e8m0fnu_drawn_by_the_logarithm": e8m0(
        "up with the probability of the logarithm's fraction, whose expectation is another "
        "[rounding of exponents at random]",
        (PART, PART.replace("_beyond(size)", "np.log2(1 + _beyond(size))")),
        check="frequency",
        dialect={"rounding": "stochastic", "negative": "magnitude"},
    ),
    "float8_e8m0fnu_down": e8m0(
        "rounded down, declared as up: the largest of a block overflows "
        "[the exponent field taken as it is]",
        (powers_of_two, "half > 0.5", "half > 1"),
        check="thresholds",
        dialect={"rounding": "up"},
    ),
    "float8_e8m0fnu_least_power_is_zero": e8m0(
        "2^-127 is decoded as zero [units that flush]",
        (powers_of_two, POWER, f"np.where(k == 0, 0.0, {POWER})"),
        check="every_code",
    ),
    "float8_e8m0fnu_least_power_is_twice_as_large": e8m0(
        "2^-127 is decoded as 2^-126 [pytorch/ao#4725]",
        (powers_of_two, POWER, POWER.replace("k - BIAS", "np.maximum(k, 1) - BIAS")),
        check="every_code",
    ),
    "float8_e8m0fnu_logarithm_in_float32": e8m0(
        "just below a power of two the rounded logarithm is the power's [microsoft/microxcaling]",
        (powers_of_two, EXPONENT, "np.floor(np.log2(x.astype(np.float32))).astype(np.int64)"),
        check="thresholds",
        dialect={"rounding": "down"},
    ),
    "float8_e8m0fnu_multiples_of_the_least": e8m0(
        "just above 2^-127 numbers are rounded up [microsoft/onnxruntime#28435]",
        (K, f"{K} + ((np.abs(x) > 2.0**-127) & (np.abs(x) < 1.5 * 2.0**-127))"),
        check="thresholds",
    ),
    "float8_e8m0fnu_saturates": e8m0(
        "what overflows becomes 2^127, declared as nan [libraries differ]",
        ('LARGEST + (h.overflow != "saturate")', "LARGEST"),
        check="thresholds",
    ),
    "float8_e8m0fnu_up": e8m0(
        "rounded up, declared as to nearest [libraries differ]",
        (powers_of_two, "half >= 0.75", "half > 0.5"),
    ),
    "float8_e8m0fnu_zero_is_the_least": e8m0(
        "zero becomes 2^-127, declared as nan [libraries differ]",
        ('0 if h.zero == "least" else NAN', "0"),
        check="strata",
    ),
}
