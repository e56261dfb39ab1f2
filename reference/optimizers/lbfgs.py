"""L-BFGS, limited-memory BFGS by the two-loop recursion (Nocedal 1980; Liu & Nocedal 1989).

Over 120 lines: the libraries' forms of memory, first step and line search.

Rule
    f_t, g_t = value and gradient at p_{t-1}
    s = p_{t-1} - p_{t-2},  y = g_t - g_{t-1},  kept, with rho = 1 / (y' s), where y' s > 0
    gamma = (s' y) / (y' y) of the last pair kept, 1 before it
    q = g_t;  of the last memory pairs the newest first:  alpha_i = rho_i s_i' q, q -= alpha_i y_i
    r = gamma q;  the oldest first:  beta_i = rho_i y_i' r,  r += (alpha_i - beta_i) s_i
    d = -r;  p_t = p_{t-1} + a d,  a by line search from the trial step lr

Shapes
    p: any shape, n = p.size; f maps an array of that shape to its value and gradient. steps,
    changes (the pairs s and y, the newest last): memory x n. rho: memory, 0 where no pair is kept.
    gamma: 0-d. step, g (of the last step): n. t: the number of steps made.

Domain
    lr, tolerance_grad, tolerance_change >= 0 and finite; 0 <= c1 <= c2 < 1; 0 <= shrink < 1;
    memory, max_evaluations >= 1.

Choices
    line_search: "strong_wolfe", Algorithms 3.5 and 3.6 of Nocedal & Wright; "strong_wolfe_cubic",
    PyTorch's; "backtracking", for sufficient decrease alone; "none", the trial step itself.
    first_step: the first trial step is lr ("unit"), times min(1, 1 / |g|_1) ("l1", PyTorch) or
    min(1, 1 / |g|_2) ("l2", optax).
    accept: pairs with y' s > 0 ("positive"), > 1e-10 ("curvature", PyTorch), or all ("always",
    optax, where y' s = 0 takes a place in the memory with rho = 0).
    gamma: of the last pair ("latest"), or 1 ("one").
    stalled: where g' d > -tolerance_change p stays, and the step kept is zero ("zero") or a d all
    the same ("recorded", PyTorch); or there is no test of any kind, a direction of ascent is
    followed and a zero gradient counts as a step ("followed", optax).
    The tolerances are PyTorch's; with 0 they stop at g = 0 and at directions of ascent alone.

Special cases
    max |g| <= tolerance_grad, and so g = 0, leaves everything as it is, t too, unless stalled is
    "followed"; so does an empty p.
    nan in g makes p nan, and is never kept as a pair, for y' s > 0 is then false.

Judged
    p and the state by the sampled contract where all replicates take one branch, t exactly.

Sources
    D. C. Liu, J. Nocedal, "On the Limited Memory BFGS Method for Large Scale Optimization", Math.
    Programming 45 (1989) 503-528. J. Nocedal, S. J. Wright, "Numerical Optimization", 2nd edition,
    2006, Algorithms 7.4 and 7.5. torch.optim.LBFGS (PyTorch 2.13), optax.scale_by_lbfgs (0.2.8).
"""

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared, line_search
from truestep.reference.declared import Count, First, Inverse, Real, Step
from truestep.reference.rules import Departure, Facts
from truestep.reference.validation import Array, require_ordered

# Scalar products run over the whole tensor.
FACTS = Facts(elementwise=False)
DIALECTS = {
    "accept": {
        "positive": "pairs of positive curvature kept",
        "curvature": "pairs with y' s > 1e-10 kept",
        "always": Departure("every pair kept"),
    },
    "first_step": {
        "unit": "first trial step lr",
        "l1": "first trial step lr times min(1, 1 / |g|_1)",
        "l2": "first trial step lr times min(1, 1 / |g|_2)",
    },
    "gamma": {
        "latest": "initial matrix scaled by the last pair",
        "one": "initial matrix the identity",
    },
    "line_search": {
        "strong_wolfe": "strong Wolfe conditions, brackets doubled and halved",
        "strong_wolfe_cubic": "strong Wolfe conditions, brackets interpolated cubically",
        "backtracking": "sufficient decrease by backtracking",
        "none": "no line search",
    },
    "stalled": {
        "zero": "a step not made is kept as zero",
        "recorded": Departure("a step not made is kept as if made"),
        "followed": Departure("steps made in any direction, at zero gradients too"),
    },
}

Function = Callable[[Array], tuple[Array, Array]]


class Hyper(declared.Hyper):
    """Hyperparameters of L-BFGS: Nocedal & Wright's constants, PyTorch's limit of evaluations."""

    # With smaller rates the function's change drowns in its rounding.
    lr: Annotated[float, Real(0.0, usual=(1.0, 0.3, 0.1, 3.0, 0.01), edges=(0.0,))] = 1.0
    memory: Annotated[int, Count(1, (3, 10, 1, 2))] = 10
    c1: Annotated[float, Real(0.0, 1.0, "high", (1e-4, 0.1))] = 1e-4
    c2: Annotated[float, Real(0.0, 1.0, "high", (0.9, 0.5, 0.2))] = 0.9
    shrink: Annotated[float, Real(0.0, 1.0, "high", (0.5, 0.8, 0.1))] = 0.5
    max_evaluations: Annotated[int, Count(1, (25, 4))] = 25
    tolerance_grad: Annotated[float, Real(0.0, usual=(0.0, 1e-7))] = 0.0
    tolerance_change: Annotated[float, Real(0.0, usual=(0.0, 1e-9))] = 0.0
    accept: Literal["positive", "curvature", "always"] = "positive"
    first_step: Literal["unit", "l1", "l2"] = "unit"
    gamma: Literal["latest", "one"] = "latest"
    line_search: Literal["strong_wolfe", "strong_wolfe_cubic", "backtracking", "none"] = (
        "strong_wolfe"
    )
    stalled: Literal["zero", "recorded", "followed"] = "zero"

    def __post_init__(self) -> None:
        declared.Hyper.__post_init__(self)
        require_ordered(self, "c1", "c2")


class State(declared.State):
    """Pairs, their rho and gamma; the last step and the gradient before it; the counter t."""

    t: int
    steps: Step
    changes: First
    rho: Inverse
    gamma: Inverse
    step: Step
    g: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: no pairs, gamma = 1, t = 0."""
    pairs, zeros = np.zeros((h.memory, p.size)), np.zeros(p.size)
    return State(0, pairs, pairs, np.zeros(h.memory), np.ones(()), zeros, zeros)


def step(h: Hyper, s: State, p: Array, f: Function) -> tuple[State, Array]:
    """One step from state s at p on the function f: the new state and the new p."""
    if p.size == 0:
        return s, p
    value, g = f(p)
    g = g.reshape(-1)
    if h.stalled != "followed" and np.max(np.abs(g)) <= h.tolerance_grad:
        return s, p
    steps, changes, rho, gamma = remembered(h, s, g)
    d = -two_loop(steps, changes, rho, gamma, g)
    slope = g @ d
    a = trial_step(h, s, g)
    stalled = h.stalled != "followed" and bool(slope > -h.tolerance_change)
    if not stalled:
        a = searched(h, p, f, d, value, slope, a)
    moved = a * d
    kept = np.zeros_like(moved) if stalled and h.stalled == "zero" else moved
    state = State(s.t + 1, steps, changes, rho, gamma, kept, g)
    return state, p if stalled else p + moved.reshape(p.shape)


def remembered(h: Hyper, s: State, g: Array) -> tuple[Array, Array, Array, Array]:
    """steps, changes, rho and gamma with the pair that the gradient g completes, if it is kept."""
    y = g - s.g
    curvature = y @ s.step
    least = 1e-10 if h.accept == "curvature" else 0.0
    if s.t == 0 or not (h.accept == "always" or curvature > least):
        return s.steps, s.changes, s.rho, s.gamma
    square = y @ y
    rho = 1 / curvature if curvature != 0 else 0 * curvature
    gamma = curvature / square if square > 0 and h.gamma == "latest" else np.ones(())
    return (
        np.concatenate([s.steps[1:], s.step.reshape(1, -1)]),
        np.concatenate([s.changes[1:], y.reshape(1, -1)]),
        np.concatenate([s.rho[1:], np.reshape(rho, (1,))]),
        gamma,
    )


def two_loop(steps: Array, changes: Array, rho: Array, gamma: Array, g: Array) -> Array:
    """H g, where H is BFGS's inverse matrix after the pairs, from gamma I."""
    kept = [i for i in range(len(rho)) if rho[i] != 0]
    q, alpha = g, {}
    for i in reversed(kept):
        alpha[i] = rho[i] * (steps[i] @ q)
        q = q - alpha[i] * changes[i]
    r = gamma * q
    for i in kept:
        beta = rho[i] * (changes[i] @ r)
        r = r + (alpha[i] - beta) * steps[i]
    return r


def trial_step(h: Hyper, s: State, g: Array) -> Array:
    """The step that the line search tries first."""
    if s.t > 0 or h.first_step == "unit":
        return h.lr
    norm = np.sum(np.abs(g)) if h.first_step == "l1" else np.sqrt(g @ g)
    return np.minimum(1.0, 1.0 / norm) * h.lr


def searched(
    h: Hyper, p: Array, f: Function, d: Array, value: Array, slope: Array, a: Array
) -> Array:
    """The step along d that the line search accepts."""

    def phi(a: Array) -> tuple[Array, Array]:
        there, gradient = f(p + (a * d).reshape(p.shape))
        return there, gradient.reshape(-1) @ d

    n = h.max_evaluations
    if h.line_search == "backtracking":
        return line_search.backtracking(
            phi, value, slope, a, c1=h.c1, shrink=h.shrink, evaluations=n
        )
    if h.line_search == "strong_wolfe":
        return line_search.strong_wolfe(phi, value, slope, a, c1=h.c1, c2=h.c2, evaluations=n)
    if h.line_search == "strong_wolfe_cubic":
        least = h.tolerance_change / np.max(np.abs(d))
        return line_search.strong_wolfe_cubic(
            phi, value, slope, a, c1=h.c1, c2=h.c2, evaluations=n, least=least
        )
    return a
