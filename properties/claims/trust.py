"""Claims about layer-wise rates."""

from __future__ import annotations

from typing import Literal

import numpy as np

from truestep.properties.claims.claim import Claim, Drawing, Found, near
from truestep.reference.optimizers import lamb, lars
from truestep.reference.validation import Array

_DECAY = 0.1


def _turned(angle: float, size: float) -> Array:
    """A vector of that length at an angle to the first axis."""
    return size * np.array([np.cos(angle), np.sin(angle)])


def _lars(_: int) -> Found:
    """|move| of a first step over trust |w|, with |g| = weight_decay |w| at an angle to w."""
    angles, p = np.linspace(0, 0.95 * np.pi, 20), np.array([3.0, 0.0])

    def lengths(ratio: Literal["sum_of_norms", "norm_of_sum"], decay: float) -> Array:
        h = lars.Hyper(lr=1.0, trust_coefficient=0.5, weight_decay=decay, ratio=ratio)
        moves = []
        for angle in angles:
            _, new = lars.step(h, lars.init(h, p), p, _turned(angle, _DECAY * 3.0))
            moves.append(np.linalg.norm(new - p) / (0.5 * 3.0))
        return np.array(moves)

    got, other = lengths("sum_of_norms", _DECAY), lengths("norm_of_sum", _DECAY)
    degrees = np.degrees(angles)
    drawing = Drawing("A step of LARS, of trust |w|, by the angle of gradient and weights",
                      "degrees", "length", log_x=False, log_y=False)  # fmt: skip
    drawing.line("LARS", "measured", degrees, got)
    drawing.line("cos(angle / 2)", "exact", degrees, np.cos(angles / 2))
    drawing.line("divided by the norm of the sum", "control", degrees, other)
    return Found(
        claimed=near(got, 1.0, 1e-9),
        in_part=near(lengths("sum_of_norms", 0.0), 1.0, 1e-9),
        corrected=near(got, np.cos(angles / 2), 1e-9),
        control=near(other, 1.0, 1e-9),
        numbers={"length at 90 degrees": float(np.interp(90, degrees, got))},
        chart=drawing.done(),
    )


def _lamb(seed: int) -> Found:
    """|move| over lr |w| along a run with random gradients."""
    rng, n = np.random.default_rng(seed), 30
    gradients = rng.standard_normal((n, 20))

    def lengths(decay: Literal["in_ratio", "after_norm"]) -> Array:
        h = lamb.Hyper(lr=0.01, weight_decay=1.0, decay=decay)
        p = np.ones(20)
        state, found = lamb.init(h, p), []
        for g in gradients:
            state, new = lamb.step(h, state, p, g)
            found.append(np.linalg.norm(new - p) / (h.lr * np.linalg.norm(p)))
            p = new
        return np.array(found)

    got, other, t = lengths("in_ratio"), lengths("after_norm"), np.arange(1, n + 1)
    drawing = Drawing("A step of LAMB, of lr |w|", "step", "length", log_x=False, log_y=False)
    drawing.line("LAMB", "measured", t, got)
    drawing.line("1", "exact", t, np.ones(n))
    drawing.line("decay outside of the ratio", "control", t, other)
    return Found(
        claimed=near(got, 1.0, 1e-9),
        corrected=near(got, 1.0, 1e-9),
        control=not near(other, 1.0, 1e-2),
        numbers={"largest departure from lr |w|": float(np.max(np.abs(got - 1)))},
        chart=drawing.done(),
    )


CLAIMS = {
    "lamb_step_length": Claim(
        "A step of LAMB is lr |w| long, with its decay.",
        "So it is, for decay stands inside the ratio; where a library takes it out, it is not.",
        "Y. You et al., arXiv:1904.00962, Algorithm 2",
        _lamb,
    ),
    "lars_step_length": Claim(
        "A first step of LARS is lr trust |w| long, whatever the gradient.",
        "Without decay. With it the paper divides by the sum of two norms, |g| + weight_decay |w|, "
        "and not by the norm of the sum: the step is shorter, by cos(angle / 2) where both are "
        "equal.",
        "Y. You, I. Gitman, B. Ginsburg, arXiv:1708.03888, Algorithm 1",
        _lars,
    ),
}
