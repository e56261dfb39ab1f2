"""The simple gradient noise scale, from two batch sizes (McCandlish, Kaplan & Amodei 2018).

Over 120 lines: one call and a whole run of them are both defined.

Rule
    G2 = (big |G_big|^2 - small |G_small|^2) / (big - small)
    S = (|G_small|^2 - |G_big|^2) / (1 / small - 1 / big)
    averages with rate ema: G2_t = ema G2_{t-1} + (1 - ema) G2, S_t likewise
    noise scale B = S_t / G2_t

Shapes
    |G_big|^2, |G_small|^2: 0-d squared norms of gradients that are means over big and small
    examples; g2, s: 0-d averages. t: the number of measurements. run: small_square, big_square and
    the state, to the new state and the 0-d noise_scale.

Domain
    1 <= small < big, integers; 0 <= ema < 1.

Choices
    form: the paper averages both and divides ("ratio_of_averages"), since G2 and S are unbiased but
    their ratio is not; "average_of_ratios" is the tempting other.
    The averages are corrected for their zero start, which cancels in the ratio of averages. With W
    workers of batch b, small = b with the mean of the workers' squared norms and big = W b: then S
    = b sum |g_w - mean|^2 / (W - 1) exactly.

Special cases
    G2 may be negative, and B with it. Equal gradients give S = 0. B is nan before the first
    measurement.

Judged
    g2, s and B by the bounded contract, t exactly.

Sources
    S. McCandlish, J. Kaplan, D. Amodei, "An Empirical Model of Large-Batch Training",
    arXiv:1812.06162 (2018), appendix A.1, equations (A.1) to (A.3).
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count, Real
from truestep.reference.validation import Array

DIALECTS = {
    "form": {
        "ratio_of_averages": "averages of both estimates divided",
        "average_of_ratios": "ratios of the estimates averaged",
    }
}
INPUTS = {
    "big_square": "number",
    "g2": "number",
    "ratio": "number",
    "s": "number",
    "small_square": "number",
    "t": "count",
}
OPTIONAL = ()


class Hyper(declared.Hyper):
    """The two batch sizes and the rate of the averages."""

    small: Annotated[int, Count(1, (1, 2, 32, 7))] = 1
    big: Annotated[int, Count(2, (64, 96, 4096, 1000))] = 2
    ema: Annotated[float, Real(0.0, 1.0, "high", (0.99, 0.9, 0.5, 0.0))] = 0.99
    form: Literal["ratio_of_averages", "average_of_ratios"] = "ratio_of_averages"

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        Count(self.small + 1).check("big", self.big)


@dataclass(frozen=True, slots=True)
class State:
    """Averages of G2, S and of their ratio, and the number t of measurements."""

    t: int
    g2: Array
    s: Array
    ratio: Array


def init(h: Hyper) -> State:
    """The state before the first measurement."""
    zero = np.zeros(())
    return State(t=0, g2=zero, s=zero, ratio=zero)


def estimates(h: Hyper, small_square: Array, big_square: Array) -> tuple[Array, Array]:
    """Unbiased estimates of |G|^2 and of the trace of the covariance of one example's gradient."""
    g2 = (h.big * big_square - h.small * small_square) / (h.big - h.small)
    s = (small_square - big_square) / (1 / h.small - 1 / h.big)
    return g2, s


def step(h: Hyper, state: State, small_square: Array, big_square: Array) -> State:
    """The averages after one more measurement of squared norms."""
    g2, s = estimates(h, small_square, big_square)
    ratio = s / g2 if h.form == "average_of_ratios" else state.ratio
    return State(
        t=state.t + 1,
        g2=h.ema * state.g2 + (1 - h.ema) * g2,
        s=h.ema * state.s + (1 - h.ema) * s,
        ratio=h.ema * state.ratio + (1 - h.ema) * ratio,
    )


def noise_scale(h: Hyper, state: State) -> Array:
    """The batch size at which noise and gradient weigh alike."""
    if state.t == 0:
        return np.full((), np.nan)
    if h.form == "average_of_ratios":
        return state.ratio / (1 - h.ema**state.t)
    return state.s / state.g2


def run(
    h: Hyper, *, t: int, g2: Array, s: Array, ratio: Array, small_square: Array, big_square: Array
) -> dict[str, Array]:
    """One more measurement, and the noise scale after it."""
    new = step(h, State(t=t, g2=g2, s=s, ratio=ratio), small_square, big_square)
    return {
        "t": new.t,
        "g2": new.g2,
        "s": new.s,
        "ratio": new.ratio,
        "noise_scale": noise_scale(h, new),
    }
