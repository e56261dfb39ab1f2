"""Scaling the rate with the batch: nearly the same mean, ever more noise, and an end at 2 / l."""

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import held, longer
from truestep.properties.kinds.theorem.theorems.kernels import Kernel, reference
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

BASE, LR, CURVATURE, STEPS = 256, 0.05, 1.0, 360
STABLE, UNSTABLE = (1, 2, 4, 8, 16, 32), (41, 64)


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """Batches of up to 32 times the base's, by unit impulses of noise through plain SGD.

    An impulse moves x by w_0, w_1, ... in the following steps, so that noise of variance s^2 / k
    leaves the variance sum w^2 s^2 / k.
    """
    outcomes: list[Outcome] = []
    points: list[Point] = []
    u = max(kernel.u, 2.0**-53)
    variance_of_base = LR / (CURVATURE * (2 - LR * CURVATURE))
    for k in STABLE:
        lr = float(kernel.outputs({"batch": k * BASE, "t": 0}, lr=LR, base_batch=BASE)["lr"])
        weights = _impulse(lr)
        ratio = float(weights @ weights) / k / variance_of_base
        due = (2 - LR * CURVATURE) / (2 - k * LR * CURVATURE)
        # The rate is rounded once or twice; the variance moves with it by 2 / (2 - lr l) at most.
        allowed = due * (3 * u * 2 / (2 - k * LR * CURVATURE) + 2.0**-53 * 64 * STEPS)
        outcomes.append(equal(f"k = {k}: variance over the base's", ratio, due, allowed))
        points.append((k, ratio, due, (due - allowed, due + allowed)))
        if k * LR * CURVATURE <= 1:
            one, many = 1 - lr * CURVATURE, (1 - LR * CURVATURE) ** k
            most = k * (k - 1) / 2 * (LR * CURVATURE) ** 2
            outcomes.append(at_most(f"k = {k}: mean", abs(one - many), most, 4 * u))
    for k in UNSTABLE:
        lr = float(kernel.outputs({"batch": k * BASE, "t": 0}, lr=LR, base_batch=BASE)["lr"])
        weights = np.abs(_impulse(lr))
        outcomes.append(at_most(f"k = {k}: grows", float(weights[0]), float(weights[-1])))
    return Evidence.of(outcomes, points)


def _impulse(lr: float) -> np.ndarray:
    """How far one unit of noise in the first gradient moves x, after each of the steps."""
    run, found = reference("sgd").start(np.zeros(1), lr=lr), []
    for t in range(STEPS):
        found.append(float(run.step(CURVATURE * run.p + (t == 0))[0]))
    return np.array(found)


LINEAR_SCALING = Theorem(
    name="linear_scaling_and_its_end",
    topic="batches",
    statement=(
        "With k times the batch and k times the rate a, one step contracts the mean like k small "
        "ones to within k (k - 1) (a l)^2 / 2, for k a l <= 1; the variance at rest is (2 - a l) / "
        "(2 - k a l) times as large, and from k = 2 / (a l) on the iterates grow."
    ),
    source="P. Goyal et al., arXiv:1706.02677, 2017, section 2.1, for the rule; by the recursion",
    subject=Subject(
        "linear_scaling", "training", dialect={"rule": ("linear",)}, sets=("lr", "base_batch")
    ),
    constants={"a": LR, "l": CURVATURE, "base batch": BASE},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "the rate scaled with the root of the batch": held(rule="square_root"),
            "rates 1 percent too long": longer(1.01),
        },
    ),
    axes=("k", "variance over that of the base batch"),
    changed="the variance",
)
