"""Where a simulated kernel runs: the declared arithmetic, and the source of its every choice."""

from dataclasses import dataclass
from functools import reduce
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from truestep.properties.arithmetic.formats import Format, format_named
from truestep.properties.arithmetic.profiles import Arithmetic
from truestep.reference.silence import SILENCE
from truestep.reference.validation import Array

Float = NDArray[np.float64]
Axis = int | tuple[int, ...] | None
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class World:
    """Where a simulation takes place: the declared arithmetic and the source of every choice."""

    arithmetic: Arithmetic
    rng: np.random.Generator

    def chance(self, p: float) -> bool:
        """True with probability p."""
        return bool(self.rng.random() < p)

    def round(self, x: Array, format: Format) -> Float:
        """x stored in the format; subnormals become zero where the arithmetic flushes them."""
        out = format.round(np.asarray(x, dtype=np.float64))
        if self.arithmetic.subnormals == "flushed":
            out = np.where(np.abs(out) < format.least_normal, 0.0, out)
        return out

    def inexact(self, x: Array, format: Format, ulps: float) -> Float:
        """x stored by an operation that errs by up to so many ulps, 0.5 for rounding alone."""
        if ulps > 0.5:
            size = np.abs(np.asarray(x, dtype=np.float64))
            ulp = np.exp2(np.floor(np.log2(np.maximum(size, format.least_normal)))) * 2 * format.u
            error = (ulps - 0.5) * self.rng.uniform(-1, 1, np.shape(x)) * ulp
            # Zero and one come out as they are; within one ulp, so does what the format holds.
            held = (size == 0) | (size == 1) | ~np.isfinite(size)
            held = held | (format.represents(x) & (ulps <= 1))
            x = np.where(held, x, x + error)
        return self.round(x, format)

    def divide(self, x: Array, y: Array, format: Format) -> Float:
        """x / y as accurate as the arithmetic's division."""
        exact = (np.abs(np.frexp(y)[0]) == 0.5) | (np.asarray(x) == 0)
        ulps = 0.5 if np.all(exact) else self.arithmetic.ulps_division
        return self.inexact(x / y, format, ulps)

    def shuffled(self, items: list[Item]) -> list[Item]:
        """The items in random order."""
        return [items[i] for i in self.rng.permutation(len(items))]

    def total(self, x: Float, format: Format, axis: Axis, *, keepdims: bool, mean: bool) -> Float:
        """The sum or the mean over axes, added in random order as the arithmetic declares."""
        axes = tuple(range(x.ndim)) if axis is None else tuple(np.atleast_1d(axis) % max(x.ndim, 1))
        kept = [i for i in range(x.ndim) if i not in axes]
        rows = np.transpose(x, (*axes, *kept)).reshape(-1, *(x.shape[i] for i in kept))
        n = len(rows)
        out = self._added(rows[self.rng.permutation(n)], format) if n else np.zeros(rows.shape[1:])
        if mean:
            out = self.divide(out, np.asarray(float(n)), format)
        return (
            out.reshape([1 if i in axes else m for i, m in enumerate(x.shape)]) if keepdims else out
        )

    def accumulator(self, format: Format) -> Format:
        """The format in which a chain of operations is computed: now and then a wider one."""
        return format_named("float64") if self.chance(0.15) else format

    def _added(self, rows: Float, format: Format) -> Float:
        """The sum of the rows as the arithmetic declares, or now and then more exactly."""
        if self.arithmetic.summation == "float64" or self.chance(0.15):
            return self.round(np.sum(rows, axis=0), format)
        if self.chance(0.15):
            return self._compensated(rows, format)
        if self.arithmetic.summation == "sequential":
            return reduce(lambda total, row: self.round(total + row, format), rows)
        while len(rows) > 1:
            odd = rows[len(rows) - len(rows) % 2 :]
            rows = self.round(rows[0 : len(rows) - len(odd) : 2] + rows[1 : len(rows) : 2], format)
            rows = np.concatenate([rows, odd])
        return np.asarray(rows[0])

    def _compensated(self, rows: Float, format: Format) -> Float:
        """The sum of the rows after Kahan and Neumaier: what each sum loses is added at the end."""
        total, lost = rows[0], np.zeros(rows.shape[1:])
        with SILENCE:
            for row in rows[1:]:
                longer, first = self.round(total + row, format), np.abs(total) >= np.abs(row)
                large, small = np.where(first, total, row), np.where(first, row, total)
                part = self.round(self.round(large - longer, format) + small, format)
                total, lost = longer, self.round(lost + part, format)
            # An infinite sum has lost what is no number.
            return np.where(np.isfinite(total), self.round(total + lost, format), total)

    def matmul(self, x: Float, y: Float, format: Format) -> Float:
        """A matrix product that adds its products in random order, fused or not."""
        total: Float = np.zeros((*x.shape[:-1], *y.shape[1:]))
        fused = self.arithmetic.contraction and self.chance(0.5)
        for k in self.rng.permutation(x.shape[-1]):
            product = np.multiply.outer(x[..., k], y[k]) if y.ndim > 1 else x[..., k] * y[k]
            product = product if fused else self.round(product, format)
            total = self.round(total + product, format)
        return total
