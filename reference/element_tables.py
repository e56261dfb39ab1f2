"""What codes of up to eight bits stand for before their scale: codebooks, integers, small floats.

A table holds the value of every code in the order of the codes, nan where a code stands for none.
Codebooks are the published float32 numbers; they are never worked out again, unless what is
published is how they are made.
"""

import math

import numpy as np

from truestep.reference import declared
from truestep.reference.small_float import SmallFloat
from truestep.reference.validation import Array

# NormalFloat4: quantiles of a normal distribution. T. Dettmers, A. Pagnoni, A. Holtzman, L.
# Zettlemoyer, "QLoRA" (arXiv:2305.14314), appendix E; bitsandbytes' order of codes.
NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
    0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
    0.7229568362236023, 1.0,
)  # fmt: skip
# bitsandbytes' 4-bit float, whose least number is 1/192 where E2M1 over 6 has 1/12.
_FP4 = (0.0, 0.0625, 8.0, 12.0, 4.0, 6.0, 2.0, 3.0)
FP4 = tuple(float(np.float32(sign * x / 12)) for sign in (1, -1) for x in _FP4)
# D. Yoshida, "NF4 Isn't Information Theoretically Optimal (and that's Good)" (arXiv:2306.06965),
# for blocks of 64.
AF4 = (
    -1.0, -0.69441008, -0.51243739, -0.3736951, -0.25607552, -0.14982478, -0.04934812, 0.0,
    0.04273164, 0.12934483, 0.21961274, 0.31675666, 0.42563882, 0.55496234, 0.72424863, 1.0,
)  # fmt: skip
# P. Blumenberg et al., "Improving Block-Wise LLM Quantization by 4-bit Block-Wise Optimal Float"
# (arXiv:2505.06653), tables C.7 and C.8: least mean square error, blocks of 64.
BOF4 = (
    -1.0, -0.7535245418548584, -0.579203724861145, -0.4385998845100403, -0.3167679905891418,
    -0.2059924453496933, -0.1015387624502182, 0.0, 0.0887245312333107, 0.1793769598007202,
    0.2741499841213226, 0.3758211433887482, 0.4884937703609467, 0.6187058687210083,
    0.7790452241897583, 1.0,
)  # fmt: skip
BOF4_S = (
    -0.8568463921546936, -0.6692874431610107, -0.5235266089439392, -0.4004882574081421,
    -0.2910638153553009, -0.1900092959403992, -0.0938529595732689, 0.0, 0.0887671709060669,
    0.1794802695512772, 0.2743096053600311, 0.3760197460651398, 0.4886530041694641,
    0.6188603639602661, 0.7791395783424377, 1.0,
)  # fmt: skip
# Dynamic exponent, 4 bits: B. Li, J. Chen, J. Zhu, "Memory Efficient Optimizers with 4-bit States"
# (arXiv:2309.01507), for first moments; and its linear map without zero, for second moments. As its
# authors' code builds it in float32, where 0.0325 and 0.2125 come out one place beside.
_EXPONENT = (
    0.0055, 0.03250000178813934, 0.0775, 0.21249999105930328, 0.4375, 0.6625, 0.8875,
)  # fmt: skip
DYNAMIC_4BIT = (*(-x for x in reversed(_EXPONENT)), 0.0, *_EXPONENT, 1.0)
LINEAR_4BIT = tuple(k / 16 for k in range(1, 17))
# Linear over [-1, 1]: every second one of 511 halves, with the zero twice in bitsandbytes' table.
LINEAR_8BIT = tuple(k / 127 for k in range(-127, 128))
LINEAR_8BIT_UNSIGNED = tuple(k / 255 for k in range(256))


def float32(values: tuple[float, ...]) -> tuple[float, ...]:
    """The numbers as a kernel's table in float32 holds them."""
    return tuple(float(np.float32(x)) for x in values)


def logarithmic(bits: int, least: float) -> tuple[float, ...]:
    """Zero and numbers of both signs from least to 1, each a constant multiple of the one before.

    D. Miyashita, E. H. Lee, B. Murmann, "Convolutional Neural Networks using Logarithmic Data
    Representation" (arXiv:1603.01025).
    """
    count = 2 ** (bits - 1) - 1
    sizes = [least ** (1 - k / (count - 1)) for k in range(count)]
    return float32((*(-x for x in reversed(sizes)), 0.0, *sizes))


def dynamic(*, signed: bool, fused: bool = True, inverse: bool = False) -> tuple[float, ...]:
    """Zero, one and the midpoints of 1, 2, 4, ... intervals of seven decades: of 10^-6 the fewest.

    Every decade of an unsigned map has twice as many. fused: linspace in float32 rounds once per
    point, not twice. inverse: the decade below 1 has the fewest, so that the least numbers are the
    most exact; its section F was not at hand, and the midpoints are those of the other map.

    T. Dettmers, M. Lewis, S. Shleifer, L. Zettlemoyer, "8-bit Optimizers via Block-wise
    Quantization" (arXiv:2110.02861), sections 1.3, 2.2 and F; bitsandbytes, create_dynamic_map.
    """
    f32 = np.float32
    values = [f32(0), f32(1)]
    for i in range(7):
        n = 2**i if signed else 2 ** (i + 1)
        step = (f32(1) - f32(0.1)) / f32(n)
        k = np.arange(n + 1)
        # linspace counts from the nearer end; the product is exact in float64, k having 8 bits.
        from_start, from_end = np.float64(step) * k, np.float64(step) * (n - k)
        if not fused:
            from_start, from_end = from_start.astype(f32), from_end.astype(f32)
        nearer_start = k < (n + 1) // 2
        points = np.where(nearer_start, f32(0.1) + from_start, 1 - from_end).astype(f32)
        decade = f32(10.0 ** (-i if inverse else i - 6))
        magnitudes = decade * ((points[:-1] + points[1:]) / f32(2))
        values += [*magnitudes, *-magnitudes] if signed else [*magnitudes]
    return tuple(np.sort(np.array(values, np.float64)).tolist())


def quantiles(x: Array, *, chunk: int = 0) -> tuple[float, ...]:
    """256 numbers that cut the sorted x into parts of the same size: 1/512 below the first.

    chunk: the mean of those of every so many elements, the rest being left out, as SRAM-Quantiles
    estimates them with chunks of 4096. arXiv:2110.02861, section F; bitsandbytes 0.43,
    estimate_quantiles and kEstimateQuantiles.
    """
    if 0 < chunk < x.size:
        parts = x.reshape(-1)[: x.size // chunk * chunk].reshape(-1, chunk)
    else:
        parts = x.reshape(1, -1)
    at = (1 / 512 + np.arange(256) * (1 - 1 / 256) / 255) * (parts.shape[1] - 1)
    taken = np.sort(parts)[:, np.floor(at + 0.5).astype(np.int64)]
    return float32(tuple(taken.mean(axis=0)))


def integers(bits: int, *, full: bool = False) -> tuple[float, ...]:
    """Two's complement; full: with the least number, which has no opposite."""
    half = 2 ** (bits - 1)
    negative = [float(k) if full or k > -half else math.nan for k in range(-half, 0)]
    return (*map(float, range(half)), *negative)


def sixty_fourths() -> tuple[float, ...]:
    """MXINT8: two's complement times 2^-6, without -2."""
    return tuple(x / 64 for x in integers(8))


def numbers(format: SmallFloat) -> tuple[float, ...]:
    """The finite values of a small float by their codes."""
    values = format.decode(declared.Hyper(), np.arange(2 * format.sign))
    return tuple(np.where(np.isfinite(values), values, np.nan))


E2M1 = numbers(SmallFloat(np.uint8, fraction_bits=1, min_exponent=0, largest=0x07))
E2M3 = numbers(SmallFloat(np.uint8, fraction_bits=3, min_exponent=0, largest=0x1F))
E3M2 = numbers(SmallFloat(np.uint8, fraction_bits=2, min_exponent=-2, largest=0x1F))
# The float itself too, in which scales are kept.
SMALL_E4M3 = SmallFloat(np.uint8, fraction_bits=3, min_exponent=-6, largest=0x7E, nan=0x7F)
E4M3 = numbers(SMALL_E4M3)
E5M2 = numbers(SmallFloat(np.uint8, fraction_bits=2, min_exponent=-14, largest=0x7B, nan=0x7E))
