"""What an optimizer class is made of: its rule, its namesake's arguments, and their names here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from inspect import Parameter, Signature
from typing import Any

import torch

from truestep.fast.ours.offered import coded_states
from truestep.fast.ours.rule_kernels import RuleKernel, kernel_for, rule_kernels
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS
from truestep.torch.stored import MIN_8BIT_SIZE, WAYS, Form

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
    default. choices: the reference's value of an argument that is a choice there. switches: the
    rules that arguments ask for in the place of the first.
    """

    stepping: Stepping
    arguments: Mapping[str, object]
    renamed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    choices: Mapping[str, Mapping[object, str]] = field(default_factory=dict)
    switches: Mapping[str, Stepping] = field(default_factory=dict)

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

    def stepped(self, name: str, group: Mapping[str, Any]) -> tuple[RuleKernel, Hyper]:
        """What steps a parameter group. Raises ValueError for what is not offered."""
        if group["state"] not in WAYS:
            raise ValueError(f"state must be one of {', '.join(WAYS)}; got {group['state']!r}")
        asked = [switch for switch in self.switches if group[switch]]
        stepping = self.switches[asked[0]] if asked else self.stepping
        if stepping.rule not in offered():
            reason = f"there is no kernel of {stepping.rule}"
            raise ValueError(f"{name} must have {'=False, '.join(asked)}=False: {reason}")
        values: dict[str, Any] = {}
        for argument in (*self.arguments, *_NAMED):
            values |= self._fields(name, stepping, argument, group) if argument in group else {}
        hyper = _hyper(stepping.rule, tuple({**values, **stepping.dialect}.items()))
        return kernel_for(stepping.rule, hyper), hyper

    def _fields(
        self, name: str, stepping: Stepping, argument: str, group: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The reference's hyperparameters that an argument is."""
        value = group[argument]
        if argument in self.switches or argument in KEEPING or argument in IGNORED:
            return {}
        if argument in self.choices:
            return {argument: self.choices[argument][value]}
        fields = self.renamed.get(argument, (argument,))
        if not set(fields) <= OPTIMIZERS[stepping.rule].Hyper.__dataclass_fields__.keys():
            if value != (default := self.arguments.get(argument, _NAMED.get(argument))):
                raise ValueError(f"{name} must have {argument}={default}, got {value}")
            return {}
        given = value if len(fields) > 1 else [value]
        if len(given) != len(fields):
            raise ValueError(f"{argument} must have {len(fields)} numbers, got {value}")
        return {x: _number(v) for x, v in zip(fields, given, strict=True) if v is not None}

    def forms(self, kernel: RuleKernel, group: Mapping[str, Any], size: int) -> tuple[Form, ...]:
        """The tensors of the state of a parameter with that many elements."""
        way, stepping = WAYS[group["state"]], self.of(kernel)
        coded = coded_states(kernel) if size >= group["min_8bit_size"] or not way.large else ()
        behaviour = OPTIMIZERS[kernel.rule].State.BEHAVIOUR
        return tuple(
            Form(
                name,
                stepping.states[name],
                way.kept(behaviour[name].nonnegative) if name in coded else None,
                behaviour[name].nonnegative,
            )
            for name in kernel.states
        )

    def of(self, kernel: RuleKernel) -> Stepping:
        """The rule of a kernel."""
        rules = (self.stepping, *self.switches.values())
        return next(stepping for stepping in rules if stepping.rule == kernel.rule)


@cache
def offered() -> frozenset[str]:
    """The rules that have kernels."""
    return frozenset(kernel.rule for kernel in rule_kernels())


def _number(x: Any) -> Any:
    return x.item() if isinstance(x, torch.Tensor) else x


# Far more than there are groups; a scheduler makes a new one at every step.
@lru_cache(maxsize=256)
def _hyper(rule: str, values: tuple[tuple[str, Any], ...]) -> Hyper:
    return OPTIMIZERS[rule].Hyper(**dict(values))
