"""K-FAC, Kronecker-factored approximate curvature, for one dense layer (Martens & Grosse 2015).

Over 120 lines: the docstring defines the layer, its inputs and the factored damping.

Rule
    W: p as a matrix, outputs x inputs, the first axis by all others; G: g likewise
    a, d: of every example of the batch the layer's inputs, and the derivatives of its loss with
    respect to the layer's outputs
    c_t = min(1 - 1 / t, ema)
    A_t = c_t A_{t-1} + (1 - c_t) mean(a a');  S_t = c_t S_{t-1} + (1 - c_t) mean(d d')
    G = G + weight_decay W_{t-1};  b = sqrt(damping + weight_decay)
    pi = sqrt((tr(A_t) / inputs) / (tr(S_t) / outputs))
    W_t = W_{t-1} - lr (S_t + b / pi I)^-1 G (A_t + pi b I)^-1

Shapes
    p, g: one shape, any rank: a tensor of shape (n, ...) is an n x (rest) matrix, a 1-D one a
    column, a 0-d one 1 x 1. activations (a): examples x inputs; derivatives (d): examples x
    outputs, not divided by the number of examples. factor_a (A): inputs x inputs; factor_s (S):
    outputs x outputs. t: the number of steps made.

Domain
    lr, damping, weight_decay >= 0 and finite; 0 <= ema < 1.

Choices
    A bias is a column of W whose activation is 1. The derivatives are those of labels drawn from
    the model's predictions; those of the true labels make the empirical Fisher matrix.
    decay: the paper's l2 term is part of its curvature too ("damped"); it may be added to G alone
    ("coupled"), as in Goldfarb et al.'s code, or shrink p before the step ("before").
    balance: pi from the traces as above ("traces"), or 1 ("one", Goldfarb et al.).
    Inverses are fresh in every step; the paper takes them every 20 steps. Its adaptation of damping
    and its rescaling of the step by the exact Fisher matrix need the whole network, and are left
    out, as is its block-tridiagonal form.

Special cases
    pi = 1 where a trace is 0, as for zero derivatives. A and S are positive semidefinite by their
    definition, so that a negative eigenvalue is an error of rounding, and 0 is taken in its place.
    damping = 0 with a factor of deficient rank makes p inf or nan. g = 0 leaves p to the decay. nan
    or inf in an input makes its factor and all of p nan. Empty tensors stay empty and advance t.

Judged
    A, S, p by the sampled contract, t exactly.

Sources
    J. Martens, R. Grosse, "Optimizing Neural Networks with Kronecker-factored Approximate
    Curvature", ICML 2015 (arXiv:1503.05671), sections 3, 5 and 6.3. D. Goldfarb, Y. Ren,
    A. Bahamou, github.com/renyiryry/kbfgs_neurips2020_public.
"""

from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import Beta, Decay, Number, Rate, Real, Squares
from truestep.reference.factors import matrix_shape, of_inputs, of_outputs
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

DIALECTS = {
    "balance": {
        "traces": "damping shared between the factors by their mean eigenvalues",
        "one": "damping shared evenly between the factors",
    },
    "decay": {
        "damped": "weight decay added to the gradient, and to the damping",
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before the step",
    },
}


class Hyper(declared.Hyper):
    """Hyperparameters of K-FAC: ema is the paper's, lr and damping are Goldfarb et al.'s."""

    lr: Rate = 0.3
    damping: Annotated[float, Real(0.0, usual=(0.3, 0.01, 1.0))] = 0.3
    ema: Beta = 0.95
    weight_decay: Decay = 0.0
    balance: Literal["traces", "one"] = "traces"
    decay: Literal["damped", "coupled", "before"] = "damped"


class State(declared.State):
    """Average second moments of the layer's inputs and of its derivatives, and the counter t."""

    t: int
    factor_a: Number
    factor_s: Squares


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero factors, t = 0."""
    outputs, inputs = matrix_shape(p.shape)
    return State(t=0, factor_a=np.zeros((inputs, inputs)), factor_s=np.zeros((outputs, outputs)))


def second_moment(x: Array) -> Array:
    """The mean over the rows of x of their outer products with themselves."""
    return x.T @ x / x.shape[0]


def inverse(a: Array, shift: Array) -> Array:
    """(a + shift I)^-1 of a positive semidefinite a; nan where a is."""
    if not np.all(np.isfinite(a)):
        return a * np.nan
    values, vectors = np.linalg.eigh(a)
    return (vectors / (np.maximum(values, 0.0) + shift)) @ vectors.T


def ratio(h: Hyper, a: Array, s: Array) -> Array:
    """The pi by which damping is shared between the factors a and s."""
    mean_a, mean_s = np.trace(a) / len(a), np.trace(s) / len(s)
    if h.balance == "one" or mean_a == 0 or mean_s == 0:
        return 1.0
    return np.sqrt(mean_a / mean_s)


def step(
    h: Hyper, s: State, p: Array, g: Array, *, activations: Array, derivatives: Array
) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    t = s.t + 1
    if p.size == 0:
        return State(t, s.factor_a, s.factor_s), p
    c = min(1 - 1 / t, h.ema)
    factor_a = c * s.factor_a + (1 - c) * second_moment(activations)
    factor_s = c * s.factor_s + (1 - c) * second_moment(derivatives)
    damping = h.damping
    if h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    else:
        g = g + h.weight_decay * p
        damping = damping + (h.weight_decay if h.decay == "damped" else 0.0)
    b, pi = np.sqrt(damping), ratio(h, factor_a, factor_s)
    matrix = g.reshape(matrix_shape(p.shape))
    direction = inverse(factor_s, b / pi) @ matrix @ inverse(factor_a, pi * b)
    return State(t, factor_a, factor_s), p - h.lr * direction.reshape(p.shape)


def observables(h: Hyper, s: State, p: Array) -> dict[str, Array]:
    """What the definition determines of the new state and the new p: all of both."""
    return {"factor_a": s.factor_a, "factor_s": s.factor_s, "p": p}


# The preconditioner mixes all elements of a matrix.
FACTS = Facts(
    elementwise=False,
    inputs={"activations": of_inputs, "derivatives": of_outputs},
    matrices=True,
    observables=observables,
)
