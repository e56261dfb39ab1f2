"""Laws of rules that treat a matrix as one: its singular vectors, the bases of its sides."""

from __future__ import annotations

import numpy as np

from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, at_most, exact, norm, way
from truestep.properties.kinds.optimizer.laws.images import behaviour, coarse
from truestep.properties.kinds.optimizer.laws.peers import evaluated
from truestep.properties.laws.claims import Claim, Claims
from truestep.reference.validation import Array


def step_shares_its_singular_vectors_with_the_gradient(bench: Bench, trial: Trial) -> Claims:
    """Without decay and past, both (p' - p) g^T and g^T (p' - p) are symmetric matrices."""
    start = trial.plain().fresh(p=trial.p * 0, gradient=coarse(trial.g))
    out = bench.step(start)
    p, g = exact(out.p), exact(start.g)
    size = np.abs(start.g.astype(np.float64))
    for product, off in (
        (p @ g.T, out.bound["p"] @ size.T),
        (g.T @ p, size.T @ out.bound["p"]),
    ):
        yield Claim("p", product.v, product.v.T, product.e + product.e.T + off + off.T)


def step_is_no_longer_than_adams(bench: Bench, trial: Trial) -> Claims:
    """Without decay the step has at most the norm of Adam's from the same moments.

    It has that norm but for what keeps a norm of zero from dividing.
    """
    start = trial.plain()
    out = bench.step(start)
    h = trial.hyper
    beta2, eps = h.get("graft_beta2", h["beta2"]), h.get("graft_eps", h["eps"])
    adam = evaluated("adam", start, {"m": "m", "v": "v"}, beta2=beta2, eps=eps)["p"]
    length, slack = way(start, out)
    yield at_most("p", length, norm(adam - exact(start.p)), slack)


def first_step_leaves_params(bench: Bench, trial: Trial) -> Claims:
    """The first step only makes the bases: p stays bit for bit."""
    start = trial.fresh()
    yield Claim("p", bench.step(start).state["p"], start.p)


def bases_are_orthonormal(bench: Bench, trial: Trial) -> Claims:
    """What the first step makes: projectors that are idempotent, and bases orthonormal."""
    out = bench.step(trial.fresh())
    for name in ("orthogonality_0", "orthogonality_1"):
        if name in out.got:
            yield Claim(name, out.got[name], np.eye(len(out.got[name])), out.bound[name])
    for name in ("left", "right", "projection"):
        if name in out.got and out.got[name].size:
            onto, off = _onto(out.got[name], name), out.bound[name]
            twice = onto @ onto
            bound = onto.e + twice.e
            if name != "projection":
                bound = bound + off + off @ np.abs(onto.v) + np.abs(onto.v) @ off
            yield Claim(name, twice.v, onto.v, bound)


def _onto(x: Array, name: str) -> Array:
    """What projects: the judged P P^T itself, or that of a plain matrix."""
    return exact(x).T @ exact(x) if name == "projection" else exact(x)


def matrices_of_the_state_are_symmetric(bench: Bench, trial: Trial) -> Claims:
    """Second moments of a layer's sides, and inverse matrices, are symmetric."""
    out = bench.step(trial)
    for name in trial.arrays:
        x = out.got[name]
        if not behaviour(bench, name).odd and x.ndim == 2 and len(x) == x.shape[1]:
            yield Claim(name, x, x.T, out.bound[name] + out.bound[name].T)
