"""What a theorem is here: a statement with constants, an experiment, and a control that must fail.

An experiment runs a `Step`, plain gradient descent p - lr g on arrays, of the reference or of a
backend. Its statistic is the largest ratio of a deviation to the deviation allowed, so at most 1
passes. The allowance is a quantile of the exact distribution, shared out over all tests of the
experiment (Bonferroni), plus a bound on the rounding of the step. The negative control is the same
experiment on a sabotaged step; where that passes, the experiment shows nothing and the theorem
fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from truestep.fast.protocol import Group, OptimizerBackend, OptimizerCapability, Slot, numpy_dtype
from truestep.reference.optimizers import sgd
from truestep.reference.validation import Array

# Chance that a correct step fails one theorem. Four theorems on ten backends, a thousand times a
# year, then raise one false alarm in twenty-five years.
FALSE_ALARM_PROBABILITY = 1e-6


class Step(Protocol):
    """One step of gradient descent."""

    def __call__(self, lr: float, p: Array, g: Array) -> Array:
        """p - lr g, as float64 numbers in the shape of p."""
        ...


# A deviation, in units of the one allowed, and which test it is of.
Test = tuple[float, str]


def worst(tests: Iterable[Test]) -> Test:
    """The largest deviation; a nan is the largest of all."""
    return max(tests, key=lambda test: (np.isnan(test[0]), test[0]), default=(0.0, "nothing"))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one experiment measured.

    statistic: the largest deviation over the allowed one. worst: which test that was. What a chart
    shows against x: measured, expected, and the band low to high of what passes. resolution: the
    relative error of a variance that is detected with probability 0.99; 0 without randomness.
    """

    statistic: float
    worst: str
    x: Sequence[float]
    measured: Sequence[float]
    expected: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    resolution: float = 0.0

    @classmethod
    def of(
        cls,
        tests: Iterable[Test],
        points: Iterable[tuple[float, float, float, tuple[float, float]]],
        resolution: float = 0.0,
    ) -> Evidence:
        """From all tests and, at every time, what was measured, expected, and the band."""
        x, measured, expected, bands = zip(*points, strict=True)
        low, high = zip(*bands, strict=True)
        return cls(*worst(tests), x, measured, expected, low, high, resolution)


Experiment = Callable[[Step, int, float], Evidence]


@dataclass(frozen=True, slots=True)
class Theorem:
    """A convergence theorem.

    statement: with its constants. constants: those of the experiment. experiment(step, seed, u): u
    is the unit roundoff of the step's arithmetic. sabotage(lr): the negative control's step
    size in the place of lr. control: what the sabotage does. false_alarm_probability: 0 where
    nothing is random.
    """

    name: str
    statement: str
    source: str
    constants: Mapping[str, float]
    experiment: Experiment
    sabotage: Callable[[float], float]
    control: str
    false_alarm_probability: float
    axes: tuple[str, str]

    @property
    def description(self) -> str:
        """The statement on one line."""
        return self.statement


@dataclass(frozen=True, slots=True)
class TheoremResult:
    """What the experiment measured on one step and on its sabotage; message: what is wrong."""

    evidence: Evidence
    control: Evidence
    message: str

    @property
    def verdict(self) -> Literal["pass", "fail"]:
        """The theorem's verdict on the step."""
        return "fail" if self.message else "pass"


def run(theorem: Theorem, step: Step, seed: int, unit_roundoff: float = 2.0**-53) -> TheoremResult:
    """The theorem's experiment on the step, and its negative control."""
    evidence = theorem.experiment(step, seed, unit_roundoff)

    def sabotaged(lr: float, p: Array, g: Array) -> Array:
        return step(theorem.sabotage(lr), p, g)

    # A control that diverges overflows on its way; that is its failure, not an error.
    with np.errstate(over="ignore", invalid="ignore"):
        control = theorem.experiment(sabotaged, seed, unit_roundoff)
    message = ""
    if not evidence.statistic <= 1:
        message = (
            f"{theorem.statement} Violated: {evidence.worst} deviates {evidence.statistic:.4g} "
            f"times as far as allowed (seed {seed})."
        )
    elif control.statistic <= 1:
        message = f"The negative control passed ({theorem.control}): the experiment shows nothing."
    return TheoremResult(evidence, control, message)


def report_extra(theorem: Theorem, result: TheoremResult) -> dict[str, object]:
    """The result as reports draw it: the statement and a log-log chart with its control."""
    evidence, x = result.evidence, list(result.evidence.x)
    lines = [
        {"label": "theorem", "role": "exact", "y": evidence.expected},
        {"label": "measured", "role": "measured", "y": evidence.measured},
        {"label": "negative control", "role": "control", "y": result.control.measured},
    ]
    band = {"label": "allowed", "role": "band", "low": evidence.low, "high": evidence.high}
    return {
        "statement": theorem.statement,
        "source": theorem.source,
        "constants": dict(theorem.constants),
        "false_alarm": theorem.false_alarm_probability,
        "control": theorem.control,
        "statistic": evidence.statistic,
        "control_statistic": result.control.statistic,
        "resolution": evidence.resolution,
        "chart": {
            "label": theorem.name,
            "x_label": theorem.axes[0],
            "y_label": theorem.axes[1],
            "log_x": True,
            "log_y": True,
            "series": [{**line, "x": x} for line in (band, *lines)],
        },
    }


def reference_step(lr: float, p: Array, g: Array) -> Array:
    """The float64 reference's plain SGD."""
    h = sgd.Hyper(lr=lr)
    return sgd.step(h, sgd.init(h, p), p, g)[1]


def backend_step(backend: OptimizerBackend, capability: OptimizerCapability) -> Step:
    """A backend's plain SGD, in the format of the capability."""
    dtype = numpy_dtype(capability.format)

    def step(lr: float, p: Array, g: Array) -> Array:
        fields: dict[str, Array] = {"lr": lr, **capability.dialect, **capability.fixed}
        h = sgd.Hyper(**fields)
        param = np.ascontiguousarray(p, dtype)
        slot = Slot(param, np.ascontiguousarray(g, dtype), {"t": 0, "b": np.zeros_like(param)})
        ((stepped,),) = backend.optimizer_step(capability, [Group(h, [slot])])
        return np.asarray(stepped.param).astype(np.float64)

    return step
