"""AdaGrad's regret on a box, against adversaries, and what it does on one gradient for ever."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import gradients, rate
from truestep.properties.kinds.theorem.theorems.drift import Drift
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    at_most,
    spoilt,
)
from truestep.reference.validation import Array

# A box of side D about a centre away from 0; lr is the best for that side.
D, CENTRE = 2.0, 3.0
LR = D / float(np.sqrt(2))
SLOPES = np.array([1e-3, 1.0, 40.0])


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Four adversaries of a box, then equal gradients of three sizes."""
    T = trial.pick(64, 1024)
    moved, points = _equal_gradients(kernel, T)
    return Evidence.of([*_regret(kernel, trial, T), *moved], points)


def _regret(kernel: Kernel, trial: Trial, T: int) -> list[Outcome]:
    """Regret, coordinate by coordinate, of a run that is clipped to the box after every step.

    The bound is of exact arithmetic on the gradients that the kernel has met, which pays |g| times
    its distance from there more.
    """
    rng = trial.rng()
    low, high = CENTRE - D / 2, CENTRE + D / 2
    numbers = {"lr": LR, "eps": 0.0}
    run = kernel.start(np.full(4, high), **numbers)
    drift = Drift(kernel, run.p, numbers)
    loss, total, squares, strayed = (np.zeros(4) for _ in range(4))
    for _ in range(T):
        x = run.p
        away = np.where(x >= CENTRE, 1.0, -1.0)
        g = np.array([away[0], 3.0, rng.standard_normal(), away[3] * rng.exponential()])
        loss, total, squares = loss + g * x, total + g, squares + g * g
        strayed = strayed + np.abs(g) * drift.error
        run.step(g)
        drift.step(g)
        run.put(np.clip(run.p, low, high))
        drift.clip(low, high)
    best = np.where(total > 0, low, high) * total
    bound = np.sqrt(2) * D * np.sqrt(squares)
    who = ("always away", "always the same", "random", "away, of random size")
    return [
        at_most(f"regret against {name}", float(r), float(b), float(s))
        for name, r, b, s in zip(who, loss - best, bound, strayed, strict=True)
    ]


def _equal_gradients(kernel: Kernel, T: int) -> tuple[list[Outcome], list[Point]]:
    """After t equal gradients p has moved by lr (1 + 1 / sqrt 2 + ... + 1 / sqrt t)."""
    numbers = {"lr": 0.5, "eps": 0.0}
    run = kernel.start(np.full(len(SLOPES), CENTRE), **numbers)
    drift, way, tests, points = Drift(kernel, run.p, numbers), 0.0, list[Outcome](), list[Point]()
    for t in range(1, T + 1):
        x, error = run.step(SLOPES), drift.step(SLOPES)
        way += 0.5 / float(np.sqrt(t))
        gap = np.abs(CENTRE - x - way)
        worst = int(np.argmax(gap / error))
        name = f"way after {t} gradients {SLOPES[worst]:g}"
        tests.append(Outcome(float(gap[worst] / error[worst]), name, float(2 * error[worst] / way)))
        if t & (t - 1) == 0:
            e = float(error[1])
            points.append((t, CENTRE - float(x[1]), way, (way - e, way + e)))
    return tests, points


def _forgets(g: Array, t: int) -> Array:
    return np.asarray(g) * 1.05**t


ADAGRAD_REGRET = Theorem(
    name="adagrad_regret",
    topic="adaptive",
    statement=(
        "AdaGrad with lr = D / sqrt 2 on a box of side D has a regret of at most "
        "sqrt 2 D |g_{1:T,i}|_2 in coordinate i, whatever the gradients; equal gradients of any "
        "size move it by exactly lr (1 + 1 / sqrt 2 + ... + 1 / sqrt t)."
    ),
    source=(
        "J. Duchi, E. Hazan, Y. Singer, JMLR 12, 2011, theorem 5 and corollary 6; the second by "
        "summing the steps"
    ),
    subject=Subject("adagrad", sets=("lr", "eps")),
    constants={"D": D, "centre": CENTRE, "lr": LR},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "a rate that falls as 1 / t beside the rule's own 1 / sqrt(t)": rate(
                lambda lr, t: lr / (t + 1)
            ),
            "a sum of squares that forgets: gradients that grow by 5 % a step": gradients(_forgets),
        },
    ),
    axes=("t", "way on equal gradients"),
    changed="the way",
)
