"""Faults in quantizers: tables, ties, block scales, tails, casts, randomness of rounding."""

from functools import partial

from truestep.properties.museum.fault import Fault, fault
from truestep.properties.museum.plant import Edit
from truestep.reference import small_float

ABSMAX = "absmax = block_absmax(h, x)"
DRAWN = "np.where(random < cut_off * 2**16, code + 1, code)"
T = "t = thresholds(h)"
VALUES = 'values = _map(h.signed, h.map == "fused")[code]'
# True at the last element of every block of more than one.
LAST = """k = np.arange(x.size).reshape(x.shape)
    last = (k % h.block_size > 0) & (((k + 1) % h.block_size == 0) | (k + 1 == x.size))
    """
SUBNORMAL = """subnormal = (a > 0) & (a < np.finfo(np.float32).tiny)
    y = np.where(subnormal, x * (np.float32(1) / a), y)
    scale = np.where(subnormal, 1.0, scale)
    """

dynamic = partial(fault, "dynamic_8bit", "quantizer")
e4m3fn = partial(fault, "float8_e4m3fn", "quantizer")
e5m2 = partial(fault, "float8_e5m2", "quantizer")
float16 = partial(fault, "float16", "quantizer")
quantile = partial(fault, "quantile_8bit", "quantizer")
stochastic = partial(
    fault, "bfloat16", "quantizer", check="frequency", dialect={"rounding": "stochastic"}
)


def decoded(value: str) -> Edit:
    """Another value is given for a code; value: in terms of x, what it is due to be."""
    return "FORMAT.decode,", f"lambda h, code: (lambda x: {value})(FORMAT.decode(h, code)),"


def cast(x: str) -> Edit:
    """Another number is cast in the place of x."""
    return "FORMAT.encode\n", f"lambda h, x, *drawn: FORMAT.encode(h, {x}, *drawn)\n"


QUANTIZERS: dict[str, Fault] = {
    "bfloat16_biased_by_2_to_the_minus_9": stochastic(
        "rounds up too often by 2^-9 [generators with too few bits]",
        (
            small_float,
            DRAWN,
            "np.where((cut_off > 0) & (random < cut_off * 2**16 + 2**7), code + 1, code)",
        ),
    ),
    "bfloat16_generator_shared_by_lanes": stochastic(
        "32 draws for every 32 elements [one generator per warp]",
        (
            small_float,
            DRAWN,
            DRAWN.replace("random", "np.resize(random.reshape(-1)[:32], x.shape)"),
        ),
        check="independence",
    ),
    "bfloat16_nearest_overrides": stochastic(
        "what was rounded at random is written again, rounded to nearest [Nerogar/OneTrainer#994]",
        (small_float, DRAWN, "np.where(cut_off >= 0.5, code + 1, code)"),
    ),
    "bfloat16_noise_too_low": stochastic(
        "the noise lies four bits below where it is due: almost everything rounds down "
        "[uxlfoundation/oneDNN#2903]",
        (small_float, DRAWN, "np.where(random // 16 + cut_off * 2**16 >= 2**16, code + 1, code)"),
    ),
    "bfloat16_seed_shared_by_calls": stochastic(
        "every call draws the same numbers [seeds that are not advanced]",
        (
            small_float,
            DRAWN,
            DRAWN.replace("random", "np.random.default_rng(0).integers(0, 2**16, x.shape)"),
        ),
        check="independence",
    ),
    "dynamic_8bit_absmax_in_bfloat16": dynamic(
        "absmax passes through bfloat16 [bitsandbytes-foundation/bitsandbytes#1971]",
        ("encode", ABSMAX, "absmax = bfloat16(block_absmax(h, x))"),
    ),
    "dynamic_8bit_absmax_without_last": dynamic(
        "absmax passes over a block's last element [partial-block reductions]",
        ("encode", ABSMAX, f"{LAST}absmax = block_absmax(h, np.where(last, 0.0, x))"),
        check="all_codes",
    ),
    "dynamic_8bit_another_map_for_large_blocks": dynamic(
        "blocks of more than 1024 are searched in the other map "
        "[bitsandbytes-foundation/bitsandbytes#1160]",
        (T, "t = thresholds(changed(h, signed=h.signed != (h.block_size > 1024)))"),
    ),
    "dynamic_8bit_floor_left_out": dynamic(
        "absmax has no floor [parameters that a kernel does not read]",
        ("h.absmax_floor)", "0.0)"),
        check="strata",
    ),
    "dynamic_8bit_input_normalised_in_place": dynamic(
        "the caller's tensor is divided by absmax [bitsandbytes-foundation/bitsandbytes#1587]",
        (T, f"np.divide(x, scale, out=x)\n    {T}"),
    ),
    "dynamic_8bit_minus_one_in_the_map": dynamic(
        "-1 stands in the signed map [tables made symmetric]",
        (VALUES, f"{VALUES}\n    values = np.where(h.signed & (code == 0), -1.0, values)"),
        check="all_codes",
    ),
    "dynamic_8bit_nan_passed_over": dynamic(
        "absmax passes over a nan [fmaxf in reductions]",
        ('np.maximum if h.nan == "propagate" else np.fmax', "np.fmax"),
        check="edges",
    ),
    "dynamic_8bit_next_blocks_scale": dynamic(
        "elements are divided by the next block's absmax [block indices off by one]",
        ("encode", "per_element(h, absmax,", "per_element(h, np.append(absmax[1:], absmax[-1:]),"),
    ),
    "dynamic_8bit_one_missing_from_the_map": dynamic(
        "the last value of the map stands in it twice, 1 does not "
        "[bitsandbytes-foundation/bitsandbytes#152]",
        (VALUES, VALUES.replace("[code]", "[np.minimum(code, 254)]")),
        check="all_codes",
    ),
    "dynamic_8bit_reciprocal_of_a_subnormal_scale": dynamic(
        "blocks are multiplied by 1 / absmax, which is infinite for a subnormal absmax "
        "[ggml-org/llama.cpp#3010]",
        (T, f"{SUBNORMAL}{T}"),
        check="all_codes",
    ),
    "dynamic_8bit_tail_with_garbage": dynamic(
        "a short block's absmax sees what lies behind it [unmasked tails]",
        ("encode", ABSMAX, f"behind = np.full(-x.size % h.block_size, 7, x.dtype)\n    {ABSMAX}"),
        ("encode", ABSMAX, "absmax = block_absmax(h, np.append(x, behind))"),
    ),
    "dynamic_8bit_threshold_one_ulp_up": dynamic(
        "one threshold is an ulp too large [tables typed in decimal]",
        (T, f"{T}\n    t[200] = np.nextafter(np.float32(t[200]), np.float32(np.inf))"),
        check="thresholds",
    ),
    "dynamic_8bit_ties_up": dynamic(
        "midpoints go to the upper code [<= in the place of <]",
        ("t[code] * scale < y", "t[code] * scale <= y"),
        check="thresholds",
    ),
    "dynamic_8bit_unsigned_in_the_signed_map": dynamic(
        "unsigned tensors are searched in the signed map "
        "[bitsandbytes-foundation/bitsandbytes#1541]",
        (T, "t = thresholds(changed(h, signed=True))"),
    ),
    "dynamic_8bit_value_off_by_6e-7": dynamic(
        "one value of the map is off by 6e-7 [tables typed in decimal]",
        (VALUES, f"{VALUES}\n    values = values * np.where(code == 200, 1 + 6e-7, 1.0)"),
        check="all_codes",
    ),
    "dynamic_8bit_zero_block_is_nan": dynamic(
        "a block of zeros is divided by zero [blocks without a guard]",
        ("np.where(np.isnan(a), code_of_zero(h), code)", "np.where(a == 0, 255, code)"),
    ),
    "dynamic_8bit_zero_of_an_infinite_block": dynamic(
        "a zero beside an infinity is decoded as zero, not as nan [products left out for zeros]",
        (
            "return values * per_element(h, absmax, code.shape)",
            "return np.where(values == 0, 0.0, values * per_element(h, absmax, code.shape))",
        ),
        check="every_code",
    ),
    "float16_decodes_no_negative_zero": float16(
        "-0 is decoded as 0 [a sign multiplied on]", decoded("x + 0.0"), check="every_code"
    ),
    "float16_nan_with_payload_is_a_number": float16(
        "half added to a full payload carries into the sign: nan becomes -0 [pytorch/ao#2296]",
        cast("np.where(x.view(np.uint32) & 0x7FFFFFFF > 0x7FFF8000, np.float32(-0.0), x)"),
        check="strata",
    ),
    "float16_overflows_early": float16(
        "the last number before the threshold of overflow is infinite [limits typed in decimal]",
        cast("np.where(np.abs(x) >= np.float32(65519.996), np.copysign(np.inf, x), x)"),
        check="thresholds",
    ),
    "float16_rounded_twice": float16(
        "rounded to bfloat16 on the way [a storage format between two others]", cast("bfloat16(x)")
    ),
    "float16_sign_of_zero_lost": float16(
        "-0 becomes 0 [a comparison with zero as a shortcut]",
        cast("np.where(x == 0, 0.0, x)"),
        check="all_codes",
    ),
    "float16_sizes_alone": float16(
        "negative numbers are stored by their size [tenstorrent/tt-metal#56327]", cast("np.abs(x)")
    ),
    "float8_e4m3fn_four_exponents": e4m3fn(
        "numbers of four exponents of 254 are taken for one [tables by exponent]",
        cast("np.where((np.abs(x) >= 2.0**-140) & (np.abs(x) < 2.0**-136), 1.0, x)"),
        check="strata",
    ),
    "float8_e4m3fn_saturates": e4m3fn(
        "large numbers become 448, declared as nan [libraries differ]",
        cast("np.clip(x, -448, 448)"),
        check="edges",
    ),
    "float8_e4m3fn_wraps": e4m3fn(
        "numbers beyond the range come back at its other end [tenstorrent/tt-metal#56290]",
        cast("np.where(np.isfinite(x) & (np.abs(x) >= 464), np.fmod(x, 256), x)"),
        check="edges",
    ),
    "float8_e5m2_decodes_no_infinity": e5m2(
        "the code of infinity, which no saturating encoder gives, is decoded as 65536 "
        "[values computed from their bits]",
        decoded("np.where(np.isinf(x), np.copysign(65536.0, x), x)"),
        check="every_code",
        dialect={"overflow": "saturate"},
    ),
    "float8_e5m2_one_launch": e5m2(
        "what one launch does not cover stays zero [loops over a grid that never go round]",
        cast("np.where(np.arange(x.size).reshape(x.shape) < 2**20, x, 0)"),
        check="strata",
    ),
    "float8_e5m2_subnormals_flushed": e5m2(
        "subnormal numbers become zero [units that flush]",
        cast("np.where(np.abs(x) < 2.0**-14, np.copysign(0, x), x)"),
        check="all_codes",
    ),
    "float8_e5m2_ties_away": e5m2(
        "midpoints go away from zero, not to the even code [half added before cutting off]",
        cast("np.where(np.isfinite(x), np.nextafter(x, np.copysign(np.inf, x)), x)"),
        check="thresholds",
    ),
    "quantile_8bit_codes_of_different_values": quantile(
        "codes count the different values of the map, of which there are fewer than codes "
        "[tables without their repetitions]",
        ("return first[code].astype(np.uint8), scale", "return code, scale"),
    ),
    "quantile_8bit_last_value_never_given": quantile(
        "the largest value is never given [loops that end one too early]",
        ("first[code].astype", "np.minimum(first[code], 254).astype"),
        check="all_codes",
    ),
    "quantile_8bit_map_of_another_tensor": quantile(
        "tensors are read by the map of the first one [tables kept by their address, bitsandbytes]",
        ("return np.asarray(quantile_map(h.sample))", "return np.asarray(quantile_map(0))"),
        check="strata",
    ),
}
