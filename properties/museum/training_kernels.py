"""Float32 kernels of training-loop pieces, and how a fault is planted in one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from truestep.fast.protocol import Capability
from truestep.properties.kinds.training.step import lifted
from truestep.reference.training import TRAINING as PIECES

Outputs = dict[str, Any]
Run = Callable[..., Outputs]


@dataclass(frozen=True, slots=True)
class TrainingFault:
    """A float32 kernel of a piece with a fault; the other fields are those of Fault.

    run(hyper, **inputs) computes instead of the correct kernel; dialect is what is declared.
    """

    rule: str
    description: str
    source: str
    run: Run
    check: str = "values"
    dialect: Mapping[str, str] = field(default_factory=dict)
    computes: str = ""
    kind: str = "training"

    def backend(self) -> TrainingBackend:
        """A backend that computes with the fault."""
        return TrainingBackend(self.rule, self.run, self.dialect)


class TrainingBackend:
    """The float32 kernel of one piece, correct where no other is given."""

    def __init__(
        self, rule: str, run: Run | None = None, dialect: Mapping[str, str] | None = None
    ) -> None:
        self.name = f"museum {rule}"
        self.rule = rule
        self.run = run or correct(rule)
        self.dialect = dialect or {}

    def capabilities(self) -> Sequence[Capability]:
        """The piece in float32."""
        return [Capability("training", self.rule, dialect=self.dialect)]

    def training_piece(
        self, capability: Capability, hyper: Any, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The outputs, faulty or not."""
        given = {name: lifted(x, np.float32, int) for name, x in inputs.items()}
        with np.errstate(all="ignore"):
            return {name: _plain(x) for name, x in self.run(hyper, **given).items()}


def _plain(x: Any) -> Any:
    if isinstance(x, list):
        return [_plain(item) for item in x]
    return x if isinstance(x, (bool, int)) else np.asarray(x, dtype=np.float32)


def correct(rule: str) -> Run:
    """The reference's lines in float32, where Python's numbers are rounded as they enter."""
    return PIECES[rule].run


def with_(rule: str, /, **fields: Any) -> Run:
    """The piece with hyperparameters replaced: by values, or by functions of the Hyper."""

    def run(h: Any, **inputs: Any) -> Outputs:
        new = {name: x(h) if callable(x) else x for name, x in fields.items()}
        return correct(rule)(dataclasses.replace(h, **new), **inputs)

    return run


def given(rule: str, change: Callable[[Any, dict[str, Any]], dict[str, Any]]) -> Run:
    """The piece on inputs some of which are changed."""
    return lambda h, **inputs: correct(rule)(h, **{**inputs, **change(h, inputs)})


def spoilt(rule: str, change: Callable[[Any, dict[str, Any], Outputs], Outputs]) -> Run:
    """The piece with some outputs changed afterwards."""

    def run(h: Any, **inputs: Any) -> Outputs:
        out = correct(rule)(h, **inputs)
        return {**out, **change(h, inputs, out)}

    return run
