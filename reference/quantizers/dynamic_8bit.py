"""Block-wise dynamic 8-bit quantization (Dettmers et al. 2022).

Over 120 lines: the map as it was built, and the codes that a faithful kernel may give.

Rule
    The map: for i = 0..6 let n = 2^i (signed) or 2^(i+1) (unsigned), cut [0.1, 1] into n equal
    intervals and take their midpoints times 10^(i-6); signed adds the negatives; 0 and 1 complete
    the 256 values q_0 < ... < q_255.
    absmax_b = max |x_i| over block b
    code_i = argmin_j |q_j - x_i / absmax_b|
    x~_i = q_code_i absmax_b

Shapes
    x: any shape, read in C order; code: uint8, shaped like x; absmax: ceil(n / block_size) numbers.
    The last block may be short and is never padded.

Domain
    block_size one of 64, 128, ..., 4096; absmax_floor >= 0. x holds float32 values.

Choices
    map: linspace in float32 rounds once per point where the build fuses multiply and add ("fused",
    PyTorch's vector builds and the tables in circulation) or twice ("separate", its scalar build);
    some entries differ by an ulp.
    normalise: x / absmax, or x times the rounded 1 / absmax ("reciprocal", bitsandbytes). It does
    not move the reference, only how far a faithful kernel may stray.
    ties: exact midpoints go to the lower code; bitsandbytes' CUDA search takes the even code,
    torchao the upper.
    nan: a block with a nan has absmax nan ("propagate"); CUDA's fmaxf passes over it, and the nan
    becomes code 0 ("ignore"); where there is nothing else, absmax is absmax_floor.
    zero_block: the code of zero; bitsandbytes yields the first code, whose value is then -0.
    absmax_floor: torchao never stores an absmax below 1e-12; the paper has no floor.

Special cases
    Zero is a value of both maps and stays zero. The signed map holds 1 but not -1: a block whose
    extreme is negative loses 0.7 % of it. A zero block has absmax 0. An inf makes absmax inf:
    finite elements get the code of zero, infinite ones the outermost codes, and every decoded
    value is inf or nan. Empty tensors have no block.

Judged
    absmax exactly; codes by the interval of `admissible`; decoded values bit for bit as the float32
    rounding of q absmax.

Sources
    T. Dettmers, M. Lewis, S. Shleifer, L. Zettlemoyer, "8-bit Optimizers via Block-wise
    Quantization", ICLR 2022 (arXiv:2110.02861), sections 1.2-2.2. bitsandbytes,
    functional.create_dynamic_map.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared, element_tables
from truestep.reference.declared import Count, Real, Switch
from truestep.reference.rules import Departure
from truestep.reference.validation import Array

SCALE, EXACT, INDEPENDENT, SCALES, STORES = "absmax", False, True, True, True
BLOCK_SIZES = (64, 128, 256, 512, 1024, 2048, 4096)

BLOCKS = True
DIALECTS = {
    "map": {
        "fused": "map points rounded once, as by a fused multiply-add",
        "separate": "map points rounded after the product and after the sum",
    },
    "nan": {
        "propagate": "a nan makes its block's absmax nan",
        "ignore": Departure("absmax passes over a nan, whose code is 0"),
    },
    "normalise": {
        "divide": "x divided by absmax",
        "reciprocal": "x multiplied by the rounded reciprocal of absmax",
    },
    "ties": {
        "lower": "midpoints to the lower code",
        "upper": "midpoints to the upper code",
        "even": "midpoints to the even code",
    },
    "zero_block": {
        "code_of_zero": "a block of zeros holds the code of zero",
        "first_code": "a block of zeros holds code 0",
    },
}


class Hyper(declared.Hyper):
    """Which map, how long a block, and the libraries' choices; defaults are the paper's."""

    signed: Switch = True
    block_size: Annotated[int, Count(1, (64, 256, 2048, 128, 512, 1024, 4096))] = 2048
    absmax_floor: Annotated[float, Real(0.0, usual=(0.0, 1e-12, 1e-6, 1e-3, 0.5))] = 0.0
    map: Literal["fused", "separate"] = "fused"
    nan: Literal["propagate", "ignore"] = "propagate"
    normalise: Literal["divide", "reciprocal"] = "divide"
    ties: Literal["lower", "upper", "even"] = "lower"
    zero_block: Literal["code_of_zero", "first_code"] = "code_of_zero"

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        if self.block_size not in BLOCK_SIZES:
            raise ValueError(f"block_size must be one of {BLOCK_SIZES}, got {self.block_size!r}")


def all_values(h: Hyper) -> Array:
    """The 256 values of the map in the order of their codes, float32 numbers held in float64."""
    return _map(h.signed, h.map == "fused").copy()


@cache
def _map(signed: bool, fused: bool) -> Array:
    return np.array(element_tables.dynamic(signed=signed, fused=fused))


@cache
def _bands(signed: bool, fused: bool) -> tuple[Array, Array]:
    q = _map(signed, fused)
    t, gap = (q[:-1] + q[1:]) / 2, np.diff(q)
    nearest = t.astype(np.float32).astype(np.float64)
    # x - q is exact for x within a factor of two of q (Sterbenz): only other residuals err.
    least = np.minimum(np.abs(q[:-1]), np.abs(q[1:]))
    exact = (gap.astype(np.float32) == gap) & (np.abs(t) <= 2 * least)
    residual = np.where(exact, 0.0, 2.0**-24 * gap)
    return np.minimum(nearest, t - residual), np.maximum(nearest, t + residual)


def threshold_bands(h: Hyper) -> tuple[Array, Array]:
    """Between which numbers a faithful float32 kernel's threshold lies, for each of the 255.

    It compares the quotient with the midpoint rounded to float32, or the residual x - q_low with
    half the gap, which is exact unless q_low is far smaller than the gap.
    """
    below, above = _bands(h.signed, h.map == "fused")
    return below.copy(), above.copy()


def code_of_zero(h: Hyper) -> int:
    """The code whose value is 0: 127 in the signed map, 0 in the unsigned."""
    return 127 if h.signed else 0


def thresholds(h: Hyper) -> Array:
    """The 255 midpoints between neighbouring values, exact in float64."""
    q = _map(h.signed, h.map == "fused")
    return (q[:-1] + q[1:]) / 2


def block_absmax(h: Hyper, x: Array) -> Array:
    """The largest magnitude of every block, in the order of the blocks."""
    maximum = np.maximum if h.nan == "propagate" else np.fmax
    starts = np.arange(0, x.size, h.block_size)
    return maximum(maximum.reduceat(np.abs(x).reshape(-1), starts), h.absmax_floor)


def scales(h: Hyper, x: Array, *, division_ulps: float = 0.5) -> tuple[Array, Array]:
    """The absmax of every block twice: choosing a number does not round."""
    absmax = block_absmax(h, x).astype(np.float32)
    return absmax, absmax


def groups(h: Hyper, shape: tuple[int, ...]) -> int:
    """How many blocks there are."""
    return -(-math.prod(shape) // h.block_size)


def length(h: Hyper) -> int:
    """Elements of a whole block."""
    return int(h.block_size)


def arranged(h: Hyper, blocks: Array) -> Array:
    """The tensor whose blocks these are, one a row."""
    return blocks.reshape(-1)


def extreme(h: Hyper) -> float:
    """The absmax that does not change a number."""
    return 1.0


def ranks(h: Hyper) -> int:
    """How many values there are."""
    return 256


def rank(code: Array) -> Array:
    """The place of every code in the order of values: its own."""
    return code


def second_rounding(h: Hyper) -> float:
    """Nothing: every scale is read as it is stored."""
    return 0.0


def per_element(h: Hyper, absmax: Array, shape: tuple[int, ...]) -> Array:
    """The absmax of every element's block, in the given shape."""
    return absmax[(np.arange(math.prod(shape)) // h.block_size).reshape(shape)]


def encode(h: Hyper, x: Array) -> tuple[Array, Array]:
    """The codes of x and the absmax of every block."""
    absmax = block_absmax(h, x)
    a = per_element(h, absmax, x.shape)
    y = np.where(np.isinf(a) & np.isfinite(x), 0.0, x)
    scale = np.where((a > 0) & np.isfinite(a), a, 1.0)
    # t absmax < x decides what t < x / absmax would, and the product is exact in float64.
    t = thresholds(h)
    low = _count(lambda code: t[code] * scale < y, x.shape)
    high = _count(lambda code: t[code] * scale <= y, x.shape)
    code = {"lower": low, "upper": high, "even": np.where(low % 2 == 0, low, high)}[h.ties]
    code = np.where(np.isnan(a), code_of_zero(h), code)
    if h.zero_block == "first_code":
        code = np.where(a == 0, 0, code)
    return code.astype(np.uint8), absmax


def _count(reached: Callable[[Array], Array], shape: tuple[int, ...]) -> Array:
    """How many of the 255 ascending thresholds each element has reached, by bisection."""
    count = np.zeros(shape, np.int64)
    for bit in (128, 64, 32, 16, 8, 4, 2, 1):
        count = count + bit * reached(count + bit - 1)
    return count


def decode(h: Hyper, code: Array, absmax: Array) -> Array:
    """The value of every code times its block's absmax, exact in float64 for a float32 absmax."""
    values = _map(h.signed, h.map == "fused")[code]
    with np.errstate(invalid="ignore"):  # 0 times an infinite absmax is the nan that is meant
        return values * per_element(h, absmax, code.shape)


def admissible(
    h: Hyper,
    x: Array,
    absmax: Array,
    *,
    error: Array | float = 0.0,
    division_ulps: float = 0.5,
    flush_subnormals: bool = False,
) -> tuple[Array, Array]:
    """The lowest and the highest code that a faithful float32 kernel may give each element.

    absmax: the kernel's own, itself judged before. error: by how much the kernel's x may differ
    from x. An element with the interval (0, 255) is not judged.

    With u = 2^-24 the kernel's quotient is x / absmax (1 + d): |d| <= 2 u division_ulps, none where
    absmax is a power of two, and with a reciprocal first one more factor 1 + u. It meets a
    threshold t somewhere in `threshold_bands`. Outside of the bands the code is certain, and so it
    is on a band that is one number, where the dialect breaks the tie.
    """
    a = per_element(h, absmax, x.shape)
    u = 2.0**-24
    quotient, product = np.full(a.shape, u), 0.0
    if h.normalise == "reciprocal":  # which is subnormal where absmax > 2^126
        # Of an infinite one the quotient is 0 whatever its error.
        quotient, product = np.maximum(u, 2.0**-150 * np.where(np.isinf(a), 0.0, a)), u
    # 2^-50 is for the few float64 roundings of this check itself.
    relative = (1 + 2 * division_ulps * quotient) * (1 + product) - 1 + 2.0**-50
    normal = (a >= 2.0**-126) & (a <= 2.0**126)
    exactly = (
        normal & (np.frexp(np.where(np.isfinite(a), a, 1.0))[0] == 0.5) & (division_ulps == 0.5)
    )
    relative = np.where(exactly & (np.abs(x) >= 2.0**-100 * a), 0.0, relative)
    slack = np.asarray(error, np.float64)
    if flush_subnormals:
        slack = slack + np.where(np.abs(x) < 2.0**-126, np.abs(x), 0.0)
    y = np.where(np.isinf(a) | np.isinf(x), 0.0, x)  # both are unjudged below
    scale = np.where((a > 0) & np.isfinite(a), a, 1.0)
    lowest, highest = (y - slack) / scale, (y + slack) / scale
    lowest, highest = lowest - relative * np.abs(lowest), highest + relative * np.abs(highest)
    below, above = threshold_bands(h)
    # Where a band is one number, a quotient on it goes up, down, or up from odd codes to even ones.
    single = below == above
    even = np.arange(255) % 2 == 1
    up = {"lower": np.zeros(255, bool), "upper": np.ones(255, bool), "even": even}[h.ties]
    up, down = single & up, single & ~up
    low = _count(lambda k: (above[k] < lowest) | (up[k] & (above[k] == lowest)), x.shape)
    high = _count(lambda k: (below[k] < highest) | (~down[k] & (below[k] == highest)), x.shape)
    if h.zero_block == "first_code":
        low, high = np.where(a == 0, 0, low), np.where(a == 0, 0, high)
    # Beyond these limits 1 / a over- or underflows, or is outside the range of a fast division.
    unjudged = np.isnan(a) | np.isinf(x) | (flush_subnormals & (a > 0) & (a < 2.0**-126))
    if h.normalise == "reciprocal":
        unjudged |= (a > 0) & (a <= 2.0**-128) | (flush_subnormals & (a > 2.0**126))
    if division_ulps > 0.5:
        unjudged |= (a > 0) & (a < 2.0**-126) | (a > 2.0**126)
    return np.where(unjudged, 0, low), np.where(unjudged, 255, high)
