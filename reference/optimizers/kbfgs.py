"""K-BFGS, Kronecker-factored quasi-Newton steps, for one dense layer (Goldfarb et al. 2020).

Over 120 lines: both factors of a layer, each with damped pairs of its own.

Rule
    W: p as a matrix, outputs x inputs, the first axis by all others; G: g likewise
    a: the inputs of the layer; h, d and h+, d+: its outputs and the derivatives of the loss with
    respect to them, at W_{t-1} and, on the same batch, at W_t; bars are means over the batch
    M_t = momentum M_{t-1} + (1 - momentum) G
    W_t = W_{t-1} - lr H_g M_t H_a
    s_g = ema s_g + (1 - ema) mean(h+ - h);  y_g = ema y_g + (1 - ema) mean(d+ - d)
    (s, y) = damped(s_g, y_g);  H_g = bfgs(H_g, s, y)
    A_t = ema A_{t-1} + (1 - ema) mean(a a');  D = A_t + sqrt(damping) I
    s_a = H_a mean(a);  H_a = bfgs(H_a, s_a, D s_a)
    damped(s, y): theta = 0.8 y'Hy / (y'Hy - s'y) where s'y < 0.2 y'Hy, else 1
        s = theta s + (1 - theta) H y
        nu = (1 - mu) s's / (s's - s'y) where s'y < mu s's, mu = sqrt(damping), else 1
        y = nu y + (1 - nu) s
    bfgs(H, s, y): (I - r s y') H (I - r y s') + r s s',  r = 1 / (s'y); H where s'y <= 0

Shapes
    p, g, m (M): one shape, any rank: a tensor of shape (n, ...) is an n x (rest) matrix, a 1-D one
    a column, a 0-d one 1 x 1. activations (a): examples x inputs; outputs and derivatives (h, d),
    outputs_after and derivatives_after (h+, d+): examples x outputs, derivatives not divided by the
    number of examples. factor_a (A), inverse_a (H_a): inputs x inputs; inverse_g (H_g): outputs x
    outputs; s_g, y_g: outputs. t: the number of steps made.

Domain
    lr, weight_decay >= 0 and finite; 0 < damping <= 1; 0 <= ema, momentum < 1.

Choices
    W_t needs no h+ and d+: moved() gives it, so that they can be found there. A bias is a column of
    W whose activation is 1, and so is its mean, in the authors' code too.
    start: A = 0 and H_a = I / sqrt(damping); the authors begin with A over all data and with
    H_a = D^-1, which warmed() makes.
    second_damping: "powell" as above; the authors' later work adds mu s to y instead
    ("levenberg_marquardt").
    skip: pairs with s'y <= 0 ("nonpositive"), or, in the authors' code, with s'y <= 1e-4 s's |x|
    too, where x is mean(d) for H_g and mean(a) for H_a ("flat").
    decay: added to G ("coupled"), or shrinking p before the step ("before").
    The limited-memory form of H_g is left out.

Special cases
    s = 0 leaves H as it is, as do batches of zeros. H_a and H_g stay positive definite: damped
    pairs have s'y >= mu s's, and s_a' D s_a >= sqrt(damping) s_a's_a. g = 0 leaves p to momentum
    and decay. nan in g makes m and p nan, in another input the matrices, and later all of p. Empty
    tensors stay empty and advance t.

Judged
    p, m, A, H_a, H_g, s_g, y_g by the sampled contract, t exactly.

Sources
    D. Goldfarb, Y. Ren, A. Bahamou, "Practical Quasi-Newton Methods for Training Deep Neural
    Networks", NeurIPS 2020 (arXiv:2006.08877), algorithms for DD and K-BFGS;
    github.com/renyiryry/kbfgs_neurips2020_public. Y. Ren, A. Bahamou, D. Goldfarb,
    "Kronecker-factored Quasi-Newton Methods for Deep Learning", 2021 (arXiv:2102.06737).
"""

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np

from truestep.reference import declared
from truestep.reference.declared import (
    Beta,
    Decay,
    First,
    Inverse,
    Momentum,
    Number,
    Rate,
    Real,
    Step,
)
from truestep.reference.factors import matrix_shape, of_inputs, of_outputs
from truestep.reference.rules import Facts
from truestep.reference.validation import Array

INPUTS = {
    "activations": of_inputs,
    "outputs": of_outputs,
    "outputs_after": of_outputs,
    "derivatives": of_outputs,
    "derivatives_after": of_outputs,
}

DIALECTS = {
    "decay": {
        "coupled": "weight decay added to the gradient",
        "before": "weight decay, multiplied by lr, before the step",
    },
    "second_damping": {
        "powell": "change of derivatives mixed with that of outputs where it must be",
        "levenberg_marquardt": "change of derivatives raised by a multiple of that of outputs",
    },
    "skip": {
        "nonpositive": "pairs without positive curvature left out",
        "flat": "pairs of small curvature left out",
    },
}

# Powell's damping of the first kind, and the curvature that the authors' code asks for.
MU1, FLAT = 0.2, 1e-4


class Hyper(declared.Hyper):
    """Hyperparameters of K-BFGS; the defaults are those of the authors' code."""

    lr: Rate = 0.3
    momentum: Momentum = 0.9
    ema: Beta = 0.9
    damping: Annotated[float, Real(0.0, 1.0, "low", (0.3, 0.01, 1.0))] = 0.3
    weight_decay: Decay = 1e-5
    decay: Literal["coupled", "before"] = "coupled"
    second_damping: Literal["powell", "levenberg_marquardt"] = "powell"
    skip: Literal["nonpositive", "flat"] = "nonpositive"


class State(declared.State):
    """Average gradient, second moment and changes, both inverse matrices, and the counter t."""

    t: int
    m: First
    factor_a: Number
    inverse_a: Number
    inverse_g: Inverse
    s_g: Step
    y_g: First


def init(h: Hyper, p: Array) -> State:
    """The state before the first step: zero averages, H_a = I / sqrt(damping), H_g = I, t = 0."""
    outputs, inputs = matrix_shape(p.shape)
    zeros = np.zeros(outputs)
    a, g = np.eye(inputs), np.eye(outputs)
    return State(0, np.zeros_like(p), 0.0 * a, a / np.sqrt(h.damping), g, zeros, zeros)


def warmed(h: Hyper, s: State, activations: Array) -> State:
    """The state with the second moment of these activations, examples x inputs, and its inverse."""
    a = second_moment(activations)
    inverse = np.linalg.inv(a + np.sqrt(h.damping) * np.eye(len(a)))
    return replace(s, factor_a=a, inverse_a=inverse)


def second_moment(x: Array) -> Array:
    """The mean over the rows of x of their outer products with themselves."""
    return x.T @ x / x.shape[0]


def moved(h: Hyper, s: State, p: Array, g: Array) -> tuple[Array, Array]:
    """The new average gradient and the new p."""
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    else:
        p = p * (1 - h.lr * h.weight_decay)
    m = h.momentum * s.m + (1 - h.momentum) * g
    direction = s.inverse_g @ m.reshape(matrix_shape(p.shape)) @ s.inverse_a
    return m, p - h.lr * direction.reshape(p.shape)


def share(mu: Array, curvature: Array, square: Array) -> Array:
    """What keeps curvature >= mu square: 1 where it is so, else the weight at which it is equal."""
    short = curvature < mu * square
    return np.where(short, (1 - mu) * square / np.where(short, square - curvature, 1.0), 1.0)


def damped(h: Hyper, inverse: Array, s: Array, y: Array) -> tuple[Array, Array]:
    """The pair s, y with curvature between what both dampings allow."""
    hy, mu = inverse @ y, np.sqrt(h.damping)
    theta = share(MU1, s @ y, y @ hy)
    s = theta * s + (1 - theta) * hy
    if h.second_damping == "levenberg_marquardt":
        return s, y + mu * s
    nu = share(mu, s @ y, s @ s)
    return s, nu * y + (1 - nu) * s


def updated(h: Hyper, inverse: Array, s: Array, y: Array, x: Array) -> Array:
    """BFGS's inverse matrix after the pair s, y; x: what the authors' code measures it by."""
    sy = s @ y
    least = FLAT * (s @ s) * np.sqrt(x @ x) if h.skip == "flat" else 0.0
    if sy <= least:
        return inverse
    hy, r = inverse @ y, 1 / sy
    column = s.reshape(-1, 1)
    cross, square = r * column * hy.reshape(1, -1), r * (column * s.reshape(1, -1))
    return inverse + (1 + r * (y @ hy)) * square - (cross + cross.T)


def step(
    h: Hyper,
    s: State,
    p: Array,
    g: Array,
    *,
    activations: Array,
    outputs: Array,
    outputs_after: Array,
    derivatives: Array,
    derivatives_after: Array,
) -> tuple[State, Array]:
    """One step from state s at p with gradient g: the new state and the new p."""
    if p.size == 0:
        return State(s.t + 1, s.m, s.factor_a, s.inverse_a, s.inverse_g, s.s_g, s.y_g), p
    m, p = moved(h, s, p, g)
    s_g = h.ema * s.s_g + (1 - h.ema) * np.mean(outputs_after - outputs, axis=0)
    y_g = h.ema * s.y_g + (1 - h.ema) * np.mean(derivatives_after - derivatives, axis=0)
    pair = damped(h, s.inverse_g, s_g, y_g)
    inverse_g = updated(h, s.inverse_g, *pair, np.mean(derivatives, axis=0))
    factor_a = h.ema * s.factor_a + (1 - h.ema) * second_moment(activations)
    mean_a = np.mean(activations, axis=0)
    s_a = s.inverse_a @ mean_a
    # (A + sqrt(damping) I) s_a without the matrix in brackets.
    y_a = factor_a @ s_a + np.sqrt(h.damping) * s_a
    inverse_a = updated(h, s.inverse_a, s_a, y_a, mean_a)
    return State(s.t + 1, m, factor_a, inverse_a, inverse_g, s_g, y_g), p


def observables(h: Hyper, s: State, p: Array) -> dict[str, Array]:
    """What the definition determines of the new state and the new p: all of both."""
    matrices = {"factor_a": s.factor_a, "inverse_a": s.inverse_a, "inverse_g": s.inverse_g}
    return {"m": s.m, **matrices, "s_g": s.s_g, "y_g": s.y_g, "p": p}


# The two matrices mix all elements of a layer's weights.
FACTS = Facts(elementwise=False, inputs=INPUTS, matrices=True, observables=observables)
