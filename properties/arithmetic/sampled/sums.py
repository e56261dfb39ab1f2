"""Sums and matrix products of Sampled arrays, as the declared order of summation lets them err."""

import numpy as np

from truestep.properties.arithmetic.formats import FORMATS, Format, format_named
from truestep.properties.arithmetic.profiles import Arithmetic
from truestep.properties.arithmetic.sampled.operations import Mask, meeting
from truestep.properties.arithmetic.sampled.replicates import Float, Replicates
from truestep.properties.arithmetic.sampled.rows import Rows, Sample

Axis = int | tuple[int, ...] | None

# Products that kernels of matrix multiplication add in one accumulator before they change panels.
_PANEL = 256
# Cosine between the terms of a sum and equal terms from which on they count as equal.
_ALIKE = 0.999
# A longer sum is split into this many parts, whose additions are rounded one by one.
_PARTS = 4


def matmul(a: Sample, b: Sample) -> Sample:
    """a @ b of vectors and matrices, as the declared order of summation lets it err."""
    world, arithmetic = a.world, a.world.arithmetic
    format, _ = meeting([a, b])
    left = a.x[:, None, :] if a.ndim == 1 else a.x
    right = b.x[:, :, None] if b.ndim == 1 else b.x
    if arithmetic.summation == "tensor_core":
        factor = format_named(arithmetic.input_format)
        left, right = world.rounded(left, factor), world.rounded(right, factor)
    inner = accumulator(arithmetic, format)
    k = left.shape[-1]
    parts, like_terms = [], np.zeros(1, dtype=bool)
    for part in _split(k, _PANEL):
        rows, columns = left[..., part], right[..., part, :]
        (a_rows, a_unit), (b_rows, b_unit) = _scaled(rows), _scaled(columns)
        size = a_unit * b_unit * np.sqrt((a_rows * a_rows) @ (b_rows * b_rows))
        total, count = rows @ columns, min(rows.shape[-1], _PANEL)
        alike = _alike(total, size, rows.shape[-1])
        like_terms = like_terms | alike
        parts.append(_astray(total, size, count, world, inner, alike))
    shape = (*left.shape[:-1], right.shape[-1])
    x = added(parts, world, inner) if parts else np.zeros(shape)
    x = world.rounded(x, format)
    world.watch(
        "matmul",
        x,
        lambda: np.isfinite(left).all(-1)[..., None] & np.isfinite(right).all(-2)[..., None, :],
    )
    most = min(k, _PANEL)
    chain = np.broadcast_to(np.where(like_terms, most, np.sqrt(most)) / np.sqrt(3), x.shape)
    if a.ndim == 1:
        x, chain = x[:, 0, ...], chain[:, 0, ...]
    if b.ndim == 1:
        x, chain = x[..., 0], chain[..., 0]
    return a.like(x, format, host=False, chain=chain)


def _split(n: int, least: int) -> list[slice]:
    step = max(least, -(-n // _PARTS), 1)
    return [slice(start, start + step) for start in range(0, n, step)]


def _scaled(x: Float) -> tuple[Float, float]:
    """x over its largest finite magnitude, whose squares neither overflow nor all vanish."""
    unit = float(np.max(np.abs(x), where=np.isfinite(x), initial=0.0)) or 1.0
    return x / unit, unit


def _alike(total: Float, terms: Float, n: int) -> Mask:
    """Where n terms, of which terms is the root of the sum of squares, are nearly one number."""
    return (n > 1) & (np.abs(total) >= _ALIKE * np.sqrt(n) * terms)


def _astray(
    total: Float, terms: Float, count: int, world: Replicates, format: Format, alike: Mask = False
) -> Float:
    """A sum whose so many roundings of partial sums erred: u / sqrt(3) times their sizes' norm.

    Of n terms of one size s, the partial sums' squares add up to n^2 s^2 / 2 where signs are mixed
    and to n^3 s^2 / 3 where they are not; terms is sqrt(n) s, and total the sum itself. Sums of
    like terms, as in a product of matrices of rank one, err alike: a second error is common to a
    row, a third to a column. Equal terms are rounded the same way at one addition after another,
    and their errors add up to count / 2 and not to its root.
    """
    unit = format.u / np.sqrt(3)
    size = np.hypot(np.sqrt(count / 2) * terms, np.sqrt(count / 3) * total)
    shape = total.shape[1:]
    lines = [tuple(n if i == j else 1 for j, n in enumerate(shape)) for i in range(len(shape))]
    common = sum((world.normal(line) for line in lines), start=np.zeros(1))
    common = common * np.where(alike, np.maximum(count / 2, 1.0), np.sqrt(count / 3))
    out = total.copy()
    out[1:] += unit * (world.normal(shape) * size + common * total)[1:]
    return out


def accumulator(arithmetic: Arithmetic, format: Format) -> Format:
    """The format in which sums run: float32 in a tensor core."""
    if arithmetic.summation == "float64":
        return FORMATS["float64"]
    return FORMATS["float32"] if arithmetic.summation == "tensor_core" else format


def added(parts: list[Float], world: Replicates, format: Format) -> Float:
    """The sum of the parts, rounded at random after every addition: one by one or in pairs."""
    if world.arithmetic.summation == "pairwise":
        while len(parts) > 1:
            pairs = [
                world.rounded(x + y, format) for x, y in zip(parts[::2], parts[1::2], strict=False)
            ]
            parts = pairs + (parts[-1:] if len(parts) % 2 else [])
        return parts[0]
    total = parts[0]
    for part in parts[1:]:
        total = world.rounded(total + part, format)
    return total


def axes_of(a: Rows, axis: Axis) -> tuple[int, ...]:
    """The axes of the rows that stand for these axes of the value; all for None."""
    if axis is None:
        return tuple(range(1, a.ndim + 1))
    return tuple(int(i) % max(a.ndim, 1) + 1 for i in np.atleast_1d(axis))


def total(_: Sample, a: Sample, axis: Axis = None, keepdims: bool = False) -> Sample:
    """Sum over axes: parts err as their sizes let them, and their additions are rounded."""
    world, arithmetic = a.world, a.world.arithmetic
    axes = axes_of(a, axis)
    kept = [i for i in range(1, a.x.ndim) if i not in axes]
    terms = a.x.transpose(0, *kept, *axes).reshape(len(a.x), *(a.x.shape[i] for i in kept), -1)
    inner = accumulator(arithmetic, a.format)
    n = terms.shape[-1]
    parts = []
    for part in _split(n, 1):
        some, unit = _scaled(terms[..., part])
        size, count = unit * np.sqrt((some * some).sum(-1)), arithmetic.additions(some.shape[-1])
        parts.append(_astray(terms[..., part].sum(-1), size, count, world, inner))
    x = added(parts, world, inner) if parts else np.zeros(terms.shape[:-1])
    if n > 1:
        x = world.rounded(x, a.format)
        world.watch("sum", x, lambda: np.isfinite(terms).all(-1))
    if keepdims:
        x = x.reshape(len(x), *(1 if i in axes else a.x.shape[i] for i in range(1, a.x.ndim)))
    return a.like(x, host=False)
