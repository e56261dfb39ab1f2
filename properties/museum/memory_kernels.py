"""Correct float32 kernels of the rules that remember pairs, line by line."""

from __future__ import annotations

from typing import Any

import numpy as np

from truestep.properties.museum.lines import Home, Kernel


def pushed(rows: Any, new: Any) -> Any:
    """The rows without the oldest, and the new one behind them."""
    return np.concatenate([rows[1:], np.reshape(new, (1, *rows.shape[1:]))])


def two_loop(x: Any) -> Any:
    """BFGS's inverse matrix after the pairs, from gamma I, times the gradient."""
    kept = [i for i in range(len(x.rho)) if x.rho[i] != 0]
    q, alpha = x.g, {}
    for i in reversed(kept):
        alpha[i] = x.rho[i] * (x.steps[i] @ q)
        q = q - alpha[i] * x.changes[i]
    r = x.gamma * q
    for i in kept:
        r = r + (x.c * alpha[i] - x.rho[i] * (x.changes[i] @ r)) * x.steps[i]
    return r


def mean_gamma(x: Any) -> Any:
    """The mean over the pairs of s'y / y'y, eps before there are any."""
    kept = [i for i in range(len(x.rho)) if x.rho[i] != 0]
    scales = [(x.steps[i] @ x.changes[i]) / (x.changes[i] @ x.changes[i]) for i in kept]
    return np.mean(scales, dtype=np.float32) if kept else np.float32(x.h.eps)


ONLINE_LBFGS: Kernel = {
    "g": lambda x: x.g.reshape(-1),
    "y": lambda x: x.g_previous.reshape(-1) - x.s.g + x.h.lambd * x.s.step,
    "curvature": lambda x: x.y @ x.s.step,
    "keep": lambda x: x.s.t > 0 and x.g.size > 0,
    "steps": lambda x: pushed(x.s.steps, x.s.step) if x.keep else x.s.steps,
    "changes": lambda x: pushed(x.s.changes, x.y) if x.keep else x.s.changes,
    "rho": lambda x: pushed(x.s.rho, 1 / x.curvature) if x.keep else x.s.rho,
    "gamma": mean_gamma,
    "c": lambda x: x.h.c if np.any(x.rho != 0) else 1.0,
    "r": two_loop,
    "rate": lambda x: x.h.lr * (x.h.tau / (x.h.tau + x.s.t)) / x.h.c,
    "moved": lambda x: -x.rate * x.r,
    "new_p": lambda x: x.p + x.moved.reshape(x.p.shape),
    "new_t": lambda x: x.s.t + 1,
    "new_steps": lambda x: x.steps,
    "new_changes": lambda x: x.changes,
    "new_rho": lambda x: x.rho,
    "new_step": lambda x: x.moved if x.g.size else x.s.step,
    "new_g": lambda x: x.g,
}


def curvature_bounds(x: Any) -> Any:
    """mL-BFGS's tau, which holds s'y / s's between its bounds."""
    mu = (x.sample @ x.y) / (x.sample @ x.sample)
    if mu <= x.h.sigma_low:
        return min((1 - x.h.sigma_low) / (1 - mu), np.float32(x.h.tau0))
    if mu >= x.h.sigma_high:
        return min((x.h.sigma_high - 1) / (mu - 1), np.float32(x.h.tau0))
    return np.float32(x.h.tau0)


def latest_gamma(x: Any) -> Any:
    """s'y / y'y of the last pair, 1 before there is any."""
    s, y = x.steps[-1], x.changes[-1]
    return (s @ y) / (y @ y) if x.rho[-1] != 0 else np.float32(1)


def averaged(x: Any, old: Any, new: Any) -> Any:
    """The moving average, which begins at the first value."""
    if x.s.t == 0:
        return new.reshape(-1)
    return x.h.momentum * old + (1 - x.h.momentum) * new.reshape(-1)


ML_LBFGS: Kernel = {
    "mean_p": lambda x: averaged(x, x.s.mean_p, x.p),
    "mean_g": lambda x: averaged(x, x.s.mean_g, x.g),
    "g": lambda x: x.g.reshape(-1),
    "due": lambda x: x.s.t % x.h.period == 0,
    "sample": lambda x: x.mean_p - x.s.last_p,
    "y": lambda x: x.mean_g - x.s.last_g,
    "keep": lambda x: bool(x.due and x.s.t > 0 and x.g.size > 0 and x.sample @ x.sample != 0),
    "tau": lambda x: curvature_bounds(x) if x.keep else 1.0,
    "damped": lambda x: x.tau * x.y + (1 - x.tau) * x.sample,
    "steps": lambda x: pushed(x.s.steps, x.sample) if x.keep else x.s.steps,
    "changes": lambda x: pushed(x.s.changes, x.damped) if x.keep else x.s.changes,
    "rho": lambda x: pushed(x.s.rho, 1 / (x.sample @ x.damped)) if x.keep else x.s.rho,
    "gamma": latest_gamma,
    "c": lambda x: 1.0,
    "r": two_loop,
    "new_p": lambda x: x.p - (x.h.lr * x.r).reshape(x.p.shape),
    "new_t": lambda x: x.s.t + 1,
    "new_mean_p": lambda x: x.mean_p,
    "new_mean_g": lambda x: x.mean_g,
    "new_last_p": lambda x: x.mean_p if x.due else x.s.last_p,
    "new_last_g": lambda x: x.mean_g if x.due else x.s.last_g,
    "new_steps": lambda x: x.steps,
    "new_changes": lambda x: x.changes,
    "new_rho": lambda x: x.rho,
}


def backtracked(x: Any) -> Any:
    """The first of lr, shrink lr, ... with sufficient decrease; the last one tried if none has."""
    a = x.h.lr
    for _ in range(x.h.max_evaluations - 1):
        if x.f(x.p + (a * x.d).reshape(x.p.shape))[0] <= x.value + x.h.c1 * a * x.slope:
            break
        a = x.h.shrink * a
    return a


LBFGS: Kernel = {
    "found": lambda x: x.f(x.p),
    "value": lambda x: x.found[0],
    "g": lambda x: x.found[1].reshape(-1),
    "still": lambda x: bool(np.max(np.abs(x.g)) <= x.h.tolerance_grad),
    "y": lambda x: x.g - x.s.g,
    "curvature": lambda x: x.y @ x.s.step,
    "keep": lambda x: bool(x.s.t > 0 and x.curvature > 0),
    "steps": lambda x: pushed(x.s.steps, x.s.step) if x.keep else x.s.steps,
    "changes": lambda x: pushed(x.s.changes, x.y) if x.keep else x.s.changes,
    "rho": lambda x: pushed(x.s.rho, 1 / x.curvature) if x.keep else x.s.rho,
    "gamma": lambda x: x.curvature / (x.y @ x.y) if x.keep else x.s.gamma,
    "c": lambda x: 1.0,
    "d": lambda x: -two_loop(x),
    "slope": lambda x: x.g @ x.d,
    "stalled": lambda x: bool(x.slope > -x.h.tolerance_change),
    "a": lambda x: 0.0 if x.stalled else backtracked(x),
    "moved": lambda x: np.zeros_like(x.g) if x.stalled else x.a * x.d,
    "new_p": lambda x: x.p + x.moved.reshape(x.p.shape),
    "new_t": lambda x: x.s.t + 1,
    "new_steps": lambda x: x.steps,
    "new_changes": lambda x: x.changes,
    "new_rho": lambda x: x.rho,
    "new_gamma": lambda x: x.gamma,
    "new_step": lambda x: x.moved,
    "new_g": lambda x: x.g,
}


def applied(x: Any, terms: list[tuple[Any, Any]], s: Any) -> Any:
    """B s, where B is curvature I and the rank-one terms v v' / w."""
    out = x.h.curvature * s
    for v, w in terms:
        out = out + v * ((v @ s) / w)
    return out


def is_safe(x: Any, s: Any, v: Any) -> bool:
    """Whether SR1's term of residual v is well defined along s."""
    least = x.h.skip * np.sqrt(s @ s) * np.sqrt(v @ v)
    return bool(least > 0 and np.abs(s @ v) >= least)


def rank_one_terms(x: Any) -> list[tuple[Any, Any]]:
    """v and s'v of the pairs kept, the oldest first."""
    terms: list[tuple[Any, Any]] = []
    for i in range(len(x.s.kept)):
        v = x.s.changes[i] - applied(x, terms, x.s.steps[i])
        if x.s.kept[i] != 0 and is_safe(x, x.s.steps[i], v):
            terms.append((v, x.s.steps[i] @ v))
    return terms


def eigenpairs(x: Any) -> tuple[Any, Any]:
    """Eigenvectors in columns and eigenvalues of B on the span of its rank-one terms."""
    if not x.terms:
        return np.zeros((x.g.size, 0), np.float32), np.zeros(0, np.float32)
    q, r = np.linalg.qr(np.stack([v for v, _ in x.terms], axis=1))
    inner = (r / np.stack([w for _, w in x.terms])) @ r.T
    values, vectors = np.linalg.eigh((inner + inner.T) / 2)
    return q @ vectors, x.h.curvature + values


def cubic_root(eigenvalue: Any, mu: Any, g: Any) -> Any:
    """The s with g + eigenvalue s + mu |s| s = 0 on the side of -g."""
    width = np.sqrt(eigenvalue * eigenvalue + 4 * mu * np.abs(g))
    small = -2 * g / np.where(eigenvalue > 0, eigenvalue + width, np.float32(1))
    return np.where(eigenvalue > 0, small, -np.sign(g) * (width - eigenvalue) / (2 * mu))


def model_value(x: Any) -> Any:
    """m(s): what the cubic model promises."""

    def part(g: Any, eigenvalue: Any, s: Any) -> Any:
        return g * s + eigenvalue * s * s / 2 + x.s.mu / 3 * np.abs(s) * s * s

    return np.sum(part(x.g_u, x.eigenvalues, x.s_u)) + part(x.size, x.h.curvature, x.s_0)


def next_mu(x: Any) -> Any:
    """The weight of the cubic term after a very good, a good and a poor step."""
    if x.ratio > x.h.eta2:
        return x.s.mu / 2
    if x.ratio >= x.h.eta1:
        return x.s.mu * (1 + x.h.gamma1) / 2
    return x.s.mu * (x.h.gamma1 + x.h.gamma2) / 2


SR1_CUBIC: Kernel = {
    "found": lambda x: x.f(x.p),
    "value": lambda x: x.found[0],
    "g": lambda x: x.found[1].reshape(-1),
    "still": lambda x: bool(np.max(np.abs(x.g)) == 0),
    "terms": rank_one_terms,
    "eigen": eigenpairs,
    "u": lambda x: x.eigen[0],
    "eigenvalues": lambda x: x.eigen[1],
    "g_u": lambda x: x.u.T @ x.g,
    "rest": lambda x: x.g - x.u @ x.g_u,
    "size": lambda x: np.sqrt(x.rest @ x.rest),
    "s_u": lambda x: cubic_root(x.eigenvalues, x.s.mu, x.g_u),
    "s_0": lambda x: cubic_root(np.float32(x.h.curvature), x.s.mu, x.size),
    "unit": lambda x: x.rest / (x.size if x.size > 0 else np.float32(1)),
    "moved": lambda x: x.u @ x.s_u + x.s_0 * x.unit,
    "model": model_value,
    "there": lambda x: x.p + x.moved.reshape(x.p.shape),
    "after": lambda x: x.f(x.there),
    "ratio": lambda x: (x.value - x.after[0]) / -x.model,
    "accepted": lambda x: bool(x.ratio >= x.h.eta1),
    "y": lambda x: x.after[1].reshape(-1) - x.g,
    "keep": lambda x: x.accepted and is_safe(x, x.moved, x.y - applied(x, x.terms, x.moved)),
    "new_p": lambda x: x.there if x.accepted else x.p,
    "new_t": lambda x: x.s.t + 1,
    "new_mu": next_mu,
    "new_steps": lambda x: pushed(x.s.steps, x.moved) if x.keep else x.s.steps,
    "new_changes": lambda x: pushed(x.s.changes, x.y) if x.keep else x.s.changes,
    "new_kept": lambda x: pushed(x.s.kept, 1) if x.keep else x.s.kept,
}

MEMORY_KERNELS = {
    "lbfgs": Home(LBFGS, {"line_search": "backtracking"}),
    "ml_lbfgs": Home(ML_LBFGS),
    "online_lbfgs": Home(ONLINE_LBFGS),
    "sr1_cubic": Home(SR1_CUBIC),
}
