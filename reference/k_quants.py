"""ggml's K-quants: blocks of 256 whose parts have integer scales and minima under float16 numbers.

Rule
    s_p = d scale_p, m_p = dmin min_p of part p
    Q4_K, Q5_K: x~_i = code_i s_p - m_p
    Q6_K: x~_i = (code_i - 32) s_p
    code_i = the code whose value is nearest to x_i, within the codes
    rms_p = the root of the mean square of x~_i - x_i over part p
        Q4_K, Q5_K: <= that of the grid below and what rounded scales and minima may add
        Q6_K: <= twice what the grid below may err by

Shapes
    x: any shape; code: uint8, shaped like x, one code to a byte. One per 256 elements in C order:
    d, float16, and of Q4_K and Q5_K dmin, float16; in rows of one per part: scale, of Q4_K and Q5_K
    uint8 below 64, of Q6_K int8, and min, uint8 below 64. Parts have 32 elements, of Q6_K 16.

Domain
    x holds float32 values. What is said of codes holds for scales between 2^-126 and 2^126.

Choices
    none: whoever encodes is free in scales and minima. ggml's C takes, of some twenty grids a part,
    the one of least weighted error: which, the order of its sums decides where two are close, and
    the search was another in each of make_qkx1_quants, make_qkx2_quants and make_qkx3_quants. Its
    Python has none. `encode` takes the extremes of each part, with 0, and no element is off by more
    than half a step of that grid and what scale and minimum are rounded by. A search starts there
    and takes what errs less, by weights of rms + |x| or by none; then scales and minima are
    rounded. So by one of both the error is at most the grid's own with the farthest that an element
    moves. Its steps are at most 1.4 times as wide: 15 / 14 is the first it tries, and a slope of
    least squares is 1/2 over the deviation of codes more, which both ends keep above 1.9. With
    weights of a user the error may be larger: none are handed over.

Special cases
    Codes of a part with a scale of 0 or one that is not finite are free.

Judged
    Codes from the kernel's own scales and minima, either of two that are equally near; decoded
    values bit for bit. The error of every part whose block is finite and has a d and a dmin within
    float16, of Q4_K and Q5_K as far as their own d and dmin let elements move.

Sources
    llama.cpp, ggml-common.h, block_q4_K, block_q5_K and block_q6_K; ggml-quants.c,
    dequantize_row_q4_K, dequantize_row_q5_K, dequantize_row_q6_K, and the last loops of
    quantize_row_q4_K_ref, quantize_row_q5_K_ref and quantize_row_q6_K_ref.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from truestep.reference import declared
from truestep.reference.around import Around
from truestep.reference.block_formats import BlockFormat
from truestep.reference.block_scales import OWN, U
from truestep.reference.format_rows import Row
from truestep.reference.stored_arrays import Stored
from truestep.reference.validation import Array

_BLOCK = 256
# What a float16 can be.
_LARGEST = float(np.finfo(np.float16).max)
# How much wider than the plain grid's a step that a search takes may be.
_WIDER = 1.4
_FLOAT16, _UINT8, _INT8 = np.dtype(np.float16), np.dtype(np.uint8), np.dtype(np.int8)


class Hyper(declared.Hyper):
    """None."""


@dataclass(frozen=True)
class KQuant(Around):
    """A format: what cuts the blocks, elements to a part, and whether parts have minima."""

    cut: BlockFormat
    part: int
    minima: bool
    # Scales are free, so that there are no laws of them.
    LAWS: ClassVar[tuple[str, ...]] = ()
    EXACT = SCALES = STORES = False
    SCALE = "d"
    DIALECTS: ClassVar[Mapping[str, Mapping[str, str]]] = {}

    def __post_init__(self) -> None:
        self.named(self.cut.name, self.cut.row.about, _SHARED)

    @property
    def middle(self) -> int:
        """The code whose value is 0, without the minimum."""
        return 0 if self.minima else len(self.cut.row.elements) // 2

    @property
    def most(self) -> int:
        """The largest integer of a scale or a minimum."""
        return 63 if self.minima else 127

    def units(self, h: declared.Hyper, x: Array) -> Array:
        """Blocks of these numbers, whose first part makes d 1, in the others scales of 1."""
        largest = self.cut.row.elements[-1]
        shape = _BLOCK // self.part - 1, self.part - 1
        rows = np.zeros((-(-x.size // (shape[0] * shape[1])), *shape))
        rows.reshape(-1)[: x.size] = x
        made = np.insert(rows, 0, largest, axis=-1)
        first = np.zeros_like(made[:, :1])
        first[..., 0] = self.most * largest
        return np.concatenate([first, made], axis=1).reshape(len(rows), _BLOCK)

    def beside(self, h: declared.Hyper, shape: tuple[int, ...]) -> Mapping[str, Stored]:
        """What is stored beside the codes of a tensor of this shape."""
        blocks = self.cut.groups(h, shape)
        one, parts = (blocks,), (blocks, _BLOCK // self.part)
        if not self.minima:
            scale = Stored(_INT8, parts, codes=256, least=-128)
            return {"d": Stored(_FLOAT16, one), "scale": scale}
        six = Stored(_UINT8, parts, codes=64)
        return {
            "d": Stored(_FLOAT16, one), "dmin": Stored(_FLOAT16, one), "scale": six, "min": six,
        }  # fmt: skip

    def second_rounding(self, h: declared.Hyper) -> float:
        """Nothing: all factors are exact in float32."""
        return 0.0

    def per_part(self, shape: tuple[int, ...], float16: Array, codes: Array) -> Array:
        """The product of every element's part, exact in float64."""
        with np.errstate(invalid="ignore"):
            made = np.asarray(float16, np.float64)[:, None] * np.asarray(codes, np.float64)
        return made.reshape(-1)[np.arange(int(np.prod(shape))).reshape(shape) // self.part]

    def steps(self, shape: tuple[int, ...], *held: Array) -> tuple[Array, Array]:
        """Scale and minimum of every element."""
        if not self.minima:
            return self.per_part(shape, *held), np.zeros(shape)
        d, dmin, scale, least = held
        return self.per_part(shape, d, scale), self.per_part(shape, dmin, least)

    def decode(self, h: declared.Hyper, code: Array, *held: Array) -> Array:
        """The value of every code, exact in float64."""
        s, m = self.steps(code.shape, *held)
        with np.errstate(invalid="ignore"):
            v = (code.astype(np.float64) - self.middle) * s
            return v - m if self.minima else v

    def encode(self, h: declared.Hyper, x: Array) -> tuple[Array, ...]:
        """The codes of x and one choice of scales and minima."""
        x = np.asarray(x, np.float64)
        width, depth = self.grid(h, np.where(np.isfinite(x), x, 0.0))
        top, most = len(self.cut.row.elements) - 1, self.most
        d, scale = self._shared(width, most)
        held: tuple[Array, ...] = (d, scale.astype(np.int8))
        if self.minima:
            dmin, least = self._shared(depth, most)
            held = (d, dmin, scale.astype(np.uint8), least.astype(np.uint8))
        s, m = self.steps(x.shape, *held)
        usable = (s != 0) & np.isfinite(x) & np.isfinite(s) & np.isfinite(m)
        q = np.where(usable, x + np.where(usable, m, 0.0), 0.0) / np.where(usable, s, 1.0)
        return np.clip(np.rint(q) + self.middle, 0, top).astype(np.uint8), *held

    def grid(self, h: declared.Hyper, x: Array) -> tuple[Array, Array]:
        """Of every part, in rows of a block, the step and the minimum that its extremes ask for."""
        blocks = self.cut.groups(h, x.shape)
        whole = np.zeros(blocks * _BLOCK)
        whole[: x.size] = x.reshape(-1)
        parts = whole.reshape(blocks, _BLOCK // self.part, self.part)
        low, high = parts.min(axis=-1, initial=0.0), parts.max(axis=-1, initial=0.0)
        if self.minima:
            return (high - low) / (len(self.cut.row.elements) - 1), -low
        return np.maximum(high, -low) / (self.middle - 1), np.zeros_like(low)

    def misfits(
        self, h: declared.Hyper, x: Array, back: Array, *held: Array
    ) -> tuple[Array, Array]:
        """Of every part the root of the mean square error, and the largest that it may be.

        Both 0 where a block is not finite or asks for numbers beyond float16.
        """
        x = np.asarray(x, np.float64)
        width, depth = self.grid(h, x)
        most = self.most
        units = [sizes.max(axis=-1, initial=0.0, keepdims=True) / most for sizes in (width, depth)]
        known = np.isfinite(width).all(axis=-1, keepdims=True)
        for unit in units:
            known = known & (unit < _LARGEST)
        with np.errstate(invalid="ignore"):
            error = back.astype(np.float64) - x
        if self.minima:
            own = [np.asarray(kept, np.float64)[:, None] for kept in held[:2]]
            steps = [np.minimum(_WIDER * unit, d) for unit, d in zip(units, own, strict=True)]
            found = self._by_weights(x, error, width, depth, self._moved(steps))
        else:
            # Half a step of the grid, doubled: its weights are the squares of x.
            farthest = width / 2 + self._moved(units)
            found = self._means(np.ones(x.shape), error, width.shape), 2 * farthest
        return np.where(known, found[0], 0.0), np.where(known, found[1], 0.0)

    def _moved(self, units: list[Array]) -> Array:
        """How far an element moves as d and dmin are rounded to float16, their factors to 1."""
        off = [unit / 2 + self.most * (unit * 2.0**-11 + 2.0**-25) for unit in units]
        farthest = len(self.cut.row.elements) - 1 - (0 if self.minima else self.middle - 1)
        moved: Array = farthest * off[0] + (off[1] if self.minima else 0.0)
        return moved

    def _by_weights(
        self, x: Array, error: Array, width: Array, depth: Array, moved: Array
    ) -> tuple[Array, Array]:
        """Errors and their limits by that of both weights that is the better for the kernel."""
        part = (np.arange(x.size) // self.part).reshape(x.shape)
        s, m = width.reshape(-1)[part], depth.reshape(-1)[part]
        with np.errstate(invalid="ignore"):
            q = np.where(s > 0, (x + m) / np.where(s > 0, s, 1.0), 0.0)
            plain = np.clip(np.rint(q), 0, len(self.cut.row.elements) - 1) * s - m - x
        even = np.ones(x.shape)
        size = self._means(even, x, width.shape).reshape(-1)[part] + np.abs(x)
        found = []
        for weights in (even, np.where(size > 0, size, 1.0)):
            limit = self._means(weights, plain, width.shape) * (1 + 2 * self.part * U) + moved
            found.append((self._means(weights, error, width.shape), limit))
        (a, limit), (b, other) = found
        first = a * other <= b * limit
        return np.where(first, a, b), np.where(first, limit, other)

    def _means(self, weights: Array, y: Array, parts: tuple[int, ...]) -> Array:
        """The root of the weighted mean square of every part."""
        part = np.arange(y.size) // self.part
        count = int(np.prod(parts))
        with np.errstate(invalid="ignore", over="ignore"):
            sums = np.bincount(part, (weights * y * y).reshape(-1), count)
            shares = np.bincount(part, weights.reshape(-1), count)
            return np.sqrt(sums / np.where(shares > 0, shares, 1.0)).reshape(parts)

    @staticmethod
    def _shared(sizes: Array, most: int) -> tuple[Array, Array]:
        """A float16 for every block, and the integers times which it comes nearest to these."""
        with np.errstate(over="ignore"):
            d = (sizes.max(axis=-1, initial=0.0) / most).astype(np.float16)
        wide = np.where(d > 0, d, np.float16(1)).astype(np.float64)[:, None]
        return d, np.clip(np.rint(sizes / wide), 0, most)

    def intervals(
        self, h: declared.Hyper, x: Array, *held: Array, division_ulps: float
    ) -> Mapping[str, tuple[Array, Array]]:
        """Every integer there is: scales and minima are free."""
        due = {}
        for name, kept in self.beside(h, x.shape).items():
            if kept.codes:
                low = np.full(kept.shape, kept.least)
                due[name] = low, low + kept.codes - 1
        return due

    def admissible(
        self,
        h: declared.Hyper,
        x: Array,
        *held: Array,
        division_ulps: float = 0.5,
        flush_subnormals: bool = False,
    ) -> tuple[Array, Array]:
        """The least and the largest code nearest to x under the kernel's own scales and minima.

        An element with the interval of all codes is not judged.
        """
        top = len(self.cut.row.elements) - 1
        s, m = self.steps(x.shape, *held)
        size = np.abs(s)
        known = (size >= 2.0**-126) & (size <= 2.0**126) & np.isfinite(x) & np.isfinite(m)
        q = np.where(known, x + np.where(known, m, 0.0), 0.0) / np.where(known, s, 1.0)
        # A sum of x and the minimum, and a quotient or the product with a rounded reciprocal.
        slack = (2 * U + 2 * division_ulps * U + OWN) * np.abs(q) + OWN
        ends = np.ceil(q - slack - 0.5), np.floor(q + slack + 0.5)
        low, high = (np.clip(end + self.middle, 0, top) for end in ends)
        return np.where(known, low, 0), np.where(known, high, top)


# What all formats have in common, from the sections on.
_SHARED = (__doc__ or "").partition("\n\n")[2]


def _format(bits: int, part: int, *, minima: bool) -> KQuant:
    half = 0 if minima else 2 ** (bits - 1)
    about = f"llama.cpp's Q{bits}_K: integers of {bits} bits, parts of {part} elements"
    elements = tuple(float(k - half) for k in range(2**bits))
    row = Row(about, elements, "float16", Hyper, block=_BLOCK)
    return KQuant(BlockFormat(f"q{bits}_k", row), part, minima)


FORMATS: dict[str, Array] = {
    "q4_k": _format(4, 32, minima=True),
    "q5_k": _format(5, 32, minima=True),
    "q6_k": _format(6, 16, minima=False),
}
