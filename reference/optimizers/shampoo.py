"""Shampoo: a preconditioner for every axis of a tensor (Gupta, Koren & Singer 2018).

Over 120 lines: a factor for every axis, and the libraries' choices of root and momentum.

Rule
    g_t = -g when maximizing, else g; then g_t + weight_decay p_{t-1}
    m_t = momentum m_{t-1} + (1 - momentum) g_t
    A_i = A_i + unfold_i(g_t) unfold_i(g_t)^T for every axis i, from eps I
    every precondition_frequency steps, the first included: X_i = A_i^(-1 / (2 k)), k axes
    p_t = p_{t-1} - lr m_t x_1 X_1 ... x_k X_k
    For a matrix: L = L + G G^T, R = R + G^T G, p_t = p_{t-1} - lr L^(-1/4) M R^(-1/4). For a
    vector: full AdaGrad.

Shapes
    p, g, m: one shape, any rank. factors: A_1, ..., A_k with n_i x n_i elements, flattened and
    joined; roots: the X_i likewise. t: the number of steps made.

Domain
    lr, eps, weight_decay >= 0 and finite; 0 <= momentum < 1; precondition_frequency an integer
    >= 1.

Choices
    exponent: -1 / (2 k) in the paper ("half_order"); torch_optimizer (jettify) takes -1 / k
    ("order"), for which the step of a matrix is not invariant to the scale of its gradient.
    spectrum: eigenvalues below eps raised to it ("floored"), or singular values in their place,
    whatever their size ("as_found", torch_optimizer and pytorch-optimizer).
    statistics: every factor from the gradient ("gradient"); torch_optimizer's from what the
    preconditioners of the axes before leave of it ("preconditioned").
    momentum_form: "averaged" as above, the factors taken from the gradient itself. torch_optimizer
    and pytorch-optimizer mix the last preconditioned step into the gradient before all else
    ("fed_back"): g_t = (1 - momentum) g_t + momentum m_{t-1}, at t = 1 g_1, and m_t is the step
    without lr. The paper's algorithms have no momentum.
    timing: "first" as above, or first at t = precondition_frequency ("multiples",
    pytorch-optimizer: until then roots of zero, so that p stays).
    decay: "coupled" as above; pytorch-optimizer can shrink p "before", by lr weight_decay, or
    "unscaled", by weight_decay alone.
    The paper's diagonal variant for long axes is left out.

Special cases
    A 0-d tensor has no axes: p_t = p_{t-1} - lr m_t. A_i >= eps I by its definition, so that a
    smaller eigenvalue is an error of rounding, and eps is taken in its place. With eps = 0 a
    gradient of deficient rank makes X_i inf and p nan. g = 0 leaves p to momentum and decay. nan in
    g makes all of p, factors and roots nan. Empty tensors stay empty and advance t.

Judged
    p, m, A_i and X_i^(2 k) A_i, which is I where X_i is fresh, by the sampled contract, t exactly.

Sources
    V. Gupta, T. Koren, Y. Singer, "Shampoo: Preconditioned Stochastic Tensor Optimization", ICML
    2018 (arXiv:1802.09568), Algorithms 1 and 2. torch_optimizer 0.3, pytorch-optimizer 4.1.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Count,
    Decay,
    Epsilon,
    First,
    Momentum,
    Rate,
    Root,
    Squares,
    Switch,
)
from truestep.reference.factors import along, gram, joined, separated
from truestep.reference.rules import Departure, Facts
from truestep.reference.stages import symmetric
from truestep.reference.validation import Array

DIALECTS = {
    "decay": {
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before the step",
        "unscaled": "weight decay, not multiplied by lr, before the step",
    },
    "exponent": {
        "half_order": "factors to the power -1 / (2 k) for k axes",
        "order": "factors to the power -1 / k for k axes",
    },
    "momentum_form": {
        "averaged": "average of gradients preconditioned",
        "fed_back": Departure("last preconditioned step mixed into the gradient"),
    },
    "spectrum": {
        "floored": "eigenvalues below eps raised to it",
        "as_found": "singular values in the place of eigenvalues",
    },
    "statistics": {
        "gradient": "every factor from the gradient",
        "preconditioned": Departure(
            "factors from the gradient as preconditioned along the axes before"
        ),
    },
    "timing": {
        "first": "roots taken at the first step and every so many steps after it",
        "multiples": Departure("roots taken at multiples of the frequency, zero before"),
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of Shampoo; the defaults of the numbers are torch_optimizer's."""

    lr: Rate = 0.1
    momentum: Momentum = 0.0
    eps: Epsilon = 1e-4
    weight_decay: Decay = 0.0
    precondition_frequency: Annotated[int, Count(1, (1, 2, 10))] = 1
    maximize: Switch = False
    decay: Literal["coupled", "before", "unscaled"] = "coupled"
    exponent: Literal["half_order", "order"] = "half_order"
    momentum_form: Literal["averaged", "fed_back"] = "averaged"
    spectrum: Literal["floored", "as_found"] = "floored"
    statistics: Literal["gradient", "preconditioned"] = "gradient"
    timing: Literal["first", "multiples"] = "first"


class State(declared.State):
    """Average m, shaped like p, flattened factors and their roots, and the counter t."""

    t: int
    m: First
    factors: Squares
    roots: Root


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: m = 0, factors eps I, roots 0, t = 0."""
    factors = joined([h.eps * np.eye(n) for n in p.shape])
    return State(t=0, m=np.zeros_like(p), factors=factors, roots=np.zeros_like(factors))


def inverse_root(h: Hyper, a: Array, power: int) -> Array:
    """a^(-1 / power) of a symmetric matrix."""
    if not np.all(np.isfinite(a)):
        return a * np.nan
    if h.spectrum == "as_found":
        left, values, right = np.linalg.svd(a, full_matrices=False)
        return (left * values ** (-1 / power)) @ right
    values, vectors = np.linalg.eigh(a)
    return (vectors * np.maximum(values, h.eps) ** (-1 / power)) @ vectors.T


def root_power(h: Hyper, axes: int) -> int:
    """The q of A^(-1 / q)."""
    return axes if h.exponent == "order" else 2 * axes


def step(h: Hyper, s: State, p: Array, g: Array) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if p.size == 0:
        return State(t, s.m, s.factors, s.roots), p
    if h.maximize:
        g = -g
    if h.momentum_form == "fed_back" and t > 1:
        g = (1 - h.momentum) * g + h.momentum * s.m
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    else:
        p = p * (1 - (h.lr if h.decay == "before" else 1.0) * h.weight_decay)
    m = h.momentum * s.m + (1 - h.momentum) * g if h.momentum_form == "averaged" else g
    factors, roots = separated(s.factors, p.shape), separated(s.roots, p.shape)
    due = (t if h.timing == "multiples" else s.t) % h.precondition_frequency == 0
    x = m
    for i in range(p.ndim):
        factors[i] = factors[i] + gram(g, i)
        if due:
            roots[i] = inverse_root(h, factors[i], root_power(h, p.ndim))
        x = along(symmetric(roots[i]), x, i)
        if h.statistics == "preconditioned":
            g = along(symmetric(roots[i]), g, i)
    m = x if h.momentum_form == "fed_back" else m
    return State(t, m, joined(factors), joined(roots)), p - h.lr * x


def observables(h: Hyper, s: State, p: Array) -> dict[str, Array]:
    """p, m, the factors, and the power of each root times its factor: I where it is fresh."""
    out = {"m": s.m, "p": p}
    roots = separated(s.roots, p.shape)
    for i, a in enumerate(separated(s.factors, p.shape)):
        product = a
        for _ in range(root_power(h, p.ndim)):
            product = roots[i] @ product
        out[f"factor_{i}"], out[f"inverted_{i}"] = a, product
    return out


# The preconditioners mix all elements of a tensor.
FACTS = Facts(elementwise=False, matrices=True, observables=observables)
