"""A rule as it is compared: the form that is meant, and what computes its steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import cast

import numpy as np

from truestep.fast.locating import near
from truestep.fast.ours import cpu
from truestep.fast.protocol import (
    Array,
    Group,
    Number,
    OptimizerBackend,
    OptimizerCapability,
    Slot,
    numpy_dtype,
)
from truestep.fast.reference_backend import Backend as ReferenceBackend
from truestep.reference.declared import Hyper
from truestep.reference.optimizers import OPTIMIZERS

# What is meant by a name where the definition's defaults are another rule's: without momentum,
# torch's SGD is robbins_monro's step.
MEANT: Mapping[str, Mapping[str, Number]] = {"sgd": {"momentum": 0.9}}
# Rules that are told of one example, in the place of a gradient.
_OF_EXAMPLES = ("lms", "perceptron")


@dataclass(frozen=True, slots=True)
class Subject:
    """A rule with its hyperparameters. by: the backend that steps it, "cpu" or "reference"."""

    rule: str
    hyper: Hyper
    by: str
    capability: OptimizerCapability
    backend: OptimizerBackend

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The dtype of parameters and state."""
        return numpy_dtype(self.capability.format)


def refusal(rule: str) -> str:
    """Why a rule cannot be trained beside others from gradients alone, "" where it can."""
    if rule not in OPTIMIZERS:
        known = ", ".join(sorted(OPTIMIZERS))
        return f"no rule {rule!r} takes gradients{near(rule, OPTIMIZERS)}; there are {known}"
    if inputs := OPTIMIZERS[rule].FACTS.inputs:
        return f"{rule} takes more than a gradient: {', '.join(inputs)}"
    return ""


def comparable() -> list[str]:
    """The rules that step from gradients alone."""
    return [rule for rule in OPTIMIZERS if not refusal(rule)]


@cache
def subject(rule: str) -> Subject:
    """The rule in the first form that our kernels compute, or else as its reference has it.

    Raises ValueError where it needs more than gradients.
    """
    if told := refusal(rule):
        raise ValueError(told)
    backend = cpu.Backend()
    own = _first(backend.capabilities(), rule)
    made = (own, backend, "cpu") if own else (None, ReferenceBackend(), "reference")
    capability, stepping, by = made
    if capability is None:
        capability = _first(stepping.capabilities(), rule)
        assert capability is not None
    hyper = OPTIMIZERS[rule].Hyper(**{**capability.dialect, **MEANT.get(rule, {})})
    return Subject(rule, hyper, by, capability, cast(OptimizerBackend, stepping))


def _first(capabilities: Iterable[object], rule: str) -> OptimizerCapability | None:
    of = (c for c in capabilities if isinstance(c, OptimizerCapability) and c.rule == rule)
    return next(of, None)


class Trainer:
    """A subject's steps on a list of tensors, whose states it keeps."""

    def __init__(self, subject: Subject, rate: float, params: Sequence[Array]) -> None:
        self._subject, self._rate = subject, rate
        rule, dtype = OPTIMIZERS[subject.rule], subject.dtype
        self.params = [np.array(p, dtype, order="C") for p in params]
        self._states: list[Mapping[str, Array | int]] = []
        for p in self.params:
            state = rule.init(replace(subject.hyper, lr=rate), p.astype(np.float64))
            kept = {f.name: getattr(state, f.name) for f in fields(state)}
            self._states.append(
                {f: x if isinstance(x, int) else _stored(x, dtype) for f, x in kept.items()}
            )

    def step(self, grads: Sequence[Array], factor: float) -> None:
        """One step at factor times the rate."""
        hyper: Hyper = replace(self._subject.hyper, lr=self._rate * factor)
        dtype = self._subject.dtype
        slots = [
            Slot(p, np.asarray(g, dtype), state)
            for p, g, state in zip(self.params, grads, self._states, strict=True)
        ]
        with np.errstate(all="ignore"):
            [stepped] = self._subject.backend.optimizer_step(
                self._subject.capability, [Group(hyper, slots)]
            )
        self.params = [each.param for each in stepped]
        self._states = [each.state for each in stepped]

    def judged(self) -> list[Array]:
        """The points that the rule gives back: averages, where it keeps or makes them."""
        rule = OPTIMIZERS[self._subject.rule]
        if not hasattr(rule, "average"):
            behaviour = rule.State.BEHAVIOUR.get("average")
            if behaviour is None or not behaviour.moves:
                return self.params
            return [np.asarray(state["average"]) for state in self._states]
        h = replace(self._subject.hyper, lr=self._rate)
        return [
            rule.average(h, rule.State(**state), p)
            for p, state in zip(self.params, self._states, strict=True)
        ]


def _stored(x: Array, dtype: np.dtype[np.generic]) -> Array:
    x = np.asarray(x)
    return x.astype(dtype) if x.dtype.kind == "f" else x


def factors(steps: int) -> list[float]:
    """The decay that all share: a tenth of the steps of linear warm-up, then half a cosine to 0."""
    warm = max(steps // 10, 1)
    rest = [(t - warm) / (steps - warm) for t in range(warm, steps)]
    return [(t + 1) / warm for t in range(warm)] + [float(np.cos(np.pi * x / 2) ** 2) for x in rest]
