"""Asynchronous SGD, rates divided by the staleness of gradients (Zhang, Gupta, Lian & Liu 2016).

Rule
    a gradient g computed at p_{t-tau} arrives at p_t
    p_{t+1} = p_t - lr / max(1, tau) g

Shapes
    p, g, then: one shape, any rank, 0-d and empty included; then is p_{t-tau}. tau: an integer.
    run: lists of params, then and gradients, and tau, to params.

Domain
    lr, compensation >= 0 and finite; tau an integer >= 0.

Choices
    rate: divided by the staleness ("inverse"), or plain asynchronous SGD's lr ("constant").
    gradient: as it arrives ("stale"), or corrected to first order by compensation g^2 (p_t -
    p_{t-tau}), as in delay-compensated SGD ("compensated").
    n-softsync, which averages several gradients first, is data_parallel before this rule.

Special cases
    tau = 0 and 1 are serial SGD. nan in g poisons that element.

Judged
    p by the bounded contract.

Sources
    W. Zhang, S. Gupta, X. Lian, J. Liu, "Staleness-aware Async-SGD for Distributed Deep Learning",
    IJCAI 2016 (arXiv:1511.05950), equation (6). S. Zheng et al., "Asynchronous Stochastic Gradient
    Descent with Delay Compensation", ICML 2017 (arXiv:1609.08326), equation (10).
"""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from truestep.reference import declared
from truestep.reference.declared import Real, decades
from truestep.reference.validation import Array, require_step

DIALECTS = {
    "gradient": {
        "stale": "gradient as it arrives",
        "compensated": "gradient corrected for the way made meanwhile",
    },
    "rate": {
        "inverse": "rate divided by the staleness",
        "constant": "rate independent of the staleness",
    },
}
INPUTS = {"gradients": "tensors", "params": "tensors", "tau": "count", "then": "tensors"}
OPTIONAL = ()


class Hyper(declared.Hyper):
    """The rate of fresh gradients, and the strength of the compensation (that paper's lambda)."""

    lr: Annotated[float, Real(0.0, usual=decades(-3, 1), edges=(0.0,))] = 0.1
    compensation: Annotated[float, Real(0.0, usual=(0.04, 1.0, 0.0, 2.0))] = 0.04
    gradient: Literal["stale", "compensated"] = "stale"
    rate: Literal["inverse", "constant"] = "inverse"


def step(h: Hyper, p: Array, then: Array, g: Array, tau: int) -> Array:
    """The new p when gradient g, computed tau steps ago at then, arrives."""
    tau = require_step(tau)
    if h.gradient == "compensated":
        g = g + h.compensation * (g * g) * (p - then)
    lr = h.lr / max(1, tau) if h.rate == "inverse" else h.lr
    return p - lr * g


def run(
    h: Hyper,
    *,
    params: Sequence[Array],
    then: Sequence[Array],
    gradients: Sequence[Array],
    tau: int,
) -> dict[str, Array]:
    """The step of all tensors."""
    tensors = zip(params, then, gradients, strict=True)
    return {"params": [step(h, p, old, g, tau) for p, old, g in tensors]}


def largest_stable_rate(curvature: float, tau: int) -> float:
    """The rate below which a quadratic of that curvature is stable under the constant delay tau.

    The roots of z^{tau+1} - z^tau + lr curvature lie within the unit circle below it.
    """
    return 2 * math.sin(math.pi / (2 * (2 * require_step(tau) + 1))) / curvature
