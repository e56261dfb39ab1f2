"""What a rule's module offers, by kind, and how a table of them is made.

Over 120 lines: what a module of each kind offers is read side by side.

A file of a rule has more than 120 lines where libraries differ on much (each choice is told, typed
and computed) or where its step is an algorithm of its own: decompositions, line searches, factors.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol, TypeAlias

from truestep.reference.declared import Hyper, State
from truestep.reference.robbins_monro import Certificate
from truestep.reference.validation import Array

# Names that a protocol's own members would shadow.
Hypers: TypeAlias = type[Hyper]
States: TypeAlias = type[State]
# What a step takes besides the gradient: by name, the shape for a parameter of that shape.
Inputs: TypeAlias = Mapping[str, Callable[[tuple[int, ...]], tuple[int, ...]]]


class Departure(str):
    """A choice of DIALECTS that no paper, and no documentation of the libraries at hand, promises.

    As nan at a gradient of zero, or a guard that is missing. The lines compute it, so that the rest
    of a kernel that does so is judged; that it does is told beside the verdict.
    """

    __slots__ = ()


class Rule(Protocol):
    """What every module has; its docstring is the definition."""

    @property
    def __name__(self) -> str:
        """The module's."""

    def __hash__(self) -> int:
        """Modules are keys."""

    @property
    def DIALECTS(self) -> Mapping[str, Mapping[str, str]]:
        """Every choice on which libraries differ: field of Hyper -> value -> what it means.

        A meaning is a Departure where nothing promises the choice.
        """

    @property
    def Hyper(self) -> Hypers:
        """The validated hyperparameters, a frozen dataclass with a default for every field."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What holds of an optimizer as a whole.

    elementwise: each element is updated by itself, so that tensors of one count may be joined.
    inputs: what a step takes besides the gradient, by name. matrices: the rule is of matrices, and
    at most defined for other tensors. observables(h, s, p): what of a result the definition
    determines; None: everything. A rule that has them is judged by replicates. signed: what
    is determined once the signs of its singular vectors are given. parts(h): the number
    of equal parts that a tensor must have; None: any tensor will do. values_alone: of those that
    take a function, it gives its value and not its gradient. drawn: inputs that are drawn from the
    standard normal distribution, anew for every element, tensor and step; p is affine in them. A
    kernel is handed them as it is judged step by step, and draws its own where it is not.
    """

    elementwise: bool
    inputs: Inputs = field(default_factory=dict)
    matrices: bool = False
    observables: Callable[..., dict[str, Array]] | None = None
    signed: "Signed | None" = None
    parts: Callable[..., int] | None = None
    values_alone: bool = False
    drawn: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signed:
    """Singular vectors whose signs are free, but live on in what a rule keeps beside them.

    vectors: the state tensors that hold them, as columns and as rows. observables: as of Facts, of
    a step with these signs.
    """

    vectors: tuple[str, str]
    observables: Callable[..., dict[str, Array]]


class Optimizer(Rule, Protocol):
    """From a gradient, or the function itself, to the next point."""

    @property
    def FACTS(self) -> Facts:
        """What holds of the whole rule."""

    @property
    def State(self) -> States:
        """What a rule carries between steps, a frozen dataclass that begins with the counter t."""

    @property
    def init(self) -> Callable[..., Array]:
        """init(h, p): the state before the first step."""

    @property
    def step(self) -> Callable[..., tuple[Array, Array]]:
        """step(h, s, p, g): the new state and the new p; g is a function in a minimizer."""


class Quantizer(Rule, Protocol):
    """A number format: encode, decode, and what of a float32 kernel is right."""

    def __getattr__(self, name: str) -> Array:
        """What some have: the statistics of stochastic rounding; SIGNED, where it is false;
        NONNEGATIVE, where it is for numbers that are none below zero; and of those with groups:

        SCALE, what the scale is called; scales(h, x), the least and the largest, as stored;
        groups(h, shape), how many; per_element(h, scale, shape); length(h), elements to a group;
        arranged(h, groups), the tensor whose groups these are; extreme(h), of what size a group's
        extreme makes its scale 1; ranks(h), how many values there are, and rank(code), their order;
        second_rounding(h), how far a scale may be off that is worked out as it is read;
        expanded(count, scale) and counted(code), where what is read lies on a curve;
        INDEPENDENT, whether groups are cut in C order; SCALES, whether scaling passes through;
        EXACT, whether a value times its scale is a float32 number; STORES, whether it can keep an
        optimizer's state. Of those with more than a scale: beside(h, shape), what is stored by
        name; intervals(h, x, *stored), the least and the largest of each, from what is the
        kernel's own; LAWS, which laws of groups hold; units(h, x), groups whose scale is 1;
        misfits(h, x, back, *stored), where scales are free: errors of parts, and their limits.
        """

    @property
    def BLOCKS(self) -> bool:
        """Whether the elements of a group share a scale, which decode takes too."""

    @property
    def admissible(self) -> Callable[..., tuple[Array, Array]]:
        """admissible(h, x): the lowest and the highest code of each element."""

    @property
    def all_values(self) -> Callable[..., Array]:
        """all_values(h): in the order of their codes."""

    @property
    def decode(self) -> Callable[..., Array]:
        """decode(h, code): the values."""

    @property
    def encode(self) -> Callable[..., Array]:
        """encode(h, x): the codes, and of groups every scale."""

    @property
    def thresholds(self) -> Callable[..., Array]:
        """thresholds(h): the midpoints between neighbouring values."""


class Schedule(Rule, Protocol):
    """A learning rate as a function of the number of steps made."""

    @property
    def advance(self) -> Callable[..., Array] | None:
        """advance(h, t, lr): the next value from the last one, where libraries compute it so."""

    @property
    def certificate(self) -> Callable[..., Certificate]:
        """certificate(h): a proof about the sums of Robbins and Monro."""

    @property
    def value(self) -> Callable[..., Array]:
        """value(h, t): the learning rate of the step after t."""


class Piece(Rule, Protocol):
    """A piece of a training loop; its other functions are its own."""

    @property
    def INPUTS(self) -> Mapping[str, str]:
        """Every input of run, and what it is."""

    @property
    def OPTIONAL(self) -> tuple[str, ...]:
        """The outputs of run that a backend may omit."""

    @property
    def run(self) -> Callable[..., dict[str, Array]]:
        """From a Hyper and the inputs by name to the outputs by name."""


# What a module of each kind offers.
CLASSES: Mapping[str, type] = {
    "life": Rule,
    "minimizer": Optimizer,
    "optimizer": Optimizer,
    "quantizer": Quantizer,
    "schedule": Schedule,
    "training": Piece,
}


def table(package: str, kind: type, *names: str) -> dict[str, Array]:
    """The modules of a package by name; raise where one lacks what its kind has."""
    return complete({name: import_module(f"{package}.{name}") for name in names}, kind)


def complete(modules: Mapping[str, Array], kind: type) -> dict[str, Array]:
    """Rules by name, as they are; raise where one lacks what its kind has."""
    wanted = [name for base in kind.__mro__ for name in vars(base) if not name.startswith("_")]
    for module in modules.values():
        if lacking := [name for name in wanted if not hasattr(module, name)]:
            raise TypeError(f"{module.__name__} declares no {', '.join(lacking)}")
        choices = {field: tuple(values) for field, values in module.DIALECTS.items()}
        for name in {*choices, *module.Hyper.CHOICES}:
            if set(choices.get(name, ())) != set(module.Hyper.CHOICES.get(name, ())):
                raise TypeError(f"{module.__name__}: DIALECTS and Hyper.{name} do not agree")
    return dict(modules)
