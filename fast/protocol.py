"""What a kernel backend offers and how it is called: the interface to what TrueStep judges.

A backend is any object with a ``name``, ``capabilities()`` and one method per kind it offers.
Arrays cross the boundary as NumPy arrays (ml_dtypes for bfloat16 and the small floats) and are
never to be written: an adapter whose kernel works in place copies first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from truestep.reference.declared import Hyper

# An array of whatever dtype a format has, and that dtype.
Array = NDArray[Any]
DType = np.dtype[Any]
# A rule's state by the names of its fields: arrays, and the count t as an int.
State = Mapping[str, Any]
# What a piece of the training loop takes and gives by name: numbers, arrays, lists of arrays.
Inputs = Mapping[str, Any]
Outputs = Mapping[str, Any]
# Something done to an object with a life, and what is seen of it: see LifeBackend.
Operation = Mapping[str, Any]
Observation = Mapping[str, Any]
Program = Sequence[Operation]
# An objective, at an array: its value, a scalar, and its gradient.
Function = Callable[[Array], tuple[Array, Array]]

Kind = Literal["life", "minimizer", "optimizer", "quantizer", "schedule", "training"]
Level = Literal["smoke", "standard", "deep"]
Shapes = Literal["any", "nonempty", "matrices"]
Number = float | int | bool | str
Fixed = Number | tuple[Number, ...]


class Declared(Protocol):
    """How a kernel rounds: an Arithmetic of ``truestep.properties.arithmetic.profiles``."""

    @property
    def name(self) -> str:
        """What it is called in reports."""
        ...


@dataclass(frozen=True, slots=True)
class Storage:
    """How a state tensor is kept as codes: a quantizer of the reference, and its hyperparameters.

    quantizer: its name, or the module of one's own. A hyperparameter given as a tuple is one of
    these values, chosen by group.
    """

    quantizer: str
    hyper: Mapping[str, Fixed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "quantizer", _name_of(self.quantizer))


def _name_of(rule: object) -> object:
    """A rule's name: where a module of one's own is given, that under which it joins the tables."""
    if not isinstance(rule, ModuleType):
        return rule
    from truestep.reference import own

    return own.added(rule)


# The last step that a 32-bit signed counter can take and pass.
FARTHEST = 2**31 - 2


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing a backend can do; Capability(kind, rule, ...) is the class of that kind.

    kind: what the rule is. rule: the reference's name ("adamw"), or the module of a rule of one's
    own, which goes by its name then (truestep.reference.own). format: format of parameters and
    gradients ("float32"); of a schedule, of the value. arithmetic: name of a declared profile of
    ``truestep.properties.arithmetic`` ("ieee_float32"), or an Arithmetic; of a schedule only hyper
    and counter count. Names in a tuple, the strictest first, where the backend does not know how it
    rounds: the first under which a few fixed cases pass is the one that it is judged by. dialect:
    the choices that differ from the reference's defaults ({"decay": "before"}). departures: the
    fields of dialect in which it does what neither the rule's paper nor its own documentation
    promises. documented: those of which its own documentation promises what the rule's table marks
    as a departure; the others that are marked count as departures too. variant: the implementation,
    where a backend has several ("foreach"). fixed: hyperparameters that the kernel cannot vary
    ({"eps": 0.0}); of optimizers, minimizers and quantizers a tuple, where it takes these values
    only. level: the least thorough level at which it is run, for variants that are slow to start.
    theorems: whether the theorems are run on it; not where a step takes so long that the thousands
    of an experiment would take hours.
    """

    kind: Kind
    rule: str
    format: str = "float32"
    arithmetic: str | Declared | tuple[str, ...] = "ieee_float32"
    dialect: Mapping[str, str] = field(default_factory=dict)
    variant: str = ""
    fixed: Mapping[str, Fixed] = field(default_factory=dict)
    level: Level = "smoke"
    departures: tuple[str, ...] = ()
    documented: tuple[str, ...] = ()
    theorems: bool = True

    def __new__(cls, kind: str = "", *_: object, **__: object) -> Self:
        """An instance of the class of that kind, which takes the fields of its own too."""
        # An unknown kind stays with the base, for the check of declarations to name.
        return object.__new__(CLASSES.get(kind, cls) if cls is Capability else cls)  # type: ignore[return-value]

    def __post_init__(self) -> None:
        object.__setattr__(self, "rule", _name_of(self.rule))


@dataclass(frozen=True, slots=True)
class OptimizerCapability(Capability):
    """A rule that steps from a gradient.

    shapes: the tensors that the implementation takes; "matrices" are never empty. single: it takes
    one tensor in one group a call, as where all tensors of a model share an estimate. reach: the
    last step that its counter takes. storage: of state tensors that are kept as codes, how ({"m":
    Storage("dynamic_8bit", {"signed": True, "block_size": 256})}); the others are kept as the
    arithmetic says. The parameter itself may be kept in two parts ({"p": Storage("bfloat16_rest8",
    {"rest": "fraction"})}): the format is then that of the high one, and "p_code" of the state is
    the rest.
    """

    kind: Kind = "optimizer"
    rule: str = ""
    shapes: Shapes = "any"
    single: bool = False
    reach: int = FARTHEST
    storage: Mapping[str, Storage] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LifeCapability(Capability):
    """An object that is constructed, stepped, saved, loaded and copied: an optimizer, a scheduler.

    rule: what is due of it, of ``truestep.reference.lives``; variant: its class. numbers: the
    arguments of its constructor that are numbers, with values that are no defaults of theirs; of a
    pair the first is "betas.0". wrong: arguments that are due to raise. offers: what it takes
    besides steps, of OFFERS.
    """

    kind: Kind = "life"
    rule: str = ""
    shapes: Shapes = "any"
    numbers: Mapping[str, float] = field(default_factory=dict)
    wrong: Mapping[str, float] = field(default_factory=dict)
    offers: tuple[str, ...] = ()


# What an object with a life may take: a closure that gives the loss, complex parameters, several
# groups, a group that joins later, several formats, a rate in a tensor, gradients of None beside
# others, a scheduler's argument last_epoch, what it says of its rates, the initial ones that it
# leaves with a group, a measured value at every step; and what leaves out a step where a gradient
# is infinite, as with a loss scaler, whose argument enabled says whether there is one.
OFFERS = (
    "added_groups", "closure", "complex", "formats", "groups", "initial_lr", "last_epoch", "metric",
    "none", "rates", "skips", "tensor_lr",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MinimizerCapability(Capability):
    """A rule that evaluates the function."""

    kind: Kind = "minimizer"
    rule: str = ""
    shapes: Shapes = "any"


@dataclass(frozen=True, slots=True)
class QuantizerCapability(Capability):
    """A number format or a block format.

    multiple: of what the size of a tensor's last axis has to be a multiple. encodes: whether it
    encodes too; else what it reads of all codes is judged alone. packing: how codes lie in words,
    by its name in ``truestep.reference.packing``; "" where each has a byte to itself. random_bits:
    of drawn roundings, how many random bits decide each: its probability is due to less than
    2^-random_bits, and exactly where it is a multiple of that. 0: as many as are asked of every
    kernel, 8, or those that float32 has beyond a float of 16 bits.
    """

    kind: Kind = "quantizer"
    rule: str = ""
    multiple: int = 1
    encodes: bool = True
    packing: str = ""
    random_bits: int = 0


@dataclass(frozen=True, slots=True)
class ScheduleCapability(Capability):
    """A learning-rate schedule.

    recursive: it computes every value from the last one; each is judged from the backend's own last
    value. reach: the last step that it is asked for, where every step on the way has to be made.
    """

    kind: Kind = "schedule"
    rule: str = ""
    recursive: bool = False
    reach: int = FARTHEST


@dataclass(frozen=True, slots=True)
class TrainingCapability(Capability):
    """A piece of the training loop.

    workers: of pieces that take a gradient of each worker, the most workers; 0: any number.
    """

    kind: Kind = "training"
    rule: str = ""
    shapes: Shapes = "any"
    workers: int = 0


CLASSES: Mapping[str, type[Capability]] = {
    "life": LifeCapability,
    "minimizer": MinimizerCapability,
    "optimizer": OptimizerCapability,
    "quantizer": QuantizerCapability,
    "schedule": ScheduleCapability,
    "training": TrainingCapability,
}

# The methods of a backend that offers each kind.
METHODS: Mapping[str, tuple[str, ...]] = {
    "life": ("lived",),
    "minimizer": ("minimizer_step",),
    "optimizer": ("optimizer_step",),
    "quantizer": ("encode", "decode"),
    "schedule": ("schedule_values",),
    "training": ("training_piece",),
}


@dataclass(frozen=True, slots=True)
class Slot:
    """One parameter tensor before a step: param and grad of one shape, and the state by name.

    state: the fields of the reference's State ({"t": 3, "m": array, "v": array}); t is the number
    of steps already made. inputs: what the rule takes besides the gradient, by name: its INPUTS. Of
    these, what the rule draws itself is left out where the backend is to draw its own.
    """

    param: Array
    grad: Array
    state: State
    inputs: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """Parameters that share hyperparameters; hyper is the reference rule's validated Hyper.

    storage: of state tensors that are kept as codes, the quantizer's validated Hyper, by name. The
    state of a slot then has "m_code" and "m_absmax" in the place of "m".
    """

    hyper: Hyper
    slots: Sequence[Slot]
    storage: Mapping[str, Hyper] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stepped:
    """One parameter tensor after a step, in the shape and format it had, with its new state."""

    param: Array
    state: State


class Backend(Protocol):
    """The least a backend has; the kind's method comes on top."""

    name: str

    def capabilities(self) -> Sequence[Capability]:
        """Everything the backend offers; what is not listed is not judged."""
        ...


class OptimizerBackend(Backend, Protocol):
    """A backend that offers capabilities of kind "optimizer"."""

    def optimizer_step(
        self, capability: Capability, groups: Sequence[Group]
    ) -> Sequence[Sequence[Stepped]]:
        """One step on every slot of every group: results in the same nesting and order."""
        ...


class LifeBackend(Backend, Protocol):
    """A backend that offers capabilities of kind "life"."""

    def lived(
        self, capability: Capability, programs: Sequence[Program]
    ) -> Sequence[Sequence[Observation]]:
        """What is seen in each of several lives, which know nothing of one another.

        A program is a list of operations on one object, or on an optimizer and its scheduler. "do"
        says which, the other entries with what:

        make    groups: a list of {"params": [arrays], number: value}; numbers of the constructor;
                tensor_lr: whether the rate is given as one tensor; attached: whether the scheduler
                is constructed at once, as always where this is left out
        attach  construct the scheduler; last_epoch: its argument, where it is given
        step    grads: an array or None for each parameter, in the order in which they were made;
                closure: whether they are made by a closure; metric: what a scheduler is given;
                ticks: whether the scheduler steps too, true where it is left out
        set     name, value: of group, from now on; in place where it is a tensor
        add     group: as of make
        repeat  add the parameters of a group, by its number, once more
        renew   go on with another object that has been given this one's state. way: "state_dict",
                "saved" to a file and read back, "pickled", "deepcopied". otherwise: whether it is
                first constructed with other numbers. order: "optimizer" or "scheduler", which of
                the two is loaded first
        fork    program: operations on the one object, after which only the other is gone on with.
                stay: "original" or "copy", the one that goes on; way as of renew. late: whether the
                copy takes the state dictionary only after the other's operations
        format  name: torch's default format, or its like, from now on
        look    adds an observation

        An observation has "params", a list of arrays; "state", of each the tensors and numbers by
        name; "groups", the numbers of each by name; "loss", what the last step returned; "rates",
        what the scheduler says that they are. An operation that raises ends its life with the
        observation {"raised": type, "text": text, "at": its index}.
        """
        ...


class MinimizerBackend(Backend, Protocol):
    """A backend that offers capabilities of kind "minimizer": rules that evaluate the function."""

    def minimizer_step(
        self, capability: Capability, hyper: Hyper, param: Array, state: State, function: Function
    ) -> Stepped:
        """One step on one tensor.

        function maps an array of param's shape and format to its value, a scalar of that format,
        and its gradient, an array like its argument. It may be called any number of times.
        """
        ...


class QuantizerBackend(Backend, Protocol):
    """A backend that offers capabilities of kind "quantizer"."""

    def encode(self, capability: Capability, hyper: Hyper, x: Array) -> Mapping[str, Array]:
        """What is stored of the float32 x.

        "code": unsigned integers shaped like x; of formats with groups also the scale of each, in
        their order, as the reference keeps it: dynamic_8bit's "absmax", others' "scale". What a
        format has beside that or in its place, the arrays of its ``beside``: affine integers a
        "zero_point", formats with a minimum "min", nested ones "absmax_code", "absmax2", "offset".
        Where the capability declares a packing, "code" are its words.
        """
        ...

    def decode(self, capability: Capability, hyper: Hyper, stored: Mapping[str, Array]) -> Array:
        """The float32 numbers, shaped like the codes, that stored stands for.

        Where the capability declares a packing, stored has the "shape" of the codes besides.
        """
        ...


class ScheduleBackend(Backend, Protocol):
    """A backend that offers capabilities of kind "schedule"."""

    def schedule_values(
        self, capability: Capability, hyper: Hyper, steps: Sequence[int]
    ) -> Sequence[float]:
        """The learning rate of the step after t steps made, for every t of steps.

        steps ascend without repeats. Every call describes a run of its own, from step 0 on. Where
        the dialect promises an error past the end, a ValueError.
        """
        ...


class TrainingBackend(Backend, Protocol):
    """A backend that offers capabilities of kind "training"."""

    def training_piece(self, capability: Capability, hyper: Hyper, inputs: Inputs) -> Outputs:
        """The outputs of the reference's run on these inputs, by name.

        inputs: by name, as the reference's INPUTS say; numbers are Python floats, counts integers.
        Outputs alike: tensors in the format that they came in, or in the capability's; flags as
        bool. What the reference calls OPTIONAL may be absent.
        """
        ...


class BackendUnavailable(RuntimeError):
    """A backend cannot run here: a library is missing, or a device. Reported as "not run"."""


def numpy_dtype(format: str) -> DType:
    """The NumPy dtype of a format's name; ml_dtypes supplies bfloat16 and the small floats."""
    if format in ("float16", "float32", "float64"):
        return np.dtype(format)
    import ml_dtypes

    if not hasattr(ml_dtypes, format):
        raise ValueError(f"unknown format {format!r}")
    dtype: DType = np.dtype(getattr(ml_dtypes, format))
    return dtype
