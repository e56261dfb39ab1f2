"""Distributed Shampoo: averaged factors, and lengths of another rule's step."""

from collections.abc import Mapping, Sequence

import numpy as np

from truestep.fast.ours.matrices.algebra import along, gram, is_finite, joined, length, separated
from truestep.fast.protocol import Array, State
from truestep.reference.optimizers.distributed_shampoo import Hyper

ARITHMETIC = "ieee_float32"
DIALECTS: Sequence[Mapping[str, str]] = (
    {},
    # Google's code, pytorch-optimizer.
    {"bias_correction": "none", "buffers": "two", "ridge": "relative", "timing": "multiples"},
    {
        "bias_correction": "none",
        "buffers": "two",
        "graft": "sgd",
        "ridge": "initial",
        "spectrum": "as_found",
        "timing": "multiples",
        "vectors": "grafted",
    },
)
# The guard of a direction of length zero.
TINY = 1e-16
# Of the largest eigenvalue, the least to which a relative ridge is relative.
LEAST = 1e-6


def step(h: Hyper, t: int, p: Array, g: Array, state: State) -> tuple[Array, dict[str, Array]]:
    """The new p, averages, momentum, factors and roots."""
    if h.maximize:
        g = -g
    if h.decay == "coupled":
        g = g + h.weight_decay * p
    factors, roots = conditioned(h, t, g, state)
    m = h.beta1 * state["m"] + (1 - h.beta1) * g if h.beta1 > 0 else g
    m_hat = m / (1 - h.beta1**t) if h.bias_correction == "both" else m
    v, lender = grafted(h, t, g, m_hat, state["v"])
    d = lender if h.vectors == "grafted" and p.ndim <= 1 else m_hat
    for i, x in enumerate(roots):
        d = along(x, d, i)
    if h.graft != "none":
        d = d * np.float32(np.float64(length(lender)) / (length(d) + TINY))
    if h.decay == "in_direction":
        lender, d = lender + h.weight_decay * p, d + h.weight_decay * p
    elif h.decay == "before":
        p = p * (1 - h.lr * h.weight_decay)
    b, c, moved = with_momentum(h, t, d, lender, state)
    after = {"m": m, "v": v, "b": b, "c": c, "factors": joined(factors), "roots": joined(roots)}
    return p - h.lr * moved, after


def conditioned(h: Hyper, t: int, g: Array, state: State) -> tuple[list[Array], list[Array]]:
    """The new factors, and their roots where they are due."""
    sides = () if g.ndim == 1 and h.vectors == "grafted" else g.shape
    factors, roots = (separated(state[name], sides) for name in ("factors", "roots"))
    due = t % h.precondition_frequency == 0
    if h.timing == "from_start":
        due = t == h.start or (t > h.start and due)
    power = g.ndim if h.exponent == "order" else 2 * g.ndim
    for i in range(len(sides)):
        if h.accumulation == "sum":
            factors[i] = factors[i] + gram(g, i)
        else:
            factors[i] = h.beta2 * factors[i] + (1 - h.beta2) * gram(g, i)
        if due:
            roots[i] = inverse_root(h, factors[i], t, power)
    return factors, roots


def inverse_root(h: Hyper, a: Array, t: int, power: int) -> Array:
    """The factor a, corrected and with its ridge, to the power -1 / power; nan where it has nan."""
    if not is_finite(a):
        return a * np.float32(np.nan)
    average = h.accumulation == "average"
    correction = 1 - h.beta2**t if h.bias_correction == "both" and average else 1.0
    a = a / correction
    if h.spectrum == "as_found":
        left, values, right = np.linalg.svd(a, full_matrices=False)
        largest = values[0]
    else:
        values, left = np.linalg.eigh(a)
        remains = h.eps * (h.beta2**t if average else 1.0) / correction
        values, right = np.maximum(values, 0.0 if h.ridge == "absolute" else remains), left.T
        largest = values[-1]
    if h.ridge == "absolute":
        values = values + h.eps
    elif h.ridge == "relative":
        values = values + h.eps * np.maximum(largest, LEAST)
    return np.asarray((left * values ** (-1 / power)) @ right)


def grafted(h: Hyper, t: int, g: Array, m_hat: Array, v: Array) -> tuple[Array, Array]:
    """The graft's second moment, and the step that lends its length."""
    if h.graft == "sign":
        sign = np.sign(m_hat)
        return v, np.nan_to_num(sign, nan=0.0) if h.nan_sign == "zero" else sign
    if h.graft in ("none", "sgd"):
        return v, m_hat
    if h.graft == "adagrad":
        v = v + g * g
    else:
        v = h.graft_beta2 * v + (1 - h.graft_beta2) * (g * g)
    v_hat = v / (1 - h.graft_beta2**t) if h.graft == "adam" else v
    return v, m_hat / (np.sqrt(v_hat) + h.graft_eps)


def with_momentum(
    h: Hyper, t: int, d: Array, lender: Array, state: State
) -> tuple[Array, Array, Array]:
    """The new buffers b and c, and the direction in which p moves."""
    chosen, new = (lender if t < h.start else d), 1 - h.dampening
    b = h.momentum * state["b"] + new * (chosen if h.buffers == "one" else d)
    c, used = state["c"], b
    if h.buffers == "two":
        c = h.momentum * state["c"] + new * lender
        used = c if t < h.start else b
    if h.momentum == 0:
        return b, c, chosen
    return b, c, new * chosen + h.momentum * used if h.nesterov else used
