"""What a rule declares field by field: ranges of hyperparameters, behaviour of the state.

Over 120 lines: ranges and behaviour are one vocabulary for validation, drawing and laws.

A field of Hyper is annotated with its range (or is a Literal, a dialect), one of State with its
behaviour: `lr: Rate = 1e-3`, `m: First`. The annotations are read when the class is made, so that
a field without one is an error at import. Validation, drawing and the laws follow from them.

usual: the values that are drawn, the simplest first; one that stands several times is drawn as much
more often; none: the default alone. edges: values that remove a term, drawn where every case is
wanted, soundness above all.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass
from dataclasses import fields as dataclass_fields
from typing import (
    TYPE_CHECKING,
    Annotated,
    ClassVar,
    Literal,
    TypeAlias,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from truestep.reference.validation import Array, integer, number


@dataclass(frozen=True, slots=True)
class Real:
    """A finite number from low to high, without the ends that are open.

    of: a field whose multiples the usual values and edges are. listed: whether the usual values
    alone are drawn, as of quotients of widths.
    """

    low: float
    high: float = math.inf
    open: Literal["none", "low", "high", "both"] = "none"
    usual: tuple[float, ...] = ()
    edges: tuple[float, ...] = ()
    of: str = ""
    listed: bool = False

    def __post_init__(self) -> None:
        for value in (*self.usual, *self.edges) if not self.of else ():
            self.check("usual", value)

    def check(self, field: str, value: object) -> None:
        """Raise unless the value lies in the range."""
        x = number(field, value)
        if self.open in ("low", "both") and not x > self.low:
            raise ValueError(f"{field} must be > {self.low:g}, got {x!r}")
        if self.open in ("high", "both") and not self.low <= x < self.high:
            raise ValueError(f"{field} must lie in [{self.low:g}, {self.high:g}), got {x!r}")
        if not x >= self.low:
            raise ValueError(f"{field} must be >= {self.low:g}, got {x!r}")
        if not x <= self.high:
            raise ValueError(f"{field} must be <= {self.high:g}, got {x!r}")


@dataclass(frozen=True, slots=True)
class Count:
    """An integer from low on."""

    low: int
    usual: tuple[int, ...] = ()
    edges: tuple[int, ...] = ()
    of: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for value in (*self.usual, *self.edges):
            self.check("usual", value)

    def check(self, field: str, value: object) -> None:
        """Raise unless the value is an integer in the range."""
        integer(field, value, self.low)


@dataclass(frozen=True, slots=True)
class Flag:
    """True or False."""

    usual: ClassVar[tuple[bool, ...]] = (False, True)
    edges: ClassVar[tuple[bool, ...]] = ()
    of: ClassVar[str] = ""

    def check(self, field: str, value: object) -> None:
        """Raise unless the value is a bool."""
        if not isinstance(value, bool):
            raise TypeError(f"{field} must be a bool, got {value!r} ({type(value).__name__})")


@dataclass(frozen=True, slots=True)
class Ascending(Sequence[tuple[int, ...]]):
    """All tuples of one to five of the numbers, in ascending order; many more than memory holds."""

    numbers: tuple[int, ...]

    def __len__(self) -> int:
        return 5 * len(self.numbers) ** 5

    def __getitem__(self, k: Array) -> Array:
        digits, size = divmod(k, 5)
        places = (digits // len(self.numbers) ** i % len(self.numbers) for i in range(size + 1))
        return tuple(sorted(self.numbers[place] for place in places))


@dataclass(frozen=True, slots=True)
class Counts:
    """A tuple of ascending integers >= 0."""

    usual: Ascending
    edges: tuple[tuple[int, ...], ...] = ()
    of: ClassVar[str] = ""

    def check(self, field: str, value: object) -> None:
        """Raise unless the value is a tuple of ascending integers >= 0."""
        if not isinstance(value, tuple):
            raise TypeError(f"{field} must be a tuple, got {value!r} ({type(value).__name__})")
        for item in value:
            integer(field, item, 0)
        if list(value) != sorted(value):
            raise ValueError(f"{field} must be ascending, got {value!r}")


Range: TypeAlias = Real | Count | Flag | Counts
Item = TypeVar("Item")


def decades(low: int, high: int) -> tuple[float, ...]:
    """Numbers m 10^k with a short m, no power of ten but 1 a binary number; 1 first if in range."""
    mantissas = (1.0, 1.3, 2.0, 3.0, 5.0, 7.0)
    exponents = sorted(range(low, high + 1), key=abs)
    return tuple(float(f"{m}e{k}") for m in mantissas for k in exponents)


# Largest power of a count or a rate: of the counts of 32 bits it stays in the range of float64.
POWER = 32.0
# The ranges that many rules declare. Of a rate zero is usual, because kernels branch on it, and of
# eps the library's number and one of the gradients' order, each as often as in one draw of nine.
_RATES = (*decades(-5, 0), 0.0, 0.0, 0.0)
_EPSILONS = (1e-8,) * 8 + decades(-12, -2) + (1.0,) * 8
_BETAS = (0.9, 0.99, 0.999, 0.95, 0.8, 0.5, 0.9999, 0.3)
Above: TypeAlias = Annotated[float, Real(0.0, open="low")]
Beta: TypeAlias = Annotated[float, Real(0.0, 1.0, "high", _BETAS, (0.0, 0.999999))]
Decay: TypeAlias = Annotated[float, Real(0.0, usual=decades(-3, 0), edges=(1e-4, 0.0))]
Epsilon: TypeAlias = Annotated[float, Real(0.0, usual=_EPSILONS, edges=(0.0,))]
Momentum: TypeAlias = Annotated[float, Real(0.0, 1.0, "high", (0.9, 0.5, 0.99, 0.3, 0.0))]
Peak: TypeAlias = Annotated[float, Real(0.0, usual=decades(-5, 0), edges=(0.0,))]
Rate: TypeAlias = Annotated[float, Real(0.0, usual=_RATES)]
# Of a rate that a rule finds itself, what multiplies it: 1 as often as all others together.
RateFactor: TypeAlias = Annotated[float, Real(0.0, usual=(1.0,) * len(_RATES) + _RATES)]
Floor: TypeAlias = Annotated[
    float, Real(0.0, usual=(0.1, 0.01, 0.3, 0.0), edges=(0.0, 1.0), of="lr")
]
Length: TypeAlias = Annotated[
    int, Count(1, (*range(20, 65), 97, 100, 101, 128, *range(2, 20)), (1, 2))
]
Switch: TypeAlias = Annotated[bool, Flag()]
Threshold: TypeAlias = Annotated[float, Real(0.0, open="low", usual=(1.0, 0.3, 10.0))]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a tensor of the state answers to the gradient's scale, to its sign, and to the parameter.

    degree: the power of the gradient's scale in which it grows. odd: it changes sign with the
    parameter and the gradient. moves: it is a point like the parameter and is shifted with it.
    nonnegative: no element of it is ever below zero.
    """

    degree: float
    odd: bool = False
    moves: bool = False
    nonnegative: bool = False


CURVATURE = Behaviour(1)  # a second derivative, or a gradient times a way
FIRST = Behaviour(1, odd=True)  # an average or sum of gradients
INVERSE = Behaviour(-1)  # a rate: a length over a gradient
NUMBER = Behaviour(0)  # a weight, a projector, a code
POINT = Behaviour(0, odd=True, moves=True)  # an iterate or an average of iterates
ROOT = Behaviour(-0.5)  # of a matrix, the fourth root of an inverse sum of squares
SECOND = Behaviour(2, nonnegative=True)  # squares of gradients
SIZE = Behaviour(1, nonnegative=True)  # a magnitude of gradients
SQUARES = Behaviour(2)  # products of gradients with each other
STEP = Behaviour(0, odd=True)  # a way, or an average or sum of normalized steps

Curvature: TypeAlias = Annotated[Array, CURVATURE]
First: TypeAlias = Annotated[Array, FIRST]
Inverse: TypeAlias = Annotated[Array, INVERSE]
Number: TypeAlias = Annotated[Array, NUMBER]
Point: TypeAlias = Annotated[Array, POINT]
Root: TypeAlias = Annotated[Array, ROOT]
Second: TypeAlias = Annotated[Array, SECOND]
Size: TypeAlias = Annotated[Array, SIZE]
Squares: TypeAlias = Annotated[Array, SQUARES]
Step: TypeAlias = Annotated[Array, STEP]


def _own(record: type) -> dict[str, object]:
    """The evaluated annotations of a class's own fields."""
    hints = get_type_hints(record, include_extras=True)
    return {field: hints[field] for field in record.__annotations__}


def _declared(record: type, field: str, hint: object, kinds: tuple[type[Item], ...]) -> Item:
    """What is declared of a field, an instance of one of the kinds."""
    for item in get_args(hint)[1:] if get_origin(hint) is Annotated else ():
        if isinstance(item, kinds):
            return item
    wanted = "behaviour" if kinds == (Behaviour,) else "range"
    raise TypeError(f"{record.__module__}: {record.__name__}.{field} declares no {wanted}")


class _Record:
    """What type checkers are told of records whose fields differ from rule to rule."""

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Field[Array]]]

        def __init__(self, *args: object, **fields: object) -> None: ...

        def __getattr__(self, name: str) -> Array: ...


@dataclass_transform(frozen_default=True)
class Hyper(_Record):
    """The base of every rule's hyperparameters, which it makes frozen dataclasses.

    RANGES: the range of every field that is no dialect. CHOICES: the values of the dialects.
    """

    RANGES: ClassVar[Mapping[str, Range]] = {}
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def __init_subclass__(cls) -> None:
        hints = _own(cls)
        dialects = {f: get_args(hint) for f, hint in hints.items() if get_origin(hint) is Literal}
        ranges: tuple[type[Range], ...] = (Real, Count, Flag, Counts)
        cls.CHOICES = dialects
        cls.RANGES = {
            field: _declared(cls, field, hint, ranges)
            for field, hint in hints.items()
            if field not in dialects
        }
        dataclass(frozen=True)(cls)

    def __post_init__(self) -> None:
        for field, limits in self.RANGES.items():
            limits.check(field, getattr(self, field))
        for field, choices in self.CHOICES.items():
            if (value := getattr(self, field)) not in choices:
                listed = ", ".join(sorted(choices))
                raise ValueError(f"{field} must be one of {listed}; got {value!r}")


@dataclass_transform(frozen_default=True)
class State(_Record):
    """The base of what a rule carries between steps, frozen dataclasses that begin with t.

    BEHAVIOUR: how every other field answers to the gradient and the parameter.
    """

    BEHAVIOUR: ClassVar[Mapping[str, Behaviour]] = {}

    def __init_subclass__(cls) -> None:
        cls.BEHAVIOUR = {
            field: _declared(cls, field, hint, (Behaviour,))
            for field, hint in _own(cls).items()
            if field != "t"
        }
        dataclass(frozen=True)(cls)


def fields_of(record: object) -> dict[str, Array]:
    """The fields of a Hyper or a State by name."""
    return {f.name: getattr(record, f.name) for f in dataclass_fields(record)}  # type: ignore[arg-type]
