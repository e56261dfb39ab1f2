"""Online L-BFGS: pairs from one sample each, and no line search (Schraudolph, Yu & Guenter 2007).

Over 120 lines: the docstring says how one sample serves both gradients of a pair.

Rule
    s_{t-1} = p_{t-1} - p_{t-2}
    y_{t-1} = g'_t - g_{t-1} + lambd s_{t-1},   both gradients on the sample of step t-1
    rho_{t-1} = 1 / (y_{t-1}' s_{t-1}); the last memory pairs are kept
    q = g_t;  the newest pair first:  alpha_i = rho_i s_i' q, q -= alpha_i y_i
    gamma = mean over the pairs kept of (s_i' y_i) / (y_i' y_i), or eps before there are any
    r = gamma q;  the oldest first:  beta_i = rho_i y_i' r,  r += (c alpha_i - beta_i) s_i
    p_t = p_{t-1} - (lr tau / (tau + t - 1) / c) r

Shapes
    p, g, g_previous: one shape, any rank, 0-d and empty included; n = p.size. g_previous is g'_t,
    the gradient at p_{t-1} on the sample of step t-1; the first step does not read it. steps,
    changes (the pairs s and y, the newest last): memory x n. rho: memory, 0 where no pair is kept.
    step, g (of the last step): n. t: the number of steps made.

Domain
    lr, lambd, eps >= 0, tau > 0, 0 < c <= 1, all finite; memory >= 1.

Choices
    gamma: the mean over the pairs kept ("mean"), or the last pair's, 1 before it ("latest",
    Mokhtari & Ribeiro, whose rule is this with lambd = 0 and c = 1).
    rank_one: c scales the new rank-one term of the inverse matrix, as in the paper's form without
    limited memory ("scaled"), or only divides the step ("unscaled").
    accept: every pair ("always", both papers: a convex function has y' s > 0), or those with y' s >
    0 ("positive").
    Gradients on different samples in one pair are not this rule: their difference is noise.

Special cases
    g = 0 leaves p as it is and makes s = 0, y = 0: 0/0, so that p is nan from the next step on,
    unless only positive pairs are kept. nan in g makes p nan. Empty tensors stay empty and advance
    t.

Judged
    p and the state by the sampled contract, t exactly.

Sources
    N. N. Schraudolph, J. Yu, S. Guenter, "A Stochastic Quasi-Newton Method for Online Convex
    Optimization", AISTATS 2007, section 3. A. Mokhtari, A. Ribeiro, "Global Convergence of Online
    Limited Memory BFGS", JMLR 16 (2015) 3151-3181 (arXiv:1409.2045), Algorithm 1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count, Epsilon, First, Inverse, Rate, Real, Step, decades
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

DIALECTS = {
    "accept": {"always": "every pair kept", "positive": "pairs of positive curvature kept"},
    "gamma": {
        "mean": "initial matrix scaled by the mean over the pairs, by eps before them",
        "latest": "initial matrix scaled by the last pair, the identity before it",
    },
    "rank_one": {
        "scaled": "rank-one terms multiplied by c",
        "unscaled": "rank-one terms as in BFGS",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of online L-BFGS; the paper tunes lr and tau to the problem."""

    lr: Rate = 0.1
    tau: Annotated[float, Real(0.0, open="low", usual=(1e4, 100.0, 10.0))] = 1e4
    lambd: Annotated[float, Real(0.0, usual=decades(-5, -1))] = 0.0
    c: Annotated[float, Real(0.0, 1.0, "low", (1.0, 0.5, 0.1))] = 1.0
    eps: Epsilon = 1e-10
    memory: Annotated[int, Count(1, (3, 10, 1, 2))] = 10
    accept: Literal["always", "positive"] = "always"
    gamma: Literal["mean", "latest"] = "mean"
    rank_one: Literal["scaled", "unscaled"] = "scaled"


class State(declared.State):
    """Pairs and their rho; the last step and the gradient before it; the counter t."""

    t: int
    steps: Step
    changes: First
    rho: Inverse
    step: Step
    g: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: no pairs, t = 0."""
    pairs, zeros = np.zeros((h.memory, p.size)), np.zeros(p.size)
    return State(0, pairs, pairs, np.zeros(h.memory), zeros, zeros)


def step(h: Hyper, s: State, p: Array, g: Array, *, g_previous: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p.

    g_previous: the gradient at p on the sample of the step before.
    """
    if p.size == 0:
        return State(s.t + 1, s.steps, s.changes, s.rho, s.step, s.g), p
    g = g.reshape(-1)
    steps, changes, rho = s.steps, s.changes, s.rho
    if s.t > 0:
        y = g_previous.reshape(-1) - s.g + h.lambd * s.step
        curvature = y @ s.step
        if h.accept == "always" or curvature > 0:
            steps = np.concatenate([steps[1:], s.step.reshape(1, -1)])
            changes = np.concatenate([changes[1:], y.reshape(1, -1)])
            rho = np.concatenate([rho[1:], np.reshape(1 / curvature, (1,))])
    rate = h.lr * (h.tau / (h.tau + s.t)) / h.c
    moved = -rate * direction(h, steps, changes, rho, g)
    return State(s.t + 1, steps, changes, rho, moved, g), p + moved.reshape(p.shape)


def direction(h: Hyper, steps: Array, changes: Array, rho: Array, g: Array) -> Array:
    """The inverse matrix, built on gamma I from the pairs, times g."""
    kept = [i for i in range(len(rho)) if rho[i] != 0]
    if not kept:
        return h.eps * g if h.gamma == "mean" else g
    q, alpha = g, {}
    for i in reversed(kept):
        alpha[i] = rho[i] * (steps[i] @ q)
        q = q - alpha[i] * changes[i]
    scales = [(steps[i] @ changes[i]) / (changes[i] @ changes[i]) for i in kept]
    r = (np.mean(np.stack(scales)) if h.gamma == "mean" else scales[-1]) * q
    c = h.c if h.rank_one == "scaled" else 1
    for i in kept:
        beta = rho[i] * (changes[i] @ r)
        r = r + (c * alpha[i] - beta) * steps[i]
    return r


def observables(h: Hyper, s: State, p: Array) -> dict[str, Array]:
    """p and the whole state: the definition determines all of it."""
    state = {"steps": s.steps, "changes": s.changes, "rho": s.rho, "step": s.step, "g": s.g}
    return {"p": p, **state}


# Scalar products run over the whole tensor.
FACTS = Facts(
    elementwise=False, inputs={"g_previous": lambda shape: shape}, observables=observables
)
