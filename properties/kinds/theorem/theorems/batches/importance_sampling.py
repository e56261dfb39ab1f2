"""Examples drawn in proportion to their gradients: unbiased if weighed, of the least variance."""

from functools import partial

import numpy as np

from truestep.properties.kinds.theorem.theorems import rounding
from truestep.properties.kinds.theorem.theorems.controls import longer
from truestep.properties.kinds.theorem.theorems.kernels import Kernel
from truestep.properties.kinds.theorem.theorems.theorem import (
    Evidence,
    Outcome,
    Point,
    Subject,
    Theorem,
    Trial,
    equal,
    spoilt,
)
from truestep.reference.problems import least_squares

EXAMPLES, LR = 8, 0.25
# Drawn uniformly, between, and in proportion to the gradients' norms.
MIXTURES = (0.0, 0.5, 1.0)


def experiment(kernel: Kernel, trial: Trial, weighed: bool = True) -> Evidence:
    """One step with every example, each with its probability; weighed: gradients over n p_i."""
    rng = np.random.default_rng(9)
    q = least_squares.Problem(rng.standard_normal((EXAMPLES, 3)), 3 * rng.standard_normal(EXAMPLES))
    x = np.array([1.0, -0.5, 2.0])
    g, full = least_squares.sampled_gradients(q, x), least_squares.gradient(q, x)
    norms = np.linalg.norm(g, axis=1)
    outcomes: list[Outcome] = []
    points: list[Point] = []
    for share in MIXTURES:
        p = (1 - share) / EXAMPLES + share * norms / norms.sum()
        pulled = g / (EXAMPLES * p)[:, None] if weighed else g
        run = kernel.start(np.tile(x, (EXAMPLES, 1)), lr=LR)
        before, after = run.p, run.step(pulled)
        error = rounding.of_step(kernel.u, before, after, LR, pulled) + 2.0**-53 * 64
        mean = p @ after
        off = float(np.abs(mean - (x - LR * full)).max())
        outcomes.append(Outcome(off / error, f"share {share}: unbiased"))
        got = float(p @ np.sum((after - mean) ** 2, axis=1))
        due = LR**2 * float(np.sum(norms**2 / (EXAMPLES**2 * p)) - full @ full)
        # Each of 3 coordinates moves by the error at most, and the mean with it.
        allowed = 2 * 2 * error * np.sqrt(3 * due) + 3 * (2 * error) ** 2
        outcomes.append(equal(f"share {share}: variance", got, due, allowed))
        points.append((1 + share, got, due, (due - allowed, due + allowed)))
    least = LR**2 * (norms.mean() ** 2 - float(full @ full))
    outcomes.append(equal("the least variance", points[-1][1], least, allowed))
    return Evidence.of(outcomes, points)


IMPORTANCE_SAMPLING = Theorem(
    name="importance_sampling",
    topic="batches",
    statement=(
        "Of n examples drawn with probabilities p_i and weighed by 1 / (n p_i) the step is that of "
        "the full gradient on average, and its variance a^2 (sum |g_i|^2 / (n^2 p_i) - |g|^2) is "
        "least, a^2 ((mean |g_i|)^2 - |g|^2), where p_i is in proportion to |g_i|."
    ),
    source=(
        "D. Needell, N. Srebro, R. Ward, Math. Program. 155, 2016; P. Zhao, T. Zhang, ICML 2015, "
        "section 4, for the least variance"
    ),
    subject=Subject("sgd"),
    constants={"n": EXAMPLES, "a": LR},
    experiment=experiment,
    controls={
        "gradients that are not weighed": partial(experiment, weighed=False),
        **spoilt(experiment, steps_1_permille_too_long=longer(1.001)),
    },
    axes=("1 + share of importance", "variance of one step"),
    changed="the variance",
)
