"""Muon, momentum orthogonalized by a Newton-Schulz iteration (Jordan et al. 2024).

Over 120 lines: coefficients, scales and momentum as the libraries choose them.

Rule
    g_t = -g when maximizing, else g, as a matrix: the first axis by all others
    b_t = momentum b_{t-1} + g_t
    M = g_t + momentum b_t when nesterov, else b_t
    X = M / (|M|_F + eps)
    ns_steps times: A = X X^T; X = ns_a X + (ns_b A + ns_c A A) X
    p_t = p_{t-1} (1 - lr weight_decay) - lr scale X

Shapes
    p, g, b: one shape, any rank. A tensor of shape (n, ...) is an n x (rest) matrix, a 1-D one a
    column, a 0-d one 1 x 1. t: the number of steps made.

Domain
    lr, eps, weight_decay, rms >= 0 and finite; 0 <= momentum < 1; ns_a, ns_b, ns_c finite;
    ns_steps an integer >= 1.

Choices
    momentum_form: the authors' text adds gradients up ("sum": also Moonlight, Keras). Their code,
    PyTorch and pytorch-optimizer average them ("ema"), with M = (1 - momentum) g_t + momentum b_t
    when nesterov: (1 - momentum) times the same M. optax divides the average by 1 - momentum^t, and
    when nesterov b_t by 1 - momentum^(t+1) and g_t by 1 - momentum^t ("debiased"). heavyball keeps
    the divided average, whose new part weighs w = (1 - momentum) / (1 - momentum^t), and with
    nesterov M = w g_t + (1 - w) b_t ("in_average", its nesterov=False). Its default adds the plain
    average to the gradient, as Grokfast does, M = g_t + b_t when nesterov: g_t weighs momentum / (1
    - momentum) times as much beside b_t as in the others ("added").
    norm_guard: eps "added" to the norm (the authors, Keras, optax), or its "floor" (PyTorch,
    pytorch-optimizer, heavyball). norm: "frobenius", or as options of optax the largest singular
    value ("spectral"), the root of |M M^T|_F ("schatten") or row by row the root of the sums of
    |M M^T| ("aol"); in the last two eps is a floor under the root.
    coefficients: ns_a, ns_b, ns_c in every step ("constant"), or a published list of triples, the
    last one repeated (reference/newton_schulz.py): modded-nanogpt's ("quintic": heavyball; optax
    calls it dion), those of Polar Express by its paper, and with safeties of 1e-2 and 2e-2
    ("polar_express...": pytorch-optimizer, the last Dion's too), CANS's, cubic ones, those for the
    AOL preconditioning ("aol"), and eight steps of Jordan's with two of 2, -3/2, 1/2
    ("eight_and_two": DeepSeek-V4). aol's first triple turns singular values above 0.88 round, so
    that with it a momentum of rank one climbs.
    scale: 1 in the text ("none"). Their code and PyTorch's "original": sqrt(max(1, rows / cols))
    ("tall"); optax keeps weights transposed: sqrt(max(1, cols / rows)) ("wide"). Moonlight, Keras
    and "match_rms_adamw": rms sqrt(max(rows, cols)) ("rms"). timm's "rms_to_rms":
    sqrt(rows / cols) ("ratio").
    magnitude: "none", or X times <M, X> ("dual_norm", optax's adaptive).
    decay: by lr without scale, before the step ("before", Moonlight); pytorch-optimizer can add it
    to the gradient ("coupled"); optax adds weight_decay p to scale X ("in_step"), "before" but for
    its rounding.
    Libraries take AdamW for tensors that are no matrices. Most iterate in bfloat16: the
    stage newton_schulz of a declared arithmetic.

Special cases
    g = 0 from the start leaves p to the decay; with eps = 0 it is 0/0, nan. nan or inf in g makes
    all of p nan. Empty tensors stay empty and advance t.

Judged
    p and b by the sampled contract, t exactly.

Sources
    K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024,
    kellerjordan.github.io/posts/muon. J. Liu et al., "Muon is Scalable for LLM Training", 2025
    (arXiv:2502.16982), section 2.2. PyTorch 2.13, optax 0.2.8, Keras 3, pytorch-optimizer 4.1,
    heavyball 3.2.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Count, Decay, Epsilon, First, Momentum, Rate, Real, Switch
from truestep.reference.newton_schulz import as_matrix, iterated, triples
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

DIALECTS = {
    "coefficients": {
        "constant": "the same coefficients in every step of the iteration",
        "quintic": "modded-nanogpt's five triples of coefficients",
        "polar_express": "Polar Express's eight triples of coefficients",
        "polar_express_1e-2": "Polar Express's triples of coefficients with a safety of 1e-2",
        "polar_express_2e-2": "Polar Express's triples of coefficients with a safety of 2e-2",
        "cans": "CANS's five triples of coefficients",
        "aol": "four triples of coefficients for rows divided by their sums",
        "cubic": "five triples of coefficients without a fifth power",
        "eight_and_two": "eight steps of Jordan's coefficients and two that converge",
    },
    "decay": {
        "before": "weight decay, multiplied by lr without scale, before the step",
        "coupled": "weight decay added to the gradient",
        "in_step": "weight decay, multiplied by lr, in one sum with the step",
    },
    "magnitude": {
        "none": "orthogonalized momentum as it is",
        "dual_norm": "orthogonalized momentum times its inner product with the momentum",
    },
    "momentum_form": {
        "sum": "momentum a decaying sum of gradients",
        "ema": "momentum an average of gradients",
        "debiased": "momentum an average of gradients, corrected for its zero start",
        "in_average": "momentum an average of gradients, kept as it is when corrected",
        "added": "momentum an average of gradients, added to the gradient when nesterov",
    },
    "norm": {
        "frobenius": "divided by the Frobenius norm",
        "spectral": "divided by the largest singular value",
        "schatten": "divided by the Schatten 4-norm",
        "aol": "each row divided by the root of its sum in |M M^T|",
    },
    "norm_guard": {"added": "eps added to the norm", "floor": "eps as a floor of the norm"},
    "scale": {
        "none": "no scale for the shape",
        "tall": "scale sqrt(max(1, rows / cols))",
        "wide": "scale sqrt(max(1, cols / rows))",
        "ratio": "scale sqrt(rows / cols)",
        "rms": "scale rms sqrt(max(rows, cols))",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of Muon; the defaults of the numbers are the authors'."""

    lr: Rate = 0.02
    momentum: Momentum = 0.95
    eps: Epsilon = 1e-7
    weight_decay: Decay = 0.0
    ns_a: Annotated[float, Real(-np.inf, usual=(3.4445, 3.25, 3.0))] = 3.4445
    ns_b: Annotated[float, Real(-np.inf, usual=(-4.775, -5.0))] = -4.7750
    ns_c: Annotated[float, Real(-np.inf, usual=(2.0315, 1.9375))] = 2.0315
    ns_steps: Annotated[int, Count(1, (5, 1, 3, 6))] = 5
    rms: Annotated[float, Real(0.0, usual=(0.2, 1.0))] = 0.2
    nesterov: Switch = True
    maximize: Switch = False
    coefficients: Literal[
        "constant",
        "quintic",
        "polar_express",
        "polar_express_1e-2",
        "polar_express_2e-2",
        "cans",
        "aol",
        "cubic",
        "eight_and_two",
    ] = "constant"
    decay: Literal["before", "coupled", "in_step"] = "before"
    magnitude: Literal["none", "dual_norm"] = "none"
    momentum_form: Literal["sum", "ema", "debiased", "in_average", "added"] = "sum"
    norm: Literal["frobenius", "spectral", "schatten", "aol"] = "frobenius"
    norm_guard: Literal["added", "floor"] = "added"
    scale: Literal["none", "tall", "wide", "ratio", "rms"] = "none"


class State(declared.State):
    """Momentum buffer b, shaped like p, and the number t of steps made."""

    t: int
    b: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: a zero buffer shaped like p, t = 0."""
    return State(t=0, b=np.zeros_like(p))


def orthogonalized(h: Hyper, x: Array) -> Array:
    """What the iteration makes of matrix x; its singular values come near 1."""
    return iterated(x, triples(h), lambda wide: size(h, wide))


def size(h: Hyper, x: Array) -> Array:
    """What the wide matrix x is divided by before the iteration: a number, or one for each row."""
    if h.norm in ("schatten", "aol"):
        gram = x @ x.T
        if h.norm == "schatten":
            return np.sqrt(np.maximum(np.sqrt(np.sum(gram * gram)), h.eps))
        return np.sqrt(np.maximum(np.sum(np.abs(gram), axis=1, keepdims=True), h.eps))
    if h.norm == "spectral":
        finite = bool(np.all(np.isfinite(x)))
        norm = np.linalg.svd(x, full_matrices=False)[1][0] if finite else np.sum(x * np.nan)
    else:
        norm = np.sqrt(np.sum(x * x))
    return norm + h.eps if h.norm_guard == "added" else np.maximum(norm, h.eps)


def shape_scale(h: Hyper, rows: int, cols: int) -> Array:
    """The factor of the step for a matrix of this shape."""
    if h.scale == "tall":
        return np.sqrt(max(1, rows / cols))
    if h.scale == "wide":
        return np.sqrt(max(1, cols / rows))
    if h.scale == "ratio":
        return np.sqrt(rows / cols)
    return h.rms * np.sqrt(max(rows, cols)) if h.scale == "rms" else 1.0


def with_momentum(h: Hyper, t: int, b: Array, g: Array) -> tuple[Array, Array]:
    """The new buffer, and what is orthogonalized."""
    kept, weight = h.momentum, 1 - h.momentum
    if h.momentum_form == "in_average":
        weight = (1 - h.momentum) / (1 - h.momentum**t)
        kept = 1 - weight
    new = g if h.momentum_form == "sum" else weight * g
    b = kept * b + new
    if h.momentum_form == "debiased":
        if h.nesterov:
            return b, h.momentum * (b / (1 - h.momentum ** (t + 1))) + new / (1 - h.momentum**t)
        return b, b / (1 - h.momentum**t)
    if h.momentum_form == "added":
        new, kept = g, 1.0
    return b, new + kept * b if h.nesterov else b


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if p.size == 0:
        return State(t=t, b=s.b), p
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    elif h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    b, m = with_momentum(h, t, s.b, g)
    m = as_matrix(m)
    x = orthogonalized(h, m)
    if h.magnitude == "dual_norm":
        x = np.sum(m * x) * x
    scale, x = shape_scale(h, *m.shape), x.reshape(p.shape)
    if h.decay == "in_step":
        return State(t=t, b=b), p - h.lr * (scale * x + h.weight_decay * p)
    return State(t=t, b=b), p - h.lr * scale * x


def observables(h: Hyper, s: State, p: Array) -> dict[str, Array]:
    """What the definition determines of the new state and the new p: all of both."""
    return {"b": s.b, "p": p}


# The iteration mixes all elements of a matrix.
FACTS = Facts(elementwise=False, matrices=True, observables=observables)
