"""What an optimizer class is made of: its rule, its namesake's arguments, and their names here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from inspect import Parameter, Signature
from typing import Any

import torch

from truestep.fast.ours import factored
from truestep.fast.ours.matrices import MATRICES
from truestep.fast.ours.offered import coded_states
from truestep.fast.ours.rule_kernels import RuleKernel, kernel_for, rule_kernels
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS
from truestep.torch.stored import MIN_8BIT_SIZE, WAYS, Form, Group, Held

# How torch goes about a step, which makes no difference to what ours computes.
IGNORED = ("foreach", "fused")
# How ours keeps the state, in every parameter group.
KEEPING: Mapping[str, object] = {"state": "float32", "min_8bit_size": MIN_8BIT_SIZE}
_NAMED: Mapping[str, object] = {
    "maximize": False,
    "foreach": None,
    "capturable": False,
    "differentiable": False,
    "fused": None,
    **KEEPING,
}


@dataclass(frozen=True, slots=True)
class Stepping:
    """A reference rule as a class computes it.

    states: the reference's tensors and the namesake's keys. dialect: its choices. start: of a
    tensor that does not start at zero, the argument that says where.
    """

    rule: str
    states: Mapping[str, str]
    dialect: Mapping[str, str] = field(default_factory=dict)
    start: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One optimizer class.

    stepping: its rule. arguments: those of its namesake in their order, with the defaults; one that
    is no hyperparameter of the rule can only have the default. renamed: the reference's
    hyperparameters that an argument is, where the names differ; None leaves the reference's
    default, "-" stands before what it is the negative of. choices: the reference's value of an
    argument that is a choice there. switches: the rules that arguments ask for in the place of the
    first. ways: how the state may be kept.
    """

    stepping: Stepping
    arguments: Mapping[str, object]
    renamed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    choices: Mapping[str, Mapping[object, str]] = field(default_factory=dict)
    switches: Mapping[str, Stepping] = field(default_factory=dict)
    ways: Collection[str] = tuple(WAYS)

    @property
    def signature(self) -> Signature:
        """Of the class."""
        by_place, by_name = Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY
        named = {name: value for name, value in _NAMED.items() if name not in self.arguments}
        return Signature(
            [
                Parameter("params", by_place),
                *(Parameter(x, by_place, default=v) for x, v in self.arguments.items()),
                *(Parameter(x, by_name, default=v) for x, v in named.items()),
            ]
        )

    def stepped(self, name: str, group: Group) -> tuple[RuleKernel, Hyper]:
        """What steps a parameter group. Raises ValueError for what is not offered."""
        stepping, hyper = self.asked(name, group)
        return kernel_for(stepping.rule, hyper), hyper

    def asked(self, name: str, group: Group) -> tuple[Stepping, Hyper]:
        """The rule of a parameter group, and its numbers. Raises ValueError for others."""
        if group["state"] not in self.ways:
            raise ValueError(f"state must be one of {', '.join(self.ways)}; got {group['state']!r}")
        asked = [switch for switch in self.switches if group[switch]]
        stepping = self.switches[asked[0]] if asked else self.stepping
        if stepping.rule not in offered():
            reason = f"there is no kernel of {stepping.rule}"
            raise ValueError(f"{name} must have {'=False, '.join(asked)}=False: {reason}")
        values: Held = {}
        for argument in (*self.arguments, *_NAMED):
            values |= self._fields(name, stepping, argument, group) if argument in group else {}
        return stepping, _hyper(stepping.rule, tuple({**values, **stepping.dialect}.items()))

    def fields_of(self, argument: str) -> tuple[str, ...]:
        """The reference's hyperparameters that an argument is."""
        return self.renamed.get(argument, (argument,))

    def _fields(self, name: str, stepping: Stepping, argument: str, group: Group) -> Held:
        """The reference's hyperparameters that an argument is, and what it makes them."""
        value = group[argument]
        if argument in self.switches or argument in KEEPING or argument in IGNORED:
            return {}
        fields = self.fields_of(argument)
        if argument in self.choices:
            known = self.choices[argument]
            if value not in known:
                told = ", ".join(map(repr, known))
                raise ValueError(f"{argument} must be one of {told}; got {value!r}")
            return {fields[0]: known[value]}
        known_fields = OPTIMIZERS[stepping.rule].Hyper.__dataclass_fields__.keys()
        if not {field.removeprefix("-") for field in fields} <= known_fields:
            if value != (default := self.arguments.get(argument, _NAMED.get(argument))):
                raise ValueError(f"{name} must have {argument}={default}, got {value}")
            return {}
        given = value if len(fields) > 1 else [value]
        if len(given) != len(fields):
            raise ValueError(f"{argument} must have {len(fields)} numbers, got {value}")
        pairs = ((x, _number(v)) for x, v in zip(fields, given, strict=True) if v is not None)
        return {x.removeprefix("-"): -v if x[0] == "-" else v for x, v in pairs}

    def forms(self, kernel: RuleKernel, group: Group, size: int) -> tuple[Form, ...]:
        """The tensors of the state of a parameter with that many elements."""
        stepping, coded = self.of(kernel), coded_states(kernel)
        return tuple(self.form(stepping, x, group, size, coded=x in coded) for x in kernel.states)

    def form(self, stepping: Stepping, name: str, group: Group, size: int, *, coded: bool) -> Form:
        """A tensor of that state; coded: whether it may be kept as codes."""
        way = WAYS[group["state"]]
        nonnegative = OPTIMIZERS[stepping.rule].State.BEHAVIOUR[name].nonnegative
        large = size >= group["min_8bit_size"] or not way.large
        kept = way.kept(nonnegative) if coded and large else None
        return Form(name, stepping.states[name], kept, nonnegative)

    def of(self, kernel: RuleKernel) -> Stepping:
        """The rule of a kernel."""
        rules = (self.stepping, *self.switches.values())
        return next(stepping for stepping in rules if stepping.rule == kernel.rule)


@cache
def offered() -> frozenset[str]:
    """The rules that have kernels."""
    return frozenset({kernel.rule for kernel in rule_kernels()} | factored.rules() | set(MATRICES))


def _number(x: Any) -> Any:
    return x.item() if isinstance(x, torch.Tensor) else x


# Far more than there are groups; a scheduler makes a new one at every step.
@lru_cache(maxsize=256)
def _hyper(rule: str, values: tuple[tuple[str, Any], ...]) -> Hyper:
    return OPTIMIZERS[rule].Hyper(**dict(values))
