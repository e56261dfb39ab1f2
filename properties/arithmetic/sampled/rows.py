"""What a Sampled array holds, and how a number enters it."""

from dataclasses import KW_ONLY, dataclass
from typing import Self, TypeVar

import numpy as np

from truestep.properties.arithmetic.counter import Counter
from truestep.properties.arithmetic.formats import FORMATS, Format, format_named
from truestep.properties.arithmetic.sampled.replicates import Float, Replicates
from truestep.reference.validation import Array


@dataclass(slots=True, eq=False, repr=False)
class Rows:
    """A value in row 0 of x and its replicates: x of shape (1 + count, *shape), float64 or bool.

    Shape and axes leave the rows out. host: a scalar that the host computes in its own format;
    meeting an array, it is rounded to the array's format. chain: of a matrix product that no other
    array has met yet, how many roundings, as a root mean square, the additions of its products one
    by one onto another number make. shrinks: of a host scalar 1 - a, where a is a product (lr
    weight_decay), |a|: a kernel may as well subtract a x from x. Of other products of host scalars
    0, else None.
    """

    x: Array
    world: Replicates
    format: Format
    _: KW_ONLY
    host: bool = False
    chain: Float | None = None
    shrinks: float | None = None

    @classmethod
    def exact(cls, x: Array, world: Replicates) -> Self:
        """Tensor x, which every kernel reads as it is, but for subnormals that it may flush."""
        value, format = np.asarray(x), world.arithmetic.format
        if value.dtype != bool:
            value = value.astype(np.float64)
        rows = np.broadcast_to(value, (world.count + 1, *value.shape))
        if world.arithmetic.subnormals == "flushed" and value.dtype != bool:
            rows = np.concatenate([rows[:1], world.flushed(rows[1:], format)])
        return cls(rows, world, format)

    @classmethod
    def hyper(cls, x: float, world: Replicates, format: Format | None = None) -> Self:
        """Host scalar x, rounded where the host keeps it in a narrower format than float64."""
        where = format or format_named(world.arithmetic.hyper)
        rows = np.full(world.count + 1, float(x))
        if where != FORMATS["float64"]:
            rows = world.rounded(rows, where)
        return cls(rows, world, where, host=True)

    def like(
        self,
        x: Array,
        format: Format | None = None,
        *,
        host: bool | None = None,
        chain: Float | None = None,
    ) -> Self:
        """Rows x in this array's world."""
        host = self.host if host is None else host
        return type(self)(x, self.world, format or self.format, host=host, chain=chain)

    def lift(self, x: Array) -> Self:
        """x, a number or an array, in this array's world."""
        if isinstance(x, type(self)):
            return x
        if isinstance(x, Counter):
            return self.hyper(float(x), self.world, format_named(self.world.arithmetic.counter))
        if isinstance(x, (bool, int, float, np.integer, np.floating)):
            return self.hyper(float(x), self.world, FORMATS["float64"])
        return self.exact(x, self.world)

    def stored(self, tensor: str) -> Self:
        """This output after it is stored as the named tensor."""
        return self._entering(self.world.arithmetic.stored(tensor))

    def staged(self, name: str) -> Self:
        """This array as it enters the named stage of a rule, in the format declared for it."""
        arithmetic = self.world.arithmetic
        return self._entering(format_named(arithmetic.stages.get(name, arithmetic.compute)))

    def _entering(self, format: Format) -> Self:
        if format == self.format:
            return self
        return self.like(self.world.rounded(self.x, format), format, host=False)

    def symmetric(self) -> Self:
        """This matrix, half of the replicates transposed."""
        turned = self.world.rng.random(len(self.x)) < 0.5
        turned[0] = False
        return self.like(np.where(turned[:, None, None], self.x.transpose(0, 2, 1), self.x))

    def reshape(self, *shape: int | tuple[int, ...]) -> Self:
        """The same elements in another shape."""
        to = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        whole = np.empty(self.shape, dtype=bool).reshape(to).shape  # type: ignore[arg-type]
        return self.like(self.x.reshape(len(self.x), *whole))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value."""
        return tuple(self.x.shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes of the value."""
        return int(self.x.ndim) - 1

    @property
    def size(self) -> int:
        """Number of elements of the value."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Sampled({self.x[0]!r}, {self.world.count} replicates, {self.format.name})"


Sample = TypeVar("Sample", bound=Rows)
