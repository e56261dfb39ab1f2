"""signSGD's exact decrease on separable quadratics, and the rate that follows from it."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import gradients, longer
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    at_most,
    equal,
    spoilt,
)
from truestep.reference.validation import Array

L = np.array([0.25, 1.0, 4.0, 0.5])
OPTIMUM = np.array([3.0, -2.0, 1.5, 0.75])
START = np.array([-1.0, 2.0, 1.0, 2.75])


def value(x: Array) -> float:
    """A quadratic with curvatures L."""
    return float(L @ (x - OPTIMUM) ** 2 / 2)


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """K steps of sqrt(2 f(x_0) / (|L|_1 K)): each one's decrease, and the mean gradient at the end.

    A step rounds lr and the sum: it errs by u (a + |p'|) in a coordinate, and twice that where the
    implementation shrinks p by 1 - 0 first; f then errs by slope times error plus L error^2 / 2.
    """
    K = trial.pick(64, 4096)
    run = kernel.start(START, lr=0.0)
    a = float(np.sqrt(2 * value(run.p) / (L.sum() * K)))
    begin = value(run.p)
    tests, points, sizes, slack = list[Outcome](), list[Point](), 0.0, 0.0
    expected = begin
    for k in range(1, K + 1):
        x = run.p
        g = L * (x - OPTIMUM)
        sizes += float(np.abs(g).sum())
        due = -a * float(np.abs(g).sum()) + a * a * float(L @ np.sign(g) ** 2) / 2
        error = 2 * kernel.u * (a + np.abs(x) + np.abs(run.step(g, lr=a)))
        slope = np.abs(g) + a * L
        rounding = float(slope @ error + L @ error**2 / 2) + 2.0**-53 * 16 * value(x)
        slack, expected = slack + rounding, expected + due
        tests.append(equal(f"step {k}: decrease", value(run.p) - value(x), due, rounding))
        if k & (k - 1) == 0:
            points.append((k, value(run.p), expected, (expected - slack, expected + slack)))
    bound = float(np.sqrt(2 * begin * L.sum() / K))
    tests.append(at_most("mean |g|_1", sizes / K, bound, slack / (a * K)))
    return Evidence.of(tests, points)


SIGNSGD_DESCENT = Theorem(
    name="signsgd_descent",
    topic="adaptive",
    statement=(
        "A step of signSGD on a function with coordinate curvatures at most L_i lowers it by at "
        "least a |g|_1 - a^2 |L|_1 / 2, exactly so on a separable quadratic; K steps of "
        "a = sqrt(2 (f(x_0) - f*) / (|L|_1 K)) have a mean |g|_1 of at most "
        "sqrt(2 |L|_1 (f(x_0) - f*) / K)."
    ),
    source=(
        "J. Bernstein et al., ICML 2018 (arXiv:1802.04434), theorem 1 without noise, the step "
        "chosen for the bound"
    ),
    subject=Subject("signsgd", formats=("bfloat16", "float32", "float64")),
    constants={"L_1": float(L.sum()), "dimension": len(L)},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "every step half as long again": longer(1.5),
            "a coordinate forgotten": gradients(lambda g, _: g * np.array([1.0, 1.0, 0.0, 1.0])),
        },
    ),
    axes=("k", "f(x_k) - f*"),
    changed="the decrease of a step",
)
