"""mL-BFGS: pairs from averages of parameters and gradients, damped (Niu et al. 2023).

Over 120 lines: the averages, the damped pairs and the recursion over them.

Rule
    P_t = momentum P_{t-1} + (1 - momentum) p_{t-1}
    G_t = momentum G_{t-1} + (1 - momentum) g_t
    every period steps, at t - 1 = period, 2 period, ...:
        s = P_t - P_{t-period},  y = G_t - G_{t-period},  mu = (s' y) / (s' s)
        tau = min((1 - sigma_low) / (1 - mu), tau0) where mu <= sigma_low,
              min((sigma_high - 1) / (mu - 1), tau0) where mu >= sigma_high, tau0 elsewhere
        y_hat = tau y + (1 - tau) s,  rho = 1 / (s' y_hat); the last memory pairs are kept
    q = g_t;  the newest pair first:  alpha_i = rho_i s_i' q, q -= alpha_i y_hat_i
    gamma = (s' y_hat) / (y_hat' y_hat) of the last pair, 1 before it
    r = gamma q;  the oldest first:  beta_i = rho_i y_hat_i' r,  r += (alpha_i - beta_i) s_i
    p_t = p_{t-1} - lr r

Shapes
    p, g: one shape, any rank, 0-d and empty included; n = p.size. steps, changes (the pairs s and
    y_hat, the newest last): memory x n. rho: memory, 0 where no pair is kept. mean_p, mean_g (P and
    G), last_p, last_g (P and G when the last pair was due): n. t: the number of steps made.

Domain
    lr >= 0 and finite; 0 <= momentum < 1; 0 < tau0 <= 1; 0 < sigma_low < 1 < sigma_high; memory,
    period >= 1.

Choices
    start: averages begin at the first p and g ("first"), since an average that begins at zero puts
    the size of p itself into the first s; or at zero ("zero").
    gamma: of the last pair ("latest"), or 1 ("one").
    The authors' code is another rule: its averages are sums, its direction is scaled to the
    gradient's norm and clipped, its Hessian is in blocks.

Special cases
    A pair with s = 0 is not kept. s' y_hat / s' s is tau mu + 1 - tau: positive always, and within
    [sigma_low, sigma_high] for tau0 = 1, at the limit that mu exceeds. nan in g makes p nan, and
    all later pairs. Empty tensors stay empty and advance t.

Judged
    p and the state by the sampled contract, t exactly.

Sources
    Y. Niu, Z. Fabian, S. Lee, M. Soltanolkotabi, S. Avestimehr, "mL-BFGS: A Momentum-based L-BFGS
    for Distributed Large-Scale Neural Network Optimization", TMLR 2023 (arXiv:2307.13744), section
    3: momentum, damping, Algorithm 1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count, First, Inverse, Momentum, Point, Rate, Real, Step
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

DIALECTS = {
    "gamma": {
        "latest": "initial matrix scaled by the last pair",
        "one": "initial matrix the identity",
    },
    "start": {"first": "averages begin at the first values", "zero": "averages begin at zero"},
}


class Hyper(declared.Hyper):
    """Hyperparameters of mL-BFGS; the defaults of the numbers are near the authors' code."""

    lr: Rate = 0.1
    momentum: Momentum = 0.9
    sigma_low: Annotated[float, Real(0.0, 1.0, "both", (0.01, 0.5))] = 0.01
    sigma_high: Annotated[float, Real(1.0, open="low", usual=(1.5, 10.0, 1.1))] = 1.5
    tau0: Annotated[float, Real(0.0, 1.0, "low", (0.8, 1.0, 0.3))] = 0.8
    period: Annotated[int, Count(1, (1, 2, 5))] = 100
    memory: Annotated[int, Count(1, (3, 10, 1, 2))] = 10
    gamma: Literal["latest", "one"] = "latest"
    start: Literal["first", "zero"] = "first"


class State(declared.State):
    """Averages, what they were at the last pair, the pairs and their rho, and the counter t."""

    t: int
    mean_p: Point
    mean_g: First
    last_p: Point
    last_g: First
    steps: Step
    changes: First
    rho: Inverse


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero averages, no pairs, t = 0."""
    pairs, zeros = np.zeros((h.memory, p.size)), np.zeros(p.size)
    return State(0, zeros, zeros, zeros, zeros, pairs, pairs, np.zeros(h.memory))


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    x, g = p.reshape(-1), g.reshape(-1)
    if s.t == 0 and h.start == "first":
        mean_p, mean_g = x, g
    else:
        mean_p = h.momentum * s.mean_p + (1 - h.momentum) * x
        mean_g = h.momentum * s.mean_g + (1 - h.momentum) * g
    last_p, last_g, pairs = s.last_p, s.last_g, (s.steps, s.changes, s.rho)
    if s.t % h.period == 0:
        if s.t > 0 and p.size > 0:
            pairs = remembered(h, *pairs, mean_p - last_p, mean_g - last_g)
        last_p, last_g = mean_p, mean_g
    r = direction(h, *pairs, g)
    state = State(s.t + 1, mean_p, mean_g, last_p, last_g, *pairs)
    return state, p - (h.lr * r).reshape(p.shape)


def remembered(
    h: Hyper, steps: Array, changes: Array, rho: Array, s: Array, y: Array
) -> tuple[Array, Array, Array]:
    """The pairs with s and the damped y, unless s is zero."""
    square = s @ s
    if square == 0:
        return steps, changes, rho
    mu = (s @ y) / square
    low, high = mu <= h.sigma_low, mu >= h.sigma_high
    raised = np.minimum((1 - h.sigma_low) / np.where(low, 1 - mu, 1), h.tau0)
    lowered = np.minimum((h.sigma_high - 1) / np.where(high, mu - 1, 1), h.tau0)
    tau = np.where(low, raised, np.where(high, lowered, h.tau0))
    y_hat = tau * y + (1 - tau) * s
    return (
        np.concatenate([steps[1:], s.reshape(1, -1)]),
        np.concatenate([changes[1:], y_hat.reshape(1, -1)]),
        np.concatenate([rho[1:], np.reshape(1 / (s @ y_hat), (1,))]),
    )


def direction(h: Hyper, steps: Array, changes: Array, rho: Array, g: Array) -> Array:
    """The inverse matrix, built on gamma I from the pairs, times g."""
    kept = [i for i in range(len(rho)) if rho[i] != 0]
    q, alpha = g, {}
    for i in reversed(kept):
        alpha[i] = rho[i] * (steps[i] @ q)
        q = q - alpha[i] * changes[i]
    r = q
    if kept and h.gamma == "latest":
        s, y = steps[kept[-1]], changes[kept[-1]]
        r = (s @ y) / (y @ y) * q
    for i in kept:
        beta = rho[i] * (changes[i] @ r)
        r = r + (alpha[i] - beta) * steps[i]
    return r


def observables(h: Hyper, s: State, p: Array) -> dict[str, Array]:
    """p and the whole state: the definition determines all of it."""
    means = {"mean_p": s.mean_p, "mean_g": s.mean_g, "last_p": s.last_p, "last_g": s.last_g}
    return {"p": p, **means, "steps": s.steps, "changes": s.changes, "rho": s.rho}


# Scalar products run over the whole tensor.
FACTS = Facts(elementwise=False, observables=observables)
