"""The kernels of rules, as csrc/rules declares them: which there are, and which serves a Hyper.

A header says of each of its kernels which choices of the dialect it is for, and of which
hyperparameters it relies on a value ("decay=before momentum=0"). Nothing else registers a rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache

from truestep.fast.protocol import BackendUnavailable
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS

try:
    from truestep.fast import _core
except ImportError as error:
    raise BackendUnavailable(f"truestep.fast._core is not built: {error}") from error


@dataclass(frozen=True, slots=True)
class RuleKernel:
    """One kernel of a rule.

    place: its number in the extension. dialect: the choices that it is for, by field. fixed: the
    values that it relies on. type: its C++ type. hyper: the fields that it reads, as doubles; of a
    choice, its place among the field's choices. states, inputs, numbers: the names of the tensors
    and of the 0-d numbers of its state, in its order. sums: how many sums over a tensor it makes.
    """

    place: int
    rule: str
    dialect: Mapping[str, str]
    fixed: Mapping[str, float]
    type: str
    hyper: tuple[str, ...]
    states: tuple[str, ...]
    inputs: tuple[str, ...]
    numbers: tuple[str, ...]
    sums: int

    @property
    def finishes(self) -> bool:
        """Whether something is made of a tensor as a whole at every step."""
        return bool(self.sums or self.numbers)

    def serves(self, h: Hyper) -> bool:
        """Whether this is a kernel for h: choices that it does not name have to be the default."""
        defaults = {field.name: field.default for field in fields(h)}
        for name in choices_of(self.rule):
            wanted = self.dialect.get(name, defaults[name])
            if name not in self.hyper and getattr(h, name) != wanted:
                return False
        return all(float(getattr(h, name)) == value for name, value in self.fixed.items())

    def row(self, h: Hyper) -> list[float]:
        """The hyperparameters that it reads, as doubles in its order."""
        choices = choices_of(self.rule)
        values = ((name, getattr(h, name)) for name in self.hyper)
        return [
            float(choices[name].index(value)) if name in choices else float(value)
            for name, value in values
        ]


def choices_of(rule: str) -> Mapping[str, tuple[str, ...]]:
    """The choices of each field of a rule's dialect, in the reference's order."""
    return OPTIMIZERS[rule].Hyper.CHOICES


@cache
def rule_kernels() -> tuple[RuleKernel, ...]:
    """Every kernel of a rule, in the extension's order; csrc/parts has others."""
    return tuple(
        _kernel(place, *texts, sums=sums)
        for place, (*texts, sums) in enumerate(_core.rule_kernels())
        if texts[0] in OPTIMIZERS
    )


def _kernel(
    place: int, rule: str, conditions: str, type: str, *names: str, sums: int
) -> RuleKernel:
    dialect, fixed = conditions_of(rule, conditions)
    hyper, states, inputs, numbers = (tuple(text.split()) for text in names)
    return RuleKernel(place, rule, dialect, fixed, type, hyper, states, inputs, numbers, sums)


def conditions_of(rule: str, text: str) -> tuple[dict[str, str], dict[str, float]]:
    """The choices and the values of hyperparameters that "decay=before momentum=0" names."""
    given = dict(condition.split("=") for condition in text.split())
    choices = choices_of(rule)
    dialect = {name: value for name, value in given.items() if name in choices}
    return dialect, {name: float(value) for name, value in given.items() if name not in choices}


def kernel_for(rule: str, h: Hyper) -> RuleKernel:
    """The first kernel of the rule that serves h. Raises ValueError where none does."""
    own = [kernel for kernel in rule_kernels() if kernel.rule == rule]
    for kernel in own:
        if kernel.serves(h):
            return kernel
    offered = "; ".join(" ".join(f"{k}={v}" for k, v in kernel.dialect.items()) for kernel in own)
    raise ValueError(f"no kernel of {rule} serves {h!r}; there are: {offered or 'none'}")
