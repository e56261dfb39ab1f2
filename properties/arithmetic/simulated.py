"""Simulated kernels: a reference formula in a narrow format, in a random but faithful order.

Products and sums stay unevaluated until a value is needed; then factors and terms are combined in a
random order, constants of the host folded or not, divisions by constants turned into products with
a reciprocal or not, a product that meets a sum fused or not, a term whose coefficient is exactly 0
left out or not; now and then a chain is computed in float64, or a sum over many compensated as
Kahan's. Every result is one that a correct kernel may give, so every result must lie within the
bound that Bounded derives: this is how the bounds' soundness is tested. Values are float64 numbers
of the narrow format; formats wider than float32 are not simulated, since products of their numbers
are not exact in float64.

Over 300 lines, because expressions, what evaluates them and what builds new ones need one another.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import erfinv

from truestep.properties.arithmetic.counter import Counter
from truestep.properties.arithmetic.formats import Format, format_named
from truestep.properties.arithmetic.numpy_table import COMPARISONS, MOVES
from truestep.properties.arithmetic.profiles import Arithmetic
from truestep.properties.arithmetic.world import Axis, Float, World
from truestep.reference.silence import SILENCE
from truestep.reference.validation import Array

Handler = Callable[..., Array]


class Simulated(np.lib.mixins.NDArrayOperatorsMixin):
    """A value, or an unevaluated product (factors, exponents +-1) or sum (terms, signs +-1)."""

    __slots__ = ("_value", "format", "host", "kind", "parts", "shape", "world")
    __array_priority__ = 1000

    def __init__(
        self,
        world: World,
        format: Format,
        value: Float | None,
        *,
        host: bool = False,
        kind: str = "value",
        parts: tuple[tuple[Simulated, int], ...] = (),
    ) -> None:
        self.world = world
        self.format = format
        self._value = value
        self.host = host
        self.kind = kind
        self.parts = parts
        self.shape: tuple[int, ...] = (
            np.shape(value)
            if value is not None
            else np.broadcast_shapes(*(part.shape for part, _ in parts))
        )

    @classmethod
    def of(cls, x: Array, world: World) -> Simulated:
        """Tensor x of numbers of the compute format."""
        format = world.arithmetic.format
        return cls(world, format, world.round(x, format))

    @classmethod
    def hyper(cls, x: float, world: World) -> Simulated:
        """Host scalar x."""
        format = format_named(world.arithmetic.hyper)
        return cls(world, format, world.round(x, format), host=True)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape))

    @property
    def T(self) -> Simulated:
        """The transpose."""
        return self._like(self.value.T)

    def reshape(self, *shape: Array) -> Simulated:
        """The same elements in another shape."""
        return self._like(self.value.reshape(*shape))

    def __getitem__(self, index: Array) -> Simulated:
        return self._like(np.asarray(self.value[index]))

    def __len__(self) -> int:
        return self.shape[0]

    def __bool__(self) -> bool:
        raise TypeError("the truth of a Simulated array is not defined: use numpy.where")

    @property
    def value(self) -> Float:
        """The numbers, evaluated now if they were not yet."""
        if self._value is None:
            with SILENCE:
                self._value = _product(self) if self.kind == "product" else _sum(self)
        return self._value

    def _like(self, value: Array) -> Simulated:
        return Simulated(self.world, self.format, np.asarray(value), host=self.host)

    def _lift(self, x: Array) -> Simulated:
        if isinstance(x, Simulated):
            return x
        if isinstance(x, Counter):
            format = format_named(self.world.arithmetic.counter)
            return Simulated(self.world, format, self.world.round(int(x), format), host=True)
        if isinstance(x, (int, float)):
            return Simulated(self.world, format_named("float64"), np.asarray(float(x)), host=True)
        return Simulated.of(x, self.world)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Array, **kwargs: Array) -> Array:
        if method != "__call__" or kwargs:
            raise TypeError(f"numpy.{ufunc.__name__} is not supported on Simulated arrays")
        operands = [self._lift(x) for x in args]
        chain = CHAINS.get(ufunc)
        if chain is not None:
            return _chained(operands[0], operands[1], *chain)
        if ufunc is np.square:
            return _chained(operands[0], operands[0], "product", 1)
        if ufunc is np.negative:
            return _chained(self._lift(0), operands[0], "sum", -1)
        if ufunc in (*COMPARISONS, np.isfinite, np.isnan):
            return ufunc(*(a.value for a in operands))
        if ufunc is np.matmul:
            with SILENCE:
                a, b = operands
                return a._like(self.world.matmul(a.value, b.value, a.format))
        if ufunc not in ROUNDED:
            raise TypeError(f"numpy.{ufunc.__name__} is not supported on Simulated arrays")
        format, host = _meeting(operands)
        with SILENCE:
            x = ufunc(*(_entering(a, format) for a in operands))
            ulps = _ulps(ufunc, self.world.arithmetic)
            return Simulated(self.world, format, self.world.inexact(x, format, ulps), host=host)

    def __array_function__(self, function: Handler, _: object, args: Array, kwargs: Array) -> Array:
        with SILENCE:
            if function in REDUCED:
                return _reduced(function, *args, **kwargs)
            if function in (*MOVES, np.ones_like, np.sort, np.zeros_like):
                return args[0]._like(function(args[0].value, *args[1:], **kwargs))
            if function in (np.where, np.clip):
                return _selected(function, args[0], [self._lift(x) for x in args[1:]])
            if function in (np.concatenate, np.stack):
                return self._array(function([self._lift(x).value for x in args[0]], **kwargs))
        raise TypeError(f"numpy.{function.__name__} is not supported on Simulated arrays")

    def _array(self, x: Array) -> Simulated:
        return Simulated.of(x, self.world)


def _meeting(operands: list[Simulated]) -> tuple[Format, bool]:
    arrays = [a for a in operands if not a.host]
    if arrays:
        return arrays[0].format, False
    return max((a.format for a in operands), key=lambda f: f.u), True


def _entering(a: Simulated, format: Format) -> Float:
    """The value of a as an operand in that format: a host scalar is rounded to it."""
    return a.world.round(a.value, format) if a.host else a.value


def _selected(function: Handler, first: Array, others: list[Simulated]) -> Simulated:
    """where(condition, a, b) or clip(a, low, high): only host scalars that enter are rounded."""
    operands = [first, *others] if function is np.clip else others
    format, host = _meeting(operands)
    values = [_entering(a, format) for a in operands]
    chosen = function(*values) if function is np.clip else function(first, *values)
    return Simulated(others[0].world, format, np.asarray(chosen), host=host)


def _ulps(ufunc: np.ufunc, arithmetic: Arithmetic) -> float:
    if ufunc is np.sqrt:
        return arithmetic.ulps_sqrt
    if ufunc is np.power:
        return arithmetic.ulps_power
    return arithmetic.ulps_function if ufunc in FUNCTIONS else 0.5


def _chained(a: Simulated, b: Simulated, kind: str, sign: int) -> Simulated:
    """a * b, a / b, a + b or a - b, unevaluated; an operand's own chain is spliced in or not."""
    world = a.world
    format, host = _meeting([a, b])
    if kind == "product" and sign > 0 and not host:
        for factor, x in ((a, b), (b, a)):
            if factor.host and (share := _share(factor)) is not None and world.chance(0.3):
                return _chained(x, _chained(share, x, "product", 1), "sum", -1)
    parts: list[tuple[Simulated, int]] = []
    for operand, s in ((a, 1), (b, sign)):
        spliced = operand.kind == kind and operand._value is None and operand.host == host
        if spliced and world.chance(0.7):
            parts += [(part, inner * s) for part, inner in operand.parts]
        else:
            parts.append((operand, s))
    out = Simulated(world, format, None, host=host, kind=kind, parts=tuple(parts))
    if host:
        _ = out.value
    return out


def _share(factor: Simulated) -> Simulated | None:
    """The a of a host scalar 1 - a, where it is a product: x - a x is as good as (1 - a) x."""
    if factor.kind != "sum" or len(factor.parts) != 2:
        return None
    (one, plus), (share, minus) = factor.parts
    multiplied = share.kind == "product" and all(sign > 0 for _, sign in share.parts)
    return share if (plus, minus) == (1, -1) and one.value == 1 and multiplied else None


def _factors(node: Simulated) -> list[tuple[Float, int]]:
    """Factors in the node's format, in random order; the host's may be folded into one constant."""
    world, format = node.world, node.format
    parts = list(node.parts)
    out: list[tuple[Float, int]] = []
    hosts = [(p, s) for p, s in parts if p.host]
    if not node.host and len(hosts) > 1 and world.chance(0.5):
        folded = 1.0
        wide = max((p.format for p, _ in hosts), key=lambda f: f.u)
        for p, s in hosts:
            folded = float(
                world.round(folded * p.value, wide)
                if s > 0
                else world.divide(folded, p.value, wide)
            )
        out.append((world.round(folded, format), 1))
        parts = [(p, s) for p, s in parts if not p.host]
    for p, s in parts:
        if p.host and s < 0 and not node.host and world.chance(0.3):
            out.append((world.divide(1.0, p.value, format), 1))
        else:
            out.append((_entering(p, format), s))
    out = world.shuffled(out)
    lead = next(i for i, (_, s) in enumerate(out) if s > 0)
    return [out[lead], *out[:lead], *out[lead + 1 :]]


def _combined(node: Simulated, factors: list[tuple[Float, int]], format: Format) -> Float:
    world = node.world
    value = factors[0][0]
    for x, s in factors[1:]:
        value = world.round(value * x, format) if s > 0 else world.divide(value, x, format)
    return value


def _product(node: Simulated) -> Float:
    format = node.format if node.host else node.world.accumulator(node.format)
    return node.world.round(_combined(node, _factors(node), format), node.format)


def _present(node: Simulated) -> list[tuple[Simulated, int]]:
    """The terms of a sum that a kernel computes: those whose coefficient is 0 it may leave out."""
    world = node.world
    parts = [one for one in node.parts if not (_vanishes(one[0]) and world.chance(0.5))]
    return parts or list(node.parts)


def _vanishes(term: Simulated) -> bool:
    """Whether a constant of the host is a factor, and zero."""
    product = term.kind == "product" and term._value is None and not term.host
    return product and any(p.host and s > 0 and not np.any(p.value) for p, s in term.parts)


def _sum(node: Simulated) -> Float:
    world = node.world
    terms = world.shuffled(_present(node) if not node.host else list(node.parts))
    format = node.format if node.host else world.accumulator(node.format)
    fusable = world.arithmetic.contraction and not node.host and world.chance(0.5)
    total: Float | None = None
    for part, s in terms:
        if total is None:
            total = s * _entering(part, format)
        elif fusable and part.kind == "product" and part._value is None:
            factors = _factors(part)
            times = [i for i, (_, e) in enumerate(factors) if e > 0]
            if len(times) < 2:
                total = world.round(total + s * part.value, format)
                continue
            last = factors.pop(times[-1])[0]
            total = world.round(total + s * (_combined(part, factors, format) * last), format)
        else:
            total = world.round(total + s * _entering(part, format), format)
    assert total is not None
    total = world.round(total, node.format)
    return np.array(np.broadcast_to(total, node.shape)) if np.shape(total) != node.shape else total


def _reduced(
    function: Handler, a: Simulated, axis: Axis = None, keepdims: bool = False
) -> Simulated:
    if function not in (np.sum, np.mean):
        return a._like(function(a.value, axis=axis, keepdims=keepdims))
    mean = function is np.mean
    return a._like(a.world.total(a.value, a.format, axis, keepdims=keepdims, mean=mean))


CHAINS: dict[np.ufunc, tuple[str, int]] = {
    np.add: ("sum", 1),
    np.divide: ("product", -1),
    np.multiply: ("product", 1),
    np.subtract: ("sum", -1),
}
FUNCTIONS = (np.arctan, np.cos, np.exp, np.log, np.sin, np.tanh, erfinv)
ROUNDED = (
    *FUNCTIONS, np.absolute, np.maximum, np.minimum, np.positive, np.power, np.sign, np.sqrt,
)  # fmt: skip
REDUCED = (np.max, np.mean, np.min, np.sum)
