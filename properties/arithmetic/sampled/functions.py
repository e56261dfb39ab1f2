"""Reductions and structure of Sampled arrays: one handler per NumPy function."""

from collections.abc import Callable, Sequence

import numpy as np

import truestep.properties.arithmetic.sampled.decompositions as decompositions
from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.arithmetic.numpy_table import MOVES
from truestep.properties.arithmetic.sampled.operations import aligned, applied, entering, meeting
from truestep.properties.arithmetic.sampled.replicates import quantile, root_mean_square
from truestep.properties.arithmetic.sampled.rows import Rows, Sample
from truestep.properties.arithmetic.sampled.sums import Axis, axes_of, matmul, total
from truestep.reference.validation import Array

Order = int | str | None

Handler = Callable[..., Array]


def _mean(like: Sample, a: Sample, axis: Axis = None, keepdims: bool = False) -> Sample:
    n = int(np.prod([a.x.shape[i] for i in axes_of(a, axis)]))
    if not n:
        return like.like(a.x.mean(axis=axes_of(a, axis)))
    return applied(np.divide, total(like, a, axis, keepdims), like.lift(n))


def _norm(
    like: Sample, a: Sample, ord: Order = None, axis: Axis = None, keepdims: bool = False
) -> Sample:
    if ord not in (None, 2, "fro") or (ord == 2 and a.ndim > 1 and axis is None):
        raise TypeError(f"numpy.linalg.norm with ord={ord!r} is not supported on Sampled arrays")
    return applied(np.sqrt, total(like, applied(np.multiply, a, a), axis, keepdims))


def _picked(function: Handler) -> Handler:
    def handler(_: Sample, a: Sample, axis: Axis = None, keepdims: bool = False) -> Sample:
        return a.like(function(a.x, axis=axes_of(a, axis), keepdims=keepdims), host=False)

    return handler


def _where(like: Sample, condition: Array, x: Array, y: Array) -> Sample:
    operands = [like.lift(x), like.lift(y)]
    format, host = meeting(operands)
    if not host:
        operands = [entering(a, format) for a in operands]
    rows = aligned([like.lift(condition), *operands])
    return like.like(np.where(*rows), format, host=host)


def _clip(like: Sample, a: Array, low: Array, high: Array) -> Sample:
    return applied(np.minimum, applied(np.maximum, like.lift(a), like.lift(low)), like.lift(high))


def _joined(function: Handler) -> Handler:
    def handler(like: Sample, arrays: Sequence[Array], axis: int = 0) -> Sample:
        parts = [like.lift(a) for a in arrays]
        at = axis + 1 if axis >= 0 else axis
        return like.like(function([a.x for a in parts], axis=at), meeting(parts)[0], host=False)

    return handler


def _moved(function: Handler) -> Handler:
    """A function that only moves elements, or sets some to zero, in all rows alike."""

    def handler(_: Sample, a: Sample, *args: Array, **kwargs: Array) -> Sample:
        # Where each element comes from, in the layout of a row, which decides how NumPy sums it.
        places = np.empty_like(a.x[0], dtype=np.intp)
        places[...] = np.arange(1, a.size + 1).reshape(a.shape)
        origin = function(places, *args, **kwargs)
        inward = np.argsort([-stride for stride in origin.strides], kind="stable")
        flat = a.x.reshape(len(a.x), -1)
        if function in (np.diag, np.tril, np.triu):  # 0 stands for the zeros beside a diagonal
            flat, origin = np.concatenate([np.zeros_like(flat[:, :1]), flat], axis=1), origin + 1
        moved = np.take(flat, origin.transpose(inward) - 1, axis=1)
        return a.like(moved.transpose(0, *(1 + np.argsort(inward))))

    return handler


def _filled(value: float) -> Handler:
    return lambda _, a: a.exact(np.full(a.shape, value), a.world)


def _outer(like: Sample, a: Array, b: Array) -> Sample:
    left, right = like.lift(a), like.lift(b)
    return applied(np.multiply, left.reshape(-1, 1), right.reshape(1, -1))


def _vdot(like: Sample, a: Array, b: Array) -> Sample:
    products = applied(np.multiply, like.lift(a).reshape(-1), like.lift(b).reshape(-1))
    return total(like, products)


def _trace(like: Sample, a: Sample) -> Sample:
    return total(like, a.like(np.diagonal(a.x, axis1=1, axis2=2)))


def _sorted_by(_: Sample, a: Sample, indices: Array, axis: int = -1) -> Sample:
    """take_along_axis with indices that each row has of its own."""
    rows = indices.x.astype(np.int64) if isinstance(indices, Rows) else indices
    return a.like(np.take_along_axis(a.x, rows, axis=axis + 1 if axis >= 0 else axis))


def _argsort(_: Sample, a: Sample, axis: int = -1) -> Sample:
    """The order of each row; Undecided where roundings may exchange keys that stand side by side.

    That the replicates happen to agree on an order of noise says nothing of a kernel's.
    """
    along = axis + 1 if axis >= 0 else axis
    order = np.argsort(a.x, axis=along, kind="stable")
    keys = np.take_along_axis(a.x, np.broadcast_to(order[:1], a.x.shape), axis=along)
    keys = np.moveaxis(keys, along, -1)
    strayed = root_mean_square(keys[1:] - keys[0])
    apart = quantile(len(keys) - 1) * np.hypot(strayed[..., 1:], strayed[..., :-1])
    if np.any((apart > 0) & (np.diff(keys[0]) <= apart)):
        raise Undecided("rounding may turn the order of two keys")
    return a.like(order.astype(np.float64))


def _truth(function: Handler) -> Handler:
    return lambda _, a, axis=None: a.like(function(a.x, axis=axes_of(a, axis)))


MOVED = (*MOVES, np.diag, np.diagonal, np.repeat, np.roll, np.tril, np.triu)

FUNCTIONS: dict[Handler, Handler] = {
    **{move: _moved(move) for move in MOVED},
    np.all: _truth(np.all),
    np.any: _truth(np.any),
    np.argsort: _argsort,
    np.clip: _clip,
    np.concatenate: _joined(np.concatenate),
    np.dot: lambda like, a, b: matmul(like.lift(a), like.lift(b)),
    np.linalg.cholesky: decompositions.cholesky,
    np.linalg.eigh: decompositions.eigh,
    np.linalg.inv: decompositions.inv,
    np.linalg.norm: _norm,
    np.linalg.qr: decompositions.qr,
    np.linalg.solve: decompositions.solve,
    np.linalg.svd: decompositions.svd,
    np.max: _picked(np.max),
    np.mean: _mean,
    np.min: _picked(np.min),
    np.ones_like: _filled(1.0),
    np.outer: _outer,
    np.stack: _joined(np.stack),
    np.sum: total,
    np.take_along_axis: _sorted_by,
    np.trace: _trace,
    np.vdot: _vdot,
    np.where: _where,
    np.zeros_like: _filled(0.0),
}
