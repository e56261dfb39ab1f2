"""AdaMuon, Muon with a second moment of the orthogonalized momentum (Si et al. 2025).

Over 120 lines: momentum, iteration and length as the paper, the authors' code and libraries have.

Rule
    g_t = -g when maximizing, else g, as a matrix of m rows and n columns
    b_t = momentum b_{t-1} + g_t
    O = NS(sign(b_t)), Muon's iteration, of sign(b_t) / (|sign(b_t)|_F + ns_eps)
    v_t = beta2 v_{t-1} + (1 - beta2) O^2
    D = O / (sqrt(v_t) + eps)
    p_t = p_{t-1} (1 - lr weight_decay) - lr rms sqrt(m n) D / |D|_F

Shapes
    p, g, b, v: one shape, any rank, taken as a matrix as by Muon: the first axis by all others.
    t: the number of steps made.

Domain
    lr, eps, ns_eps, weight_decay, rms >= 0 and finite; 0 <= momentum, beta2 < 1;
    ns_a, ns_b, ns_c finite; ns_steps an integer >= 1.

Choices
    stabilization: the "sign" of the momentum is orthogonalized, or as in the paper's first version
    and in pytorch-optimizer the momentum itself ("none"). nan_sign: nan has the sign nan ("nan")
    or, in torch, "zero".
    momentum_form: the authors' code averages, with (1 - momentum) g_t ("ema"), and nesterov takes
    M = (1 - momentum) g_t + momentum b_t in the place of b_t. The paper's beta2 is momentum.
    bias_correction: pytorch-optimizer divides v_t by 1 - beta2^t ("second"), of which the length
    takes all but what eps feels.
    length: the step's root mean square is lr rms ("rms"), or its length that of an orthogonal
    matrix, lr sqrt(min(m, n)), times sqrt(max(1, m / n)) ("tall": pytorch-optimizer without
    use_adjusted_lr). length_guard: the paper divides by |D| alone ("none"); the authors' code and
    pytorch-optimizer by |D| + eps ("added").
    norm_guard: ns_eps "added" to the norm, or its "floor" (pytorch-optimizer). coefficients: as of
    Muon (reference/newton_schulz.py). decay: pytorch-optimizer can add it to the gradient
    ("coupled").

Special cases
    An element of O that is zero from the start stays 0 / eps = 0, 0/0 with eps = 0. g = 0 from the
    start is 0/0, nan, without a guard of the length; with one it leaves p to the decay. nan in g
    makes all of p and v nan where it has that sign, and so does inf without the sign. Empty tensors
    stay empty and advance t.

Judged
    p, b and v by the sampled contract, t exactly.

Sources
    C. Si, D. Zhang, W. Shen, "AdaMuon: Adaptive Muon Optimizer", 2025 (arXiv:2507.11005),
    algorithm 1. The authors' adamuon.py (Chongjie-Si/AdaMuon, 369f0b3); pytorch-optimizer 4.1.
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
    "bias_correction": {
        "none": "no bias correction",
        "second": "the second moment corrected for its zero start",
    },
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
        "tall": "the step as long as an orthogonal matrix times sqrt(max(1, rows / cols))",
    },
    "length_guard": {
        "none": "no guard of the divided elements' length",
        "added": "eps added to the divided elements' length",
    },
    "momentum_form": {
        "sum": "momentum a decaying sum of gradients",
        "ema": "momentum an average of gradients",
    },
    "nan_sign": {"nan": "sign of nan is nan", "zero": "sign of nan is zero"},
    "norm_guard": {"added": "ns_eps added to the norm", "floor": "ns_eps as a floor of the norm"},
    "stabilization": {
        "sign": "the momentum's sign orthogonalized",
        "none": "the momentum orthogonalized as it is",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of AdaMuon; the defaults of the numbers are the authors' code's."""

    lr: Rate = 0.02
    momentum: Momentum = 0.95
    beta2: Beta = 0.95
    eps: Epsilon = 1e-8
    weight_decay: Decay = 0.01
    rms: Annotated[float, Real(0.0, usual=(0.2, 1.0))] = 0.2
    ns_a: Annotated[float, Real(-np.inf, usual=(3.4445, 3.25, 3.0))] = 3.4445
    ns_b: Annotated[float, Real(-np.inf, usual=(-4.775, -5.0))] = -4.7750
    ns_c: Annotated[float, Real(-np.inf, usual=(2.0315, 1.9375))] = 2.0315
    ns_eps: Epsilon = 1e-7
    ns_steps: Annotated[int, Count(1, (5, 1, 3, 6))] = 5
    nesterov: Switch = False
    maximize: Switch = False
    bias_correction: Literal["none", "second"] = "none"
    coefficients: Literal["constant", "quintic", "polar_express_1e-2", "polar_express_2e-2"] = (
        "constant"
    )
    decay: Literal["before", "coupled"] = "before"
    length: Literal["rms", "tall"] = "rms"
    length_guard: Literal["none", "added"] = "none"
    momentum_form: Literal["sum", "ema"] = "sum"
    nan_sign: Literal["nan", "zero"] = "nan"
    norm_guard: Literal["added", "floor"] = "added"
    stabilization: Literal["sign", "none"] = "sign"


class State(declared.State):
    """Momentum b and second moment v, shaped like p, and the number t of steps made."""

    t: int
    b: First
    v: Annotated[Array, Behaviour(0, nonnegative=True)]


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zeros shaped like p, t = 0."""
    return State(t=0, b=np.zeros_like(p), v=np.zeros_like(p))


def stabilized(h: Hyper, m: Array) -> Array:
    """What of the momentum m is orthogonalized."""
    if h.stabilization == "none":
        return m
    sign = np.sign(m)
    return np.where(np.isnan(m), 0.0, sign) if h.nan_sign == "zero" else sign


def length(h: Hyper, rows: int, cols: int) -> Array:
    """The length of the step, before lr."""
    if h.length == "tall":
        return np.sqrt(min(rows, cols)) * np.sqrt(max(1, rows / cols))
    return h.rms * np.sqrt(rows * cols)


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
    m = as_matrix(new + h.momentum * b if h.nesterov else b)
    o = orthogonalized(h, stabilized(h, m)).reshape(p.shape)
    v = h.beta2 * s.v + (1 - h.beta2) * (o * o)
    v_hat = v / (1 - h.beta2**t) if h.bias_correction == "second" else v
    d = o / (np.sqrt(v_hat) + h.eps)
    size = frobenius(d)
    if h.length_guard == "added":
        size = size + h.eps
    return State(t=t, b=b, v=v), p - h.lr * (length(h, *m.shape) / size * d)


def observables(h: Hyper, s: State, p: Array) -> dict[str, Array]:
    """What the definition determines of the new state and the new p: all of them."""
    return {"b": s.b, "v": s.v, "p": p}


# The iteration mixes all elements of a matrix.
FACTS = Facts(elementwise=False, matrices=True, observables=observables)
