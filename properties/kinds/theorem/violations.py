"""Schedules and rules that violate a theorem's premises, put into every experiment on SGD.

python -m truestep.properties.kinds.theorem.violations prints which experiments notice each.
"""

import sys
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from truestep.fast.protocol import Number
from truestep.properties.kinds.theorem.theorems import controls, planted
from truestep.properties.kinds.theorem.theorems.controls import Sabotage
from truestep.properties.kinds.theorem.theorems.kernels import Numbers, Pull, reference
from truestep.properties.kinds.theorem.theorems.table import LEVEL, THEOREMS
from truestep.properties.kinds.theorem.theorems.theorem import Theorem, Trial
from truestep.reference.validation import Array


def _clipped(limit: float) -> Sabotage:
    return controls.gradients(lambda g, t: np.clip(np.asarray(g), -limit, limit))


def _shifted(lead: int) -> Sabotage:
    """Rates of one step later or before, which are known once they have been asked for."""
    if lead > 0:  # the next rate of the usual decays
        return controls.rate(lambda lr, t: lr * (t + 1) / (t + 2))
    previous: dict[int, float] = {}

    def late(lr: float, t: int) -> float:
        previous[t] = lr
        return previous[t - 1] if t else 0.0

    return controls.rate(late)


def _stale() -> Sabotage:
    """Each gradient is used one step later."""
    kept: dict[int, Pull] = {}

    def change(g: Pull, t: int) -> Pull:
        kept[t] = g
        return (
            kept[t - 1]
            if t and np.asarray(kept[t - 1]).shape == np.asarray(g).shape
            else 0.0 * np.asarray(g)
        )

    return controls.gradients(change)


def _float16(g: Pull, t: int) -> Array:
    return np.asarray(g).astype(np.float16).astype(np.float64)


def _rule(rule: str, **fixed: Number) -> Sabotage:
    """Another rule at the same rates, whatever else the experiment sets."""

    def only(given: Numbers, t: int) -> Numbers:
        return {**fixed, **{name: given[name] for name in ("lr",) if name in given}}

    return lambda _: controls.Spoilt(reference(rule), change=only)


# Each is made anew for every experiment: some remember what they saw.
SCHEDULES: dict[str, Callable[[], Sabotage]] = {
    "10 percent too long": lambda: controls.longer(1.1),
    "1 permille too short": lambda: controls.longer(0.999),
    "never any step": lambda: controls.longer(0.0),
    "one step early": lambda: _shifted(1),
    "one step late": lambda: _shifted(-1),
    "constant in the schedule's place": lambda: controls.rate(lambda lr, t: 0.1),
    "1 / sqrt(t) in its place": lambda: controls.rate(lambda lr, t: 0.3 * (t + 1) ** -0.5),
    "0.1 / t in its place": lambda: controls.rate(lambda lr, t: 0.1 / (t + 1)),
    "0.3 * 0.9^t in its place": lambda: controls.rate(lambda lr, t: 0.3 * 0.9**t),
    "every tenth step left out": lambda: controls.rate(lambda lr, t: lr * (t % 10 != 9)),
    "ten times too long from the eighth on": lambda: controls.rate(
        lambda lr, t: lr * (10 if t >= 8 else 1)
    ),
}
RULES: dict[str, Callable[[], Sabotage]] = {
    "ascent": lambda: controls.gradients(lambda g, t: -np.asarray(g)),
    "sum of a batch of two": lambda: controls.gradients(lambda g, t: 2 * np.asarray(g)),
    "gradients one step late": _stale,
    "gradients in float16": lambda: controls.gradients(_float16),
    "gradients clipped at 1": lambda: _clipped(1.0),
    "gradients clipped at 10": lambda: _clipped(10.0),
    "weight decay 0.01": lambda: controls.held(weight_decay=0.01),
    "momentum 0.1": lambda: controls.held(momentum=0.1),
    "heavy ball, momentum 0.5": lambda: _rule("heavy_ball", momentum=0.5),
    "Nesterov, momentum 0.5": lambda: _rule("nesterov", momentum=0.5),
    "Adam": lambda: _rule("adam"),
    "signSGD": lambda: _rule("signsgd"),
    "AdaGrad": lambda: _rule("adagrad"),
    "dead zone below 1e-3 p": lambda: planted.moved(planted.dead_below(0.0, 1e-3)),
    "dead zone below 1e-8": lambda: planted.moved(planted.dead_below(1e-8)),
    "stored towards zero": lambda: planted.stored(planted.truncated),
    "rounded up 5 percent too often": lambda: planted.stored(
        planted.rounded_up_too_often(0.05, seed=7)
    ),
}
VIOLATIONS = {**SCHEDULES, **RULES}


def of_sgd() -> list[Theorem]:
    """The theorems whose experiments run plain SGD."""
    return [theorem for theorem in THEOREMS.values() if theorem.subject.rule == "sgd"]


def noticed(
    name: str, theorems: Iterable[Theorem], seed: int = 0
) -> Iterator[tuple[Theorem, float]]:
    """Each experiment with the violation in the rule's place, and how far it deviates."""
    for theorem in theorems:
        kernel = VIOLATIONS[name]()(reference("sgd"))
        with np.errstate(all="ignore"):
            found = theorem.experiment(kernel, Trial(seed, LEVEL))
        yield theorem, found.statistic


def main() -> int:
    """Print the table; 1 where a violation passes everywhere."""
    theorems, missed = of_sgd(), []
    print(f"| violation | noticed by, of {len(theorems)} | not by |\n|---|---|---|")
    for name in VIOLATIONS:
        found = list(noticed(name, theorems))
        passed = [theorem.name for theorem, deviation in found if deviation <= 1]
        if len(passed) == len(found):
            missed.append(name)
        print(f"| {name} | {len(found) - len(passed)} | {', '.join(passed) or '-'} |", flush=True)
    print("\n| theorem | control | deviates, times what is allowed |\n|---|---|---|")
    for theorem in THEOREMS.values():
        dialect = {field: values[0] for field, values in theorem.subject.dialect.items()}
        kernel = reference(theorem.subject.rule, theorem.subject.kind, **dialect)
        for name, control in theorem.controls.items():
            with np.errstate(all="ignore"):
                deviation = control(kernel, Trial(0, LEVEL)).statistic
            print(f"| {theorem.name} | {name} | {deviation:.3g} |", flush=True)
            if deviation <= 1:
                missed.append(f"{theorem.name}: {name}")
    for name in missed:
        print(f"noticed by nothing: {name}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
