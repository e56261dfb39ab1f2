"""Error feedback makes signSGD converge where it does not by itself."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.adaptive.karimireddy import (
    SUM,
    G,
    subgradient,
    value,
)
from truestep.properties.kinds.theorem.theorems.controls import gradients, longer
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Experiment,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    at_most,
    spoilt,
)
from truestep.reference.validation import Array

START = np.array([2.5, 1.25])
# |q - C(q)| <= RHO |q| for C(q) = |q|_1 sign(q) / d, since |q|_1 >= |q|_2: with d = 2.
RHO = float(np.sqrt(1 - 1 / 2))


def fed_back(kept: float) -> Experiment:
    """The experiment with this part of the error carried along."""
    return lambda kernel, trial: _experiment(kernel, trial, kept)


def _experiment(kernel: Kernel, trial: Trial, kept: float) -> Evidence:
    """The error carried along, and f at the average of the iterates, after T steps.

    What is left of q = a g + e after the kernel's step is e, so that rounding is carried along too:
    x - e makes the steps of plain subgradient descent exactly, and a step's rounding of
    u (|p| + 3 |step|) a coordinate enters e alone.
    """
    T = trial.pick(512, 4096)
    run = kernel.start(START, lr=0.0)
    distance = float(np.linalg.norm(run.p - SUM / 2))
    a = distance / (G * float(np.sqrt(T)))
    e, limit, total = np.zeros(2), 0.0, np.zeros(2)
    tests, points, errors = list[Outcome](), list[Point](), 0.0
    for t in range(1, T + 1):
        x = run.p
        total = total + x
        errors += float(np.linalg.norm(e))
        q = a * subgradient(x) + e
        step = float(np.abs(q).sum()) / 2
        moved = run.step(q, lr=step)
        e = kept * (q - (x - moved))
        rounding = kernel.u * float(np.linalg.norm(2 * np.abs(x) + 2 * np.abs(moved) + 3 * step))
        limit = RHO * (limit + a * G) + rounding
        tests.append(at_most(f"step {t}: |e|", float(np.linalg.norm(e)), limit))
        if t & (t - 1) == 0:
            bound = _bound(distance, a, t, RHO / (1 - RHO) * a * G)
            points.append((t, value(total / t), bound, (0.0, bound)))
    due = _bound(distance, a, T, errors / T)
    tests.append(at_most("f at the average", value(total / T), due))
    return Evidence.of(tests, points)


def _bound(distance: float, a: float, t: int, error: float) -> float:
    """Subgradient descent's bound on x - e, and what f's slope makes of e."""
    return distance**2 / (2 * a * t) + a * G * G / 2 + G * error


def _stuck(g: Array, t: int) -> Array:
    return np.array([g[0], -g[0]])


ERROR_FEEDBACK = Theorem(
    name="error_feedback",
    topic="adaptive",
    statement=(
        "signSGD with error feedback, x' = x - |q|_1 sign(q) / d, q = a g + e, e' = q - (x - x'), "
        "keeps |e| <= r / (1 - r) a G with r = sqrt(1 - 1 / d), and has f(mean x) - f* <= "
        "D^2 / (2 a T) + a G^2 / 2 + r / (1 - r) a G^2 on every convex f of slope G."
    ),
    source=(
        "S. P. Karimireddy et al., ICML 2019 (arXiv:1901.09847), lemma 3 and theorem IV, with the "
        "constant that the triangle inequality gives"
    ),
    subject=Subject("signsgd", formats=("bfloat16", "float32", "float64")),
    constants={"G": G, "r": RHO, "dimension": 2},
    experiment=fed_back(1.0),
    controls={
        "no feedback": fed_back(0.0),
        **spoilt(
            fed_back(1.0),
            **{
                "no step made": longer(0.0),
                "the second coordinate always opposite to the first": gradients(_stuck),
            },
        ),
    },
    axes=("t", "f(mean x) - f*"),
    changed="the error carried along",
)
