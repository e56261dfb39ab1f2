"""What a theorem is here: a statement with constants, an experiment, and controls that must fail.

A theorem speaks of a rule (its Subject), and is run on whatever implements that rule in a form and
a format in which the statement says something. Its experiment gathers tests; each says how far a
measured number deviates in units of what is allowed, so at most 1 passes. What is allowed is a
quantile of the exact distribution or a bound that holds for finite samples, at the trial's level
shared out over all tests of the experiment (Bonferroni), plus a bound on the rounding of the steps.
A control is the same experiment with something wrong; where one passes, the experiment shows
nothing and the theorem fails.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeVar

import numpy as np

from truestep.fast.protocol import Capability, Kind, Level, OptimizerCapability
from truestep.properties.arithmetic.profiles import arithmetic_of
from truestep.properties.cases.hypers import values_of
from truestep.properties.kinds.optimizer.storage import draws
from truestep.properties.kinds.theorem.theorems.controls import Sabotage
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.reference.tables import RULES

Item = TypeVar("Item")
# Formats whose roundings leave an experiment with noise of order 1 visible.
FINE = ("float32", "float64")


class Outcome(NamedTuple):
    """One number that an experiment judges.

    deviation: in units of the one allowed. name: what is judged. change: the smallest relative
    change of the judged quantity that is found with probability 0.99, inf where none is stated.
    """

    deviation: float
    name: str
    change: float = np.inf


def worst(tests: Iterable[Outcome]) -> Outcome:
    """The largest deviation; a nan is the largest of all."""
    return max(
        tests, key=lambda t: (np.isnan(t.deviation), t.deviation), default=Outcome(0, "nothing")
    )


def equal(name: str, got: float, due: float, allowed: float) -> Outcome:
    """An equality; allowed is a bound on rounding. Without rounding it is exact."""
    gap = abs(float(got) - float(due))
    deviation = gap / allowed if allowed else (0.0 if gap == 0 else np.inf)
    change = (2 * allowed / abs(due) if due else np.inf) if allowed else 0.0
    return Outcome(deviation, name, change)


def at_most(name: str, got: float, bound: float, allowed: float = 0.0) -> Outcome:
    """An upper bound on a number >= 0, with what rounding allows beyond."""
    limit = bound + allowed
    deviation = float(got) / limit if limit else (0.0 if got <= 0 else np.inf)
    return Outcome(deviation, name)


@dataclass(frozen=True, slots=True)
class Trial:
    """How an experiment is to be made.

    seed: of all its random numbers. level: the probability with which it may fail a correct kernel.
    full: at full size, as at the level deep; else at one that fits into a test run.
    """

    seed: int
    level: float
    full: bool = False

    def pick(self, fast: Item, full: Item) -> Item:
        """What belongs to the size."""
        return full if self.full else fast

    def rng(self, part: int = 0) -> np.random.Generator:
        """Random numbers for one part of the experiment, independent of the other parts'."""
        return np.random.default_rng([self.seed, part])


# At a place x: what was measured, what is expected there, and the band of what passes.
Point = tuple[float, float, float, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one experiment measured.

    statistic: the largest deviation over the allowed one. worst: which test that was. change: the
    smallest relative change that any test finds with probability 0.99. What a chart shows against
    x: measured, expected, and the band low to high of what passes.
    """

    statistic: float
    worst: str
    change: float
    x: Sequence[float]
    measured: Sequence[float]
    expected: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]

    @classmethod
    def of(cls, tests: Iterable[Outcome], points: Iterable[Point]) -> "Evidence":
        """From all tests, and what a chart shows."""
        made = list(tests)
        x, measured, expected, bands = zip(*points, strict=True)
        low, high = zip(*bands, strict=True)
        found = worst(made)
        change = min((test.change for test in made), default=np.inf)
        return cls(found.deviation, found.name, change, x, measured, expected, low, high)


Experiment = Callable[[Kernel, Trial], Evidence]


@dataclass(frozen=True, slots=True)
class Subject:
    """The rule that a theorem speaks of, and what it needs of an implementation.

    dialect: choices that the statement hangs on, with the values that will do; of the others any
    will. sets: hyperparameters that the experiment sets, and so may not be held fixed. formats: of
    parameters. storage: quantizers of the state with which the statement still holds. codes:
    where it is of codes alone, whether they are the nearest ones or are drawn by chance. by_chance:
    whether its allowance covers stores that are rounded by chance.
    """

    rule: str
    kind: Kind = "optimizer"
    dialect: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sets: tuple[str, ...] = ("lr",)
    formats: tuple[str, ...] = FINE
    storage: tuple[str, ...] = ()
    codes: Literal["", "nearest", "drawn"] = ""
    by_chance: bool = False

    def suits(self, capability: Capability) -> bool:
        """Whether the theorem speaks of this implementation."""
        if (capability.kind, capability.rule) != (self.kind, self.rule):
            return False
        rule = RULES[self.kind][self.rule]
        # Experiments on rules that are not of matrices have vectors.
        of_matrices = getattr(getattr(rule, "FACTS", None), "matrices", False)
        if getattr(capability, "shapes", "any") == "matrices" and not of_matrices:
            return False
        by_chance = arithmetic_of(capability.arithmetic).rounding == "stochastic"
        if by_chance and not self.by_chance:
            return False
        plain = rule.Hyper()
        if capability.format not in self.formats or not self.keeps(capability) <= {*self.storage}:
            return False
        kept = self.chosen(capability)
        if (kept == "drawn" or self.codes) and kept != self.codes:
            return False
        for name, due in self.dialect.items():
            if capability.dialect.get(name, getattr(plain, name)) not in due:
                return False
        # What is held fixed has to be at its default, which the statement takes for granted.
        return all(
            name not in self.sets and getattr(plain, name) in values_of(value)
            for name, value in capability.fixed.items()
        )

    @staticmethod
    def keeps(capability: Capability) -> frozenset[str]:
        """The quantizers of a capability's state."""
        stored = capability.storage if isinstance(capability, OptimizerCapability) else {}
        return frozenset(how.quantizer for how in stored.values())

    @staticmethod
    def chosen(capability: Capability) -> Literal["", "nearest", "drawn"]:
        """How the codes of its state are chosen, if it has any."""
        stored = capability.storage if isinstance(capability, OptimizerCapability) else {}
        if not stored:
            return ""
        return "drawn" if any(draws(how) for how in stored.values()) else "nearest"

    @property
    def places(self) -> int:
        """How many implementations of one backend are run at most."""
        return len(self.formats) * ((not self.codes) + len(self.storage))


@dataclass(frozen=True, slots=True)
class Theorem:
    """A convergence theorem.

    topic: the folder it stands in. statement: with its constants. constants: those of the
    experiment. controls: the same experiment with something wrong, by what that is; the first is
    drawn in the chart. random: whether chance decides anything. changed: of which quantity the
    evidence's change is. axes: what the chart shows.
    """

    name: str
    topic: str
    statement: str
    source: str
    subject: Subject
    constants: Mapping[str, float]
    experiment: Experiment
    controls: Mapping[str, Experiment]
    axes: tuple[str, str]
    random: bool = False
    changed: str = "the measured quantity"

    @property
    def description(self) -> str:
        """The statement on one line."""
        return self.statement


def spoilt(experiment: Experiment, **sabotages: Sabotage) -> dict[str, Experiment]:
    """Controls: the experiment on a kernel that each sabotage spoils; _ in a name is a space."""

    def control(sabotage: Sabotage) -> Experiment:
        return lambda kernel, trial: experiment(sabotage(kernel), trial)

    return {name.replace("_", " "): control(s) for name, s in sabotages.items()}


@dataclass(frozen=True, slots=True)
class TheoremResult:
    """What the experiment measured on a kernel, and its controls; message: what is wrong."""

    trial: Trial
    evidence: Evidence
    controls: Mapping[str, Evidence]
    message: str

    @property
    def verdict(self) -> Literal["pass", "fail"]:
        """The theorem's verdict on the kernel."""
        return "fail" if self.message else "pass"


def run(
    theorem: Theorem, kernel: Kernel, trial: Trial, controls: int | None = None
) -> TheoremResult:
    """The theorem's experiment on the kernel, and its negative controls.

    controls: how many of these, the first ones; all where nothing is said.
    """
    # A kernel or a control that diverges overflows on its way; that is its failure, not an error.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        evidence = theorem.experiment(kernel, trial)
        asked = list(theorem.controls.items())[:controls]
        found = {name: control(kernel, trial) for name, control in asked}
    passed = [name for name, control in found.items() if control.statistic <= 1]
    message = ""
    if not evidence.statistic <= 1:
        message = (
            f"{theorem.statement} Violated: {evidence.worst} deviates {evidence.statistic:.4g} "
            f"times as far as allowed (seed {trial.seed})."
        )
    elif passed or not found:
        which = ", ".join(passed) or "there is none"
        message = f"The negative control passed ({which}): the experiment shows nothing."
    return TheoremResult(trial, evidence, found, message)


def is_full(level: Level) -> bool:
    """Whether experiments have their full size at this level."""
    return level == "deep"


def report_extra(theorem: Theorem, result: TheoremResult) -> dict[str, object]:
    """The result as reports draw it: the statement and a log-log chart with its first control."""
    evidence, x = result.evidence, list(result.evidence.x)
    first = next(iter(result.controls.values()))
    lines = [
        {"label": "theorem", "role": "exact", "y": evidence.expected},
        {"label": "measured", "role": "measured", "y": evidence.measured},
        {"label": "negative control", "role": "control", "y": first.measured},
    ]
    band = {"label": "allowed", "role": "band", "low": evidence.low, "high": evidence.high}
    return {
        "statement": theorem.statement,
        "source": theorem.source,
        "constants": dict(theorem.constants),
        "seed": result.trial.seed,
        "false_alarm": result.trial.level if theorem.random else 0.0,
        "control": "; ".join(result.controls),
        "statistic": evidence.statistic,
        "control_statistic": min(control.statistic for control in result.controls.values()),
        "changed": theorem.changed,
        "change": evidence.change,
        "chart": {
            "label": theorem.name,
            "x_label": theorem.axes[0],
            "y_label": theorem.axes[1],
            "log_x": True,
            "log_y": True,
            "series": [{**line, "x": x} for line in (band, *lines)],
        },
    }
