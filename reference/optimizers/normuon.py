"""NorMuon, Muon whose rows are divided by a root mean square of their own (Li et al. 2025).

Over 120 lines: momentum, iteration and length as the paper, the authors' code and libraries have.

Rule
    g_t = -g when maximizing, else g, as a matrix of m rows and n columns
    b_t = momentum b_{t-1} + (1 - momentum) g_t
    O = NS(b_t), Muon's iteration, of b_t / (|b_t|_F + ns_eps)
    v_t = beta2 v_{t-1} + (1 - beta2) mean(O^2), by row
    D = O / (sqrt(v_t) + eps)
    p_t = p_{t-1} (1 - lr weight_decay) - lr rms sqrt(m n) D / |D|_F

Shapes
    p, g, b: one shape, any rank, taken as a matrix as by Muon: the first axis by all others.
    v: (m, 1). t: the number of steps made.

Domain
    lr, eps, ns_eps, weight_decay, rms >= 0 and finite; 0 <= momentum, beta2 < 1;
    ns_a, ns_b, ns_c finite; ns_steps an integer >= 1.

Choices
    length: the paper's step has the root mean square lr rms ("rms"). The authors' code leaves D
    the length of O, lr |O| D / |D| ("kept"), times sqrt(max(1, m / n)) ("kept_tall": its default,
    and pytorch-optimizer's); times sqrt(m / n) in Dion's repository ("kept_ratio"), or times
    rms sqrt(max(m, n)) ("kept_rms": its rms_norm, and pytorch-optimizer's use_adjusted_lr).
    length_guard: the paper divides by |D| alone ("none"); the authors' code and pytorch-optimizer
    by |D| + eps ("added"), Dion's by at least eps ("floor").
    nesterov: M = (1 - momentum) g_t + momentum b_t is orthogonalized in the place of b_t, in the
    authors' code. momentum_form: Dion's sums gradients up ("sum"), without the (1 - momentum).
    norm_guard: ns_eps "added" to the norm, or its "floor" (pytorch-optimizer). coefficients: as of
    Muon (reference/newton_schulz.py). decay: pytorch-optimizer can add it to the gradient
    ("coupled").

Special cases
    A row of O that is zero from the start stays 0 / eps = 0, 0/0 with eps = 0. g = 0 from the start
    is 0/0, nan, without a guard of the length; with one it leaves p to the decay. nan or inf in g
    makes all of p and v nan. Empty tensors stay empty and advance t.

Judged
    p, b and v by the sampled contract, t exactly.

Sources
    Z. Li, L. Liu, C. Liang, W. Chen, T. Zhao, "NorMuon: Making Muon more efficient and scalable",
    2025 (arXiv:2510.05491), algorithm 1. The authors' normuon.py (zichongli5/NorMuon, d45c9a4);
    Dion's repository (microsoft/dion, 0a059a4); pytorch-optimizer 4.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Behaviour,
    Beta,
    Count,
    Decay,
    Epsilon,
    First,
    Momentum,
    Rate,
    Real,
    Switch,
)
from truestep.reference.newton_schulz import as_matrix, frobenius, orthogonalized
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

DIALECTS = {
    "coefficients": {
        "constant": "the same coefficients in every step of the iteration",
        "quintic": "modded-nanogpt's five triples of coefficients",
        "polar_express_1e-2": "Polar Express's triples of coefficients with a safety of 1e-2",
        "polar_express_2e-2": "Polar Express's triples of coefficients with a safety of 2e-2",
    },
    "decay": {
        "before": "weight decay, multiplied by lr, before the step",
        "coupled": "weight decay added to the gradient",
    },
    "length": {
        "rms": "the step as long as a tensor of rms lr",
        "kept": "the step as long as the orthogonalized momentum",
        "kept_tall": "the step as long as the momentum times sqrt(max(1, rows / cols))",
        "kept_ratio": "the step as long as the momentum times sqrt(rows / cols)",
        "kept_rms": "the step as long as the momentum times rms sqrt(max(rows, cols))",
    },
    "length_guard": {
        "none": "no guard of the divided rows' length",
        "added": "eps added to the divided rows' length",
        "floor": "eps as a floor of the divided rows' length",
    },
    "momentum_form": {
        "ema": "momentum an average of gradients",
        "sum": "momentum a decaying sum of gradients",
    },
    "norm_guard": {"added": "ns_eps added to the norm", "floor": "ns_eps as a floor of the norm"},
}


class Hyper(declared.Hyper):
    """Hyperparameters of NorMuon; the defaults of the numbers are the authors' code's."""

    lr: Rate = 0.02
    momentum: Momentum = 0.95
    beta2: Beta = 0.95
    eps: Epsilon = 1e-10
    weight_decay: Decay = 0.0
    rms: Annotated[float, Real(0.0, usual=(0.2, 1.0))] = 0.2
    ns_a: Annotated[float, Real(-np.inf, usual=(3.4445, 3.25, 3.0))] = 3.4445
    ns_b: Annotated[float, Real(-np.inf, usual=(-4.775, -5.0))] = -4.7750
    ns_c: Annotated[float, Real(-np.inf, usual=(2.0315, 1.9375))] = 2.0315
    ns_eps: Epsilon = 1e-7
    ns_steps: Annotated[int, Count(1, (5, 1, 3, 6))] = 5
    nesterov: Switch = False
    maximize: Switch = False
    coefficients: Literal["constant", "quintic", "polar_express_1e-2", "polar_express_2e-2"] = (
        "constant"
    )
    decay: Literal["before", "coupled"] = "before"
    length: Literal["rms", "kept", "kept_tall", "kept_ratio", "kept_rms"] = "rms"
    length_guard: Literal["none", "added", "floor"] = "none"
    momentum_form: Literal["ema", "sum"] = "ema"
    norm_guard: Literal["added", "floor"] = "added"


class State(declared.State):
    """Momentum b, shaped like p, mean squares v of the rows, and the number t of steps made."""

    t: int
    b: First
    v: Annotated[Array, Behaviour(0, nonnegative=True)]


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros, t = 0."""
    zeros = np.zeros_like(p)
    rows = zeros if p.size == 0 else np.sum(as_matrix(zeros), axis=1, keepdims=True)
    return State(t=0, b=zeros, v=rows)


def way(h: Hyper, o: Array, d: Array) -> Array:
    """What of d becomes the step for the orthogonalized momentum o, before lr."""
    size = frobenius(d)
    if h.length_guard == "added":
        size = size + h.eps
    elif h.length_guard == "floor":
        size = np.maximum(size, h.eps)
    rows, cols = o.shape
    if h.length == "rms":
        return h.rms * np.sqrt(rows * cols) / size * d
    kept = frobenius(o) / size * d
    if h.length == "kept_tall":
        return np.sqrt(max(1, rows / cols)) * kept
    if h.length == "kept_ratio":
        return np.sqrt(rows / cols) * kept
    return h.rms * np.sqrt(max(rows, cols)) * kept if h.length == "kept_rms" else kept


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if p.size == 0:
        return State(t=t, b=s.b, v=s.v), p
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    else:
        p = p * (1 - h.lr * h.weight_decay)
    new = g if h.momentum_form == "sum" else (1 - h.momentum) * g
    b = h.momentum * s.b + new
    m = new + h.momentum * b if h.nesterov else b
    o = orthogonalized(h, as_matrix(m))
    v = h.beta2 * s.v + (1 - h.beta2) * np.mean(o * o, axis=1, keepdims=True)
    d = o / (np.sqrt(v) + h.eps)
    return State(t=t, b=b, v=v), p - h.lr * way(h, o, d).reshape(p.shape)


def observables(h: Hyper, s: State, p: Array) -> dict[str, Array]:
    """What the definition determines of the new state and the new p: all of them."""
    return {"b": s.b, "v": s.v, "p": p}


# The iteration mixes all elements of a matrix.
FACTS = Facts(elementwise=False, matrices=True, observables=observables)
