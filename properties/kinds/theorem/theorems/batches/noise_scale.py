"""The gradient noise scale is recovered from two batch sizes, by enumeration of all batches."""

from functools import partial
from itertools import product

import numpy as np

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
)

SMALL, BIG = 2, 4
GRADIENT, NOISE = np.array([0.5, 0.25]), 1.5


def experiment(
    kernel: Kernel, trial: Trial, ratios: bool = False, late_square: bool = False
) -> Evidence:
    """Every batch of four examples, of which the first two are the small one.

    An example's gradient is G + 1.5 e with e one of +-e_1, +-e_2, so that trace S = 1.5^2 is
    planted. ratios: the single ratios are averaged. late_square: norms of sums, not of means.
    """
    steps = NOISE * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    g2, s, scales = [], [], []
    largest = 0.0
    for batch in product(steps, repeat=BIG):
        g = GRADIENT + np.array(batch)
        small, big = (float(np.sum(g[:b].mean(axis=0) ** 2)) for b in (SMALL, BIG))
        if late_square:
            small, big = small * SMALL**2, big * BIG**2
        largest = max(largest, small, big)
        zero = np.zeros(())
        inputs = {"t": 0, "g2": zero, "s": zero, "ratio": zero}
        squares = {"small_square": np.asarray(small), "big_square": np.asarray(big)}
        found = kernel.outputs({**inputs, **squares}, small=SMALL, big=BIG, ema=0.0)
        g2.append(float(found["g2"]))
        s.append(float(found["s"]))
        scales.append(float(found["noise_scale"]))
    square, trace = float(GRADIENT @ GRADIENT), NOISE**2
    # Both are differences of squared norms over differences of sizes, each rounded a few times.
    allowed = 16 * (kernel.u + 2.0**-53) * largest * BIG
    mean_g2, mean_s = float(np.mean(g2)), float(np.mean(s))
    scale = float(np.mean(scales)) if ratios else mean_s / mean_g2
    due = trace / square
    off = due * (allowed / trace + 2 * allowed / square)
    outcomes: list[Outcome] = [
        equal("|G|^2", mean_g2, square, allowed),
        equal("trace S", mean_s, trace, allowed),
        equal("noise scale", scale, due, off),
        # One measurement alone may be negative: averages come first.
        at_most("least estimate of |G|^2", max(min(g2), -1.0) + 1, 1.0),
    ]
    points: list[Point] = [
        (1, mean_g2, square, (square - allowed, square + allowed)),
        (2, mean_s, trace, (trace - allowed, trace + allowed)),
        (3, scale, due, (due - off, due + off)),
    ]
    return Evidence.of(outcomes, points)


NOISE_SCALE = Theorem(
    name="gradient_noise_scale",
    topic="batches",
    statement=(
        "(B |G_B|^2 - b |G_b|^2) / (B - b) and (|G_b|^2 - |G_B|^2) / (1 / b - 1 / B) have the "
        "means |G|^2 and trace S over all batches, also where the small batch is part of the big "
        "one; the ratio of their averages is the noise scale trace S / |G|^2, single ratios are "
        "biased."
    ),
    source="S. McCandlish, J. Kaplan, D. Amodei, arXiv:1812.06162, 2018, appendix A.1",
    subject=Subject("gradient_noise_scale", "training", sets=("small", "big", "ema")),
    constants={"b": SMALL, "B": BIG, "|G|^2": float(GRADIENT @ GRADIENT), "trace S": NOISE**2},
    experiment=experiment,
    controls={
        "the average of single ratios": partial(experiment, ratios=True),
        "sums of batches in the place of means": partial(experiment, late_square=True),
    },
    axes=("|G|^2, trace S and the noise scale", "average over all batches"),
    changed="the noise scale",
)
