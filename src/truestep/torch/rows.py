"""What an optimizer class is made of: its rule, its namesake's arguments, and their names here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from inspect import Parameter, Signature
from typing import Any

import torch

from truestep.fast.ours.offered import coded_states
from truestep.fast.ours.rule_kernels import RuleKernel
from truestep.reference.declared import Hyper
from truestep.reference.tables import RULES
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
class Row:
    """One optimizer class.

    arguments: those of its namesake in their order, with the defaults. refused: of these, the ones
    that can only have the default. renamed: the reference's hyperparameters that an argument is,
    where the names differ; None leaves the reference's default. choices: the fields that an
    argument sets in the dialect. states: the reference's tensors and the namesake's keys. start: of
    a tensor that does not start at zero, the argument that says where.
    """

    rule: str
    arguments: Mapping[str, object]
    states: Mapping[str, str]
    dialect: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    choices: Mapping[str, Mapping[object, str]] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    start: Mapping[str, str] = field(default_factory=dict)

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

    def hyper(self, name: str, group: Mapping[str, Any]) -> Hyper:
        """The hyperparameters of a parameter group. Raises ValueError for what is not offered."""
        for argument in (*self.refused, "capturable", "differentiable"):
            default = self.arguments.get(argument, False)
            if group.get(argument, default) != default:
                raise ValueError(
                    f"{name} must have {argument}={default}, got {argument}={group[argument]}"
                )
        if group["state"] not in WAYS:
            raise ValueError(f"state must be one of {', '.join(WAYS)}; got {group['state']!r}")
        values: dict[str, Any] = dict(self.dialect)
        for argument in (*self.arguments, "maximize"):
            if argument in self.choices:
                values[argument] = self.choices[argument][group[argument]]
            elif argument not in self.refused:
                fields = self.renamed.get(argument, (argument,))
                given = group[argument] if len(fields) > 1 else [group[argument]]
                if len(given) != len(fields):
                    raise ValueError(f"{argument} must have {len(fields)} numbers, got {given}")
                values.update(
                    {x: _number(v) for x, v in zip(fields, given, strict=True) if v is not None}
                )
        return _hyper(self.rule, tuple(values.items()))

    def forms(self, kernel: RuleKernel, group: Mapping[str, Any], size: int) -> tuple[Form, ...]:
        """The tensors of the state of a parameter with that many elements."""
        way = WAYS[group["state"]]
        coded = coded_states(kernel) if size >= group["min_8bit_size"] or not way.large else ()
        return tuple(
            Form(
                name, self.states[name], way.kept(self.nonnegative(name)) if name in coded else None
            )
            for name in kernel.states
        )

    def nonnegative(self, state: str) -> bool:
        """Whether a tensor of the state is never negative."""
        return bool(RULES["optimizer"][self.rule].State.BEHAVIOUR[state].nonnegative)


def _number(x: Any) -> Any:
    return x.item() if isinstance(x, torch.Tensor) else x


# Far more than there are groups; a scheduler makes a new one at every step.
@lru_cache(maxsize=256)
def _hyper(rule: str, values: tuple[tuple[str, Any], ...]) -> Hyper:
    return RULES["optimizer"][rule].Hyper(**dict(values))
