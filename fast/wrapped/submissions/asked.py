"""What a submission is to be judged as: the rule, its dialect, and numbers that it holds fixed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from truestep.fast.locating import BrokenBackend, require_optimizer
from truestep.fast.protocol import Fixed, Number, OptimizerCapability
from truestep.fast.wrapped import forms
from truestep.reference.declared import Flag
from truestep.reference.optimizers import OPTIMIZERS

_ARITHMETIC = "arithmetic"


@dataclass(frozen=True, slots=True)
class Asked:
    """dialect, hyper: by field of the rule's Hyper. arithmetic: "" for the rule's usual one."""

    rule: str
    dialect: Mapping[str, str] = field(default_factory=dict)
    hyper: Mapping[str, Number] = field(default_factory=dict)
    arithmetic: str = ""

    @property
    def text(self) -> str:
        """As it stands in a backend's spec, after the "@"."""
        rounding = {_ARITHMETIC: self.arithmetic} if self.arithmetic else {}
        settings = {**self.dialect, **self.hyper, **rounding}
        return ",".join([self.rule, *(f"{name}={value}" for name, value in settings.items())])

    def capability(self, offered: Iterable[str]) -> OptimizerCapability:
        """What is judged, of a task that has these of the rule's numbers.

        A number that it has not is held at what was asked, else as of a kernel that leaves it out:
        no decay, and the rule's default of others.
        """
        rule = OPTIMIZERS[self.rule]
        left = forms.choices(rule, dict.fromkeys(offered))
        fixed = {name: cast(Fixed, left[name][0]) for name in rule.Hyper.RANGES if name in left}
        elementwise = rule.FACTS.elementwise
        return OptimizerCapability(
            rule=self.rule,
            arithmetic=self.arithmetic or ("ieee_float32" if elementwise else "sequential_float32"),
            dialect=dict(self.dialect),
            fixed={**fixed, **self.hyper},
            shapes="matrices" if rule.FACTS.matrices else "nonempty",
        )


def asked(rule: str, settings: Iterable[str], arithmetic: str = "") -> Asked:
    """From a rule's name and settings "field=value"; raises BrokenBackend for what it has not."""
    require_optimizer(rule)
    module = OPTIMIZERS[rule]
    dialect: dict[str, str] = {}
    hyper: dict[str, Number] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise BrokenBackend(f"{setting!r} is no setting; write field=value")
        if name == _ARITHMETIC:
            arithmetic = value
        elif name in module.DIALECTS:
            if value not in module.DIALECTS[name]:
                known = ", ".join(module.DIALECTS[name])
                raise BrokenBackend(f"{name}={value}: of {rule} it is one of {known}")
            dialect[name] = value
        elif name in module.Hyper.RANGES:
            hyper[name] = _number(rule, name, value)
        else:
            known = ", ".join([*module.DIALECTS, *module.Hyper.RANGES])
            raise BrokenBackend(f"{setting}: {rule} has no {name!r}, but {known}")
    return Asked(rule, dialect, hyper, arithmetic)


def parsed(text: str) -> Asked:
    """From the text that Asked writes."""
    rule, *settings = text.split(",")
    return asked(rule, settings)


def _number(rule: str, name: str, text: str) -> Number:
    limits = OPTIMIZERS[rule].Hyper.RANGES[name]
    try:
        if isinstance(limits, Flag):
            value: Number = {"True": True, "False": False, "true": True, "false": False}[text]
        else:
            value = float(text)
            value = int(text) if text.lstrip("-").isdigit() else value
        limits.check(name, value)
    except (KeyError, TypeError, ValueError) as error:
        told = str(error) if isinstance(error, ValueError) else "is no such value"
        raise BrokenBackend(f"{name}={text}: {told}") from None
    return value
