"""L-BFGS on float32 arrays: the two loops and line searches, scalar products added in float64."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from truestep.fast.ours.matrices.algebra import inner
from truestep.fast.protocol import Array, Capability, Function, MinimizerCapability, State, Stepped
from truestep.reference.declared import Hyper as AnyHyper
from truestep.reference.optimizers.lbfgs import Hyper

DIALECTS: Sequence[Mapping[str, str]] = (
    {},
    {"line_search": "backtracking"},
    {"line_search": "none"},
    # torch.optim.LBFGS, and optax.scale_by_lbfgs with its memory, both without a line search.
    {"accept": "curvature", "first_step": "l1", "line_search": "none", "stalled": "recorded"},
    {"accept": "always", "first_step": "l2", "line_search": "none", "stalled": "followed"},
)

# phi(a) and its slope.
Phi = Callable[[float], tuple[float, float]]


def capabilities() -> list[Capability]:
    """Every dialect that is offered."""
    return [
        MinimizerCapability(
            rule="lbfgs",
            arithmetic="ieee_float32",
            dialect=dialect,
            variant="+".join(dialect.values()),
            documented=tuple(dialect),
        )
        for dialect in DIALECTS
    ]


def minimizer_step(h: AnyHyper, param: Array, state: State, function: Function) -> Stepped:
    """One step on one tensor."""
    if not isinstance(h, Hyper):
        raise TypeError(f"h must be L-BFGS's, got {h!r}")
    same = Stepped(param.copy(), {name: _copied(x) for name, x in state.items()})
    if not param.size:
        return same
    with np.errstate(all="ignore"):
        value, gradient = function(param)
        g = gradient.reshape(-1)
        if h.stalled != "followed" and np.max(np.abs(g)) <= h.tolerance_grad:
            return same
        steps, changes, rho, gamma = remembered(h, state, g)
        d = -two_loops(steps, changes, rho, gamma, g)
        slope = inner(g, d)
        stalled = h.stalled != "followed" and slope > -h.tolerance_change
        a = trial(h, int(state["t"]), g)
        if not stalled:
            a = searched(h, along(param, d, function), float(value), slope, a)
        moved = np.asarray(a * d, np.float32)
        p = param.copy() if stalled else np.asarray(param + moved.reshape(param.shape))
    if stalled and h.stalled == "zero":
        moved = np.zeros_like(moved)
    after = {"steps": steps, "changes": changes, "rho": rho, "gamma": gamma}
    return Stepped(p, {"t": int(state["t"]) + 1, **after, "step": moved, "g": g.copy()})


def _copied(x: Array | int) -> Array | int:
    return x if isinstance(x, int) else np.array(x)


def remembered(h: Hyper, state: State, g: Array) -> tuple[Array, Array, Array, Array]:
    """steps, changes, rho and gamma with the pair that g completes, if it is kept."""
    kept = tuple(np.array(state[name]) for name in ("steps", "changes", "rho", "gamma"))
    steps, changes, rho, _ = kept
    y = g - state["g"]
    curvature = inner(y, state["step"])
    least = 1e-10 if h.accept == "curvature" else 0.0
    if state["t"] == 0 or not (h.accept == "always" or curvature > least):
        return steps, changes, rho, kept[3]
    square = inner(y, y)
    new = 1 / curvature if curvature != 0 else 0 * curvature
    gamma = curvature / square if square > 0 and h.gamma == "latest" else 1.0
    return (
        np.concatenate([steps[1:], state["step"].reshape(1, -1)]),
        np.concatenate([changes[1:], y.reshape(1, -1)]),
        np.append(rho[1:], np.float32(new)),
        np.asarray(gamma, np.float32),
    )


def two_loops(steps: Array, changes: Array, rho: Array, gamma: Array, g: Array) -> Array:
    """H g, where H is the inverse matrix after the pairs, from gamma I."""
    kept = np.flatnonzero(rho != 0)
    q, alpha = g.copy(), {}
    for i in kept[::-1]:
        alpha[i] = float(rho[i]) * inner(steps[i], q)
        q -= alpha[i] * changes[i]
    r = gamma * q
    for i in kept:
        beta = float(rho[i]) * inner(changes[i], r)
        r += (alpha[i] - beta) * steps[i]
    return np.asarray(r)


def trial(h: Hyper, t: int, g: Array) -> float:
    """The step that the line search tries first."""
    if t > 0 or h.first_step == "unit":
        return float(h.lr)
    if h.first_step == "l1":
        norm = np.sum(np.abs(g), dtype=np.float64)
    else:
        norm = np.sqrt(np.float64(inner(g, g)))
    return float(np.minimum(1.0, 1.0 / norm) * h.lr)


def along(p: Array, d: Array, function: Function) -> Phi:
    """The function and its slope on the way from p in the direction d."""

    def phi(a: float) -> tuple[float, float]:
        value, gradient = function(np.asarray(p + (a * d).reshape(p.shape)))
        return float(value), inner(gradient, d)

    return phi


def searched(h: Hyper, phi: Phi, value: float, slope: float, a: float) -> float:
    """The step that the line search accepts."""
    if h.line_search == "none":
        return a
    if h.line_search == "strong_wolfe":
        return strong_wolfe(h, phi, value, slope, a)
    for _ in range(h.max_evaluations - 1):
        if phi(a)[0] <= value + h.c1 * a * slope:
            break
        a *= h.shrink
    return a


def strong_wolfe(h: Hyper, phi: Phi, value: float, slope: float, a: float) -> float:
    """Nocedal & Wright's Algorithm 3.5: doubled until a bracket holds acceptable steps."""
    last, last_value = 0.0, value
    for made in range(1, h.max_evaluations + 1):
        here, here_slope = phi(a)
        left = h.max_evaluations - made
        if here > value + h.c1 * a * slope or (made > 1 and here >= last_value):
            return zoomed(h, phi, (value, slope), (last, last_value, a), left)
        if abs(here_slope) <= -h.c2 * slope:
            return a
        if here_slope >= 0:
            return zoomed(h, phi, (value, slope), (a, here, last), left)
        last, last_value, a = a, here, 2 * a
    return last


def zoomed(
    h: Hyper, phi: Phi, start: tuple[float, float], bracket: tuple[float, float, float], left: int
) -> float:
    """Algorithm 3.6, by halving: low has the lowest value of those with sufficient decrease.

    start: phi and its slope at 0. bracket: low, phi there, and high. left: evaluations.
    """
    (value, slope), (low, low_value, high) = start, bracket
    for _ in range(left):
        a = (low + high) / 2
        here, here_slope = phi(a)
        if here > value + h.c1 * a * slope or here >= low_value:
            high = a
            continue
        if abs(here_slope) <= -h.c2 * slope:
            return a
        if here_slope * (high - low) >= 0:
            high = low
        low, low_value = a, here
    return low
