"""Prodigy's estimate of the distance to the optimum is never above it."""

from dataclasses import dataclass, field

import numpy as np

from truestep.properties.kinds.theorem.theorems.controls import gradients, held
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

OPTIMUM = np.array([3.0, -2.0, 0.5, 7.0])
START = np.array([2.0, -2.5, 0.25, 3.0])
DISTANCE = float(np.abs(START - OPTIMUM).max())
SLOPES = np.array([1.0, 0.25, 4.0, 2.0])
BETA1, BETA2, D0 = 0.9, 0.999, 1e-3


def subgradient(x: Array) -> Array:
    """Of f(x) = sum c_i |x_i - x*_i| + |x - x*|^2 / 8: kinks, and slopes that change."""
    return SLOPES * np.sign(x - OPTIMUM) + (x - OPTIMUM) / 4


@dataclass(slots=True)
class Estimate:
    """r / |s|_1 of the kernel's own way, in float64, and how far a kernel may stray from it.

    A step multiplies what is kept and adds, 3 roundings, and the new term has at most 8 and those
    of its scalar product; so after t steps r errs by at most (3 t + 8 + n) u times the sum of its
    terms' sizes, and s alike.
    """

    corrected: bool
    r: float = 0.0
    s: Array = field(default_factory=lambda: np.zeros(len(START)))
    sizes: tuple[float, float] = (0.0, 0.0)

    def step(self, t: int, d: float, g: Array, way: Array) -> None:
        """One more gradient, met after this way from the start, with the estimate d then."""
        beta3, lr = float(np.sqrt(BETA2)), 1.0
        if self.corrected:
            lr = float(np.sqrt(1 - BETA2**t) / (1 - BETA1**t))
        w = lr * d * d
        self.r = beta3 * self.r - w * float(g @ way)
        self.s = beta3 * self.s + w * g
        r, s = self.sizes
        new = w * float(np.abs(g) @ np.abs(way)), w * float(np.abs(g).sum())
        self.sizes = beta3 * r + new[0], beta3 * s + new[1]

    def value(self, t: int, u: float) -> tuple[float, float]:
        """The estimate, and its error: of r, of s and of their quotient."""
        size = float(np.abs(self.s).sum())
        part = (3 * t + 8 + 2 * len(START)) * u
        error_r, error_s = part * self.sizes[0], part * self.sizes[1]
        value = self.r / size
        return value, (error_r + abs(value) * error_s) / max(size - error_s, 0.0) + 2 * u * value


def experiment(kernel: Kernel, trial: Trial) -> Evidence:
    """d at every step against the distance, and against the estimate by hand."""
    tests, points = list[Outcome](), list[Point]()
    run = kernel.start(START, beta1=BETA1, beta2=BETA2, d0=D0)
    estimate = Estimate(kernel.hyper({}).bias_correction == "rate")
    best, start = float(run.state["d"]), run.p
    for t in range(1, trial.pick(128, 1024) + 1):
        x, d = run.p, float(run.state["d"])
        g = subgradient(x).astype(np.float32).astype(np.float64)
        run.step(g)
        estimate.step(t, d, g, x - start)
        value, error = estimate.value(t, kernel.u)
        best, found = max(best, value), float(run.state["d_max"])
        tests.append(equal(f"step {t}: estimate", found, best, error + kernel.u * D0))
        tests.append(at_most(f"step {t}: distance", found, DISTANCE, error))
        if t & (t - 1) == 0:
            points.append((t, found, best, (best - error, DISTANCE + error)))
    return Evidence.of(tests, points)


PRODIGY_ESTIMATE = Theorem(
    name="prodigy_estimate",
    topic="adaptive",
    statement=(
        "On a convex f Prodigy's d_t = max_k r_k / |s_k|_1, with r and s averages of <g, x_0 - x> "
        "and of g with the same weights, never exceeds |x_0 - x*|_inf, whatever the steps were."
    ),
    source=(
        "K. Mishchenko, A. Defazio, ICML 2024 (arXiv:2306.06101), section 3, by convexity and "
        "Hoelder's inequality"
    ),
    subject=Subject(
        "prodigy",
        dialect={"weights": ("averaged", "over_d0")},
        sets=("beta1", "beta2", "d0", "d_coef"),
    ),
    constants={"distance": DISTANCE, "d0": D0},
    experiment=experiment,
    controls=spoilt(
        experiment,
        **{
            "an estimate twice as large": held(d_coef=2.0),
            "gradients that grow by 2 % a step": gradients(lambda g, t: np.asarray(g) * 1.02**t),
        },
    ),
    axes=("t", "estimate d"),
    changed="the estimate",
)
