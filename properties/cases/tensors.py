"""Reproducible tensors: a small specification that shrinks, and the array that it stands for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from truestep.fast.protocol import Array
from truestep.properties.arithmetic.formats import Format
from truestep.properties.cases.dice import Dice, rolled

# Around vector widths (4 to 16 lanes), block sizes (64, 256) and the empty and scalar edges.
SIZES = (1, 2, 0, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 255, 256, 257, 511, 513)
SHAPES = (
    *((n,) for n in SIZES),
    (),
    (1, 7),
    (7, 1),
    (3, 5),
    (16, 16),
    (17, 9),
    (2, 3, 4),
    (4, 1, 5),
)
LAYOUTS = ("contiguous", "offset", "strided", "transposed")
# Besides, rows of a wider memory: their elements lie together, but the rows do not.
ALL_LAYOUTS = (*LAYOUTS, "pitched")
KINDS = ("normal", "spread", "sparse", "constant", "zeros")
# Values that single elements are overwritten with, in units of the tensor's scale or as themselves.
NOT_FINITE = ("nan", "inf", "negative_inf")
EXTREMES = (*NOT_FINITE, "largest", "least_normal", "least_subnormal", "zero")
# Elements after which a tile repeats: a prime, so that it meets every lane of every vector.
PERIOD = 509
SPECIALS = ("zero", "negative_zero", "one", "tiny", "huge", "alternating")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor: seeded values of a kind, times 10^exponent, with some special elements.

    kind: "normal"; "positive", normal ones without their signs; "spread", magnitudes log-uniform
    over 10^-width..1; "sparse", mostly exact zeros; "constant"; "zeros"; "bits", uniform over the
    bit patterns of the format's finite numbers, whatever the exponent; "explicit", the elements
    given; "tiled", normal ones that repeat after PERIOD. specials: (position modulo size, name)
    pairs; of a tile, that repeat with it.
    """

    shape: tuple[int, ...]
    kind: str = "normal"
    seed: int = 0
    exponent: int = 0
    width: int = 6
    specials: tuple[tuple[int, str], ...] = ()
    layout: str = "contiguous"
    elements: tuple[float, ...] = ()


# Elements up to which a tensor counts as small: of those, a check's are kept for all backends.
_SMALL = 2**10


def values(spec: TensorSpec, format: Format) -> NDArray[np.float64]:
    """The numbers of the specification, rounded to the format, as float64; not to be written."""
    return (_of_small if math.prod(spec.shape) <= _SMALL else _of_large)(spec, format)


def _values(spec: TensorSpec, format: Format) -> NDArray[np.float64]:
    rng = np.random.default_rng(spec.seed)
    whole = int(np.prod(spec.shape))
    size = min(whole, PERIOD) if spec.kind == "tiled" else whole
    scale = 10.0**spec.exponent
    x = rng.standard_normal(size)
    if spec.kind == "spread":
        x = np.copysign(10.0 ** rng.uniform(-spec.width, 0, size), x)
    elif spec.kind == "sparse":
        x = np.where(rng.random(size) < 0.7, 0.0, x)
    elif spec.kind == "positive":
        x = np.abs(x)
    elif spec.kind == "constant":
        x = np.full(size, x[0] if size else 0.0)
    elif spec.kind == "zeros":
        x = np.zeros(size)
    elif spec.kind == "bits":
        x = _any_bits(rng, size, format)
    elif spec.kind == "explicit":
        x = np.resize(np.asarray(spec.elements, dtype=np.float64), size)
    if spec.kind != "bits":
        x = x * scale
    for position, name in spec.specials:
        if size:
            x[position % size] = _special(name, scale, x[position % size], format)
    if size < whole:
        x = np.resize(x, whole)
    limit = format.largest
    x = np.where(np.isinf(x), x, np.clip(x, -limit, limit))
    out = format.round(x).reshape(spec.shape)
    out.flags.writeable = False
    return out


_of_small, _of_large = lru_cache(maxsize=2**13)(_values), lru_cache(maxsize=2**6)(_values)


def _any_bits(rng: np.random.Generator, size: int, format: Format) -> NDArray[np.float64]:
    width = format.dtype.itemsize
    raw = rng.integers(0, 256, size=size * width, dtype=np.uint8)
    with np.errstate(invalid="ignore"):  # signalling nans among the patterns
        x = raw.view(format.dtype).astype(np.float64)
    return np.where(np.isfinite(x), x, 1.0)


def _special(name: str, scale: float, value: float, format: Format) -> float:
    named = {
        "inf": np.inf,
        "largest": format.largest,
        "least_normal": format.least_normal,
        "least_subnormal": 2 * format.eta,
        "nan": np.nan,
        "negative_inf": -np.inf,
        "negative_zero": -0.0,
        "one": 1.0,
        "tiny": scale * 1e-6,
        "huge": scale * 1e3,
        "zero": 0.0,
    }
    return named.get(name, -value)


def laid_out(x: Array, layout: str) -> Array:
    """x as a view of its own memory: one of ALL_LAYOUTS."""
    if layout == "offset":
        base = np.zeros(x.size + 1, dtype=x.dtype)
        view = base[1:].reshape(x.shape)
    elif layout == "strided" and x.ndim:
        base = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), dtype=x.dtype)
        view = base[..., ::2]
    elif layout == "pitched" and x.ndim > 1:
        view = np.zeros((*x.shape[:-1], x.shape[-1] + 3), dtype=x.dtype)[..., :-3]
    elif layout == "transposed" and x.ndim > 1:
        view = np.zeros(x.shape[::-1], dtype=x.dtype).T
    else:
        view = np.zeros(x.shape, dtype=x.dtype)
    view[...] = x
    return view


def array(spec: TensorSpec, format: Format) -> Array:
    """The array of the specification in the format's own dtype and the specified layout.

    Its nans are of all classes, as they come: kernels have taken some for numbers.
    """
    x = values(spec, format).astype(format.dtype)
    return laid_out(_of_every_class(x, format) if np.any(np.isnan(x)) else x, spec.layout)


def nans(format: Format) -> Array:
    """Nans of a format: quiet or not, least payload and full, either sign."""
    width = 8 * format.dtype.itemsize
    quiet, sign = 1 << (format.precision - 2), 1 << (width - 1)
    infinity = (sign - 1) & -(2 * quiet)
    bits = [infinity | x for x in (quiet, 2 * quiet - 1, 1, quiet - 1)]
    bits += [sign | x for x in bits]
    return np.array(bits, f"u{width // 8}").view(format.dtype)


def _of_every_class(x: Array, format: Format) -> Array:
    where = np.flatnonzero(np.isnan(x))
    x.reshape(-1)[where] = np.resize(nans(format), where.size)
    return x


def explicit(shape: tuple[int, ...], format: Format) -> st.SearchStrategy[TensorSpec]:
    """A small tensor element by element over the format's whole finite range."""
    widths: dict[int, Literal[16, 32, 64]] = {2: 16, 4: 32, 8: 64}
    width = widths[format.dtype.itemsize]
    number = st.floats(width=width, allow_nan=False, allow_infinity=False)
    size = int(np.prod(shape))
    return st.builds(
        TensorSpec,
        shape=st.just(shape),
        kind=st.just("explicit"),
        elements=st.lists(number, min_size=size, max_size=size).map(tuple),
    )


def specs(
    shapes: Sequence[tuple[int, ...]] = SHAPES,
    kinds: Sequence[str] = KINDS,
    exponents: tuple[int, int] = (-6, 2),
    specials: Sequence[str] = SPECIALS,
) -> st.SearchStrategy[TensorSpec]:
    """Specifications of tensors; simple ones first, so that counterexamples shrink to them."""
    return rolled(
        SPEC_BYTES, lambda dice: spec_of(dice, dice.one_of(shapes), kinds, exponents, specials)
    )


# What a specification takes of the dice.
SPEC_BYTES = 16


def spec_of(
    dice: Dice,
    shape: tuple[int, ...],
    kinds: Sequence[str] = KINDS,
    exponents: tuple[int, int] = (-6, 2),
    specials: Sequence[str] = SPECIALS,
) -> TensorSpec:
    """A specification as the dice fall."""
    return TensorSpec(
        shape=shape,
        kind=dice.one_of(kinds),
        seed=dice.between(0, 2**16),
        exponent=dice.between(*exponents),
        specials=tuple(
            (dice.between(0, 600), dice.one_of(specials)) for _ in range(dice.between(0, 2))
        ),
        layout=dice.one_of(LAYOUTS),
    )
