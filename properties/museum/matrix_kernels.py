"""Correct float32 kernels of the rules that act on matrices, line by line."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from truestep.properties.museum.lines import Home, Kernel, norm


def left(flat: Any, g: Any) -> Any:
    """The rows' square matrix of the two that are joined in flat."""
    return flat[: len(g) ** 2].reshape(len(g), len(g))


def right(flat: Any, g: Any) -> Any:
    """The columns' square matrix of the two that are joined in flat."""
    return flat[len(g) ** 2 :].reshape(g.shape[1], g.shape[1])


def joined(a: Any, b: Any) -> Any:
    """The elements of both matrices, one after another."""
    return np.concatenate([a.reshape(-1), b.reshape(-1)])


def power(a: Any, exponent: float, least: float = 0.0, shift: float = 0.0) -> Any:
    """(a + shift I)^exponent of a symmetric a whose eigenvalues are at least least; nan of nan."""
    if not np.all(np.isfinite(a)):
        return a * np.nan
    values, vectors = np.linalg.eigh(a)
    return (vectors * (np.maximum(values, least) + shift) ** exponent) @ vectors.T


def newton_schulz(x: Any) -> Any:
    """Muon's iteration from x.start."""
    out, (a, b, c) = x.start, x.coefficients
    for _ in range(x.iterations):
        gram = out @ out.T
        out = a * out + (b * gram + c * (gram @ gram)) @ out
    return out


def is_tall(g: Any) -> bool:
    """Whether a matrix has more rows than columns."""
    return bool(g.shape[0] > g.shape[1])


MUON: Kernel = {
    "g": lambda x: -x.g if x.h.maximize else x.g,
    "p": lambda x: x.p * (1 - x.h.lr * x.h.weight_decay),
    "b": lambda x: x.h.momentum * x.s.b + x.g,
    "m": lambda x: x.g + x.h.momentum * x.b if x.h.nesterov else x.b,
    "wide": lambda x: x.m.T if is_tall(x.m) else x.m,
    "start": lambda x: x.wide / (norm(x.wide) + x.h.eps),
    "coefficients": lambda x: (x.h.ns_a, x.h.ns_b, x.h.ns_c),
    "iterations": lambda x: x.h.ns_steps,
    "orthogonal": newton_schulz,
    "direction": lambda x: x.orthogonal.T if is_tall(x.m) else x.orthogonal,
    "scale": lambda x: math.sqrt(max(1, x.m.shape[0] / x.m.shape[1])),
    "new_p": lambda x: x.p - x.h.lr * x.scale * x.direction,
    "new_t": lambda x: x.s.t + 1,
    "new_b": lambda x: x.b,
}

SHAMPOO: Kernel = {
    "g": lambda x: (-x.g if x.h.maximize else x.g) + x.h.weight_decay * x.p,
    "m": lambda x: x.h.momentum * x.s.m + (1 - x.h.momentum) * x.g,
    "left": lambda x: left(x.s.factors, x.g) + x.g @ x.g.T,
    "right": lambda x: right(x.s.factors, x.g) + x.g.T @ x.g,
    "due": lambda x: x.s.t % x.h.precondition_frequency == 0,
    "left_root": lambda x: power(x.left, -1 / 4, x.h.eps) if x.due else left(x.s.roots, x.g),
    "right_root": lambda x: power(x.right, -1 / 4, x.h.eps) if x.due else right(x.s.roots, x.g),
    "direction": lambda x: x.left_root @ x.m @ x.right_root.T,
    "new_p": lambda x: x.p - x.h.lr * x.direction,
    "new_t": lambda x: x.s.t + 1,
    "new_m": lambda x: x.m,
    "new_factors": lambda x: joined(x.left, x.right),
    "new_roots": lambda x: joined(x.left_root, x.right_root),
}

DISTRIBUTED_SHAMPOO: Kernel = {
    "g": lambda x: -x.g if x.h.maximize else x.g,
    "t": lambda x: x.s.t + 1,
    "left": lambda x: x.h.beta2 * left(x.s.factors, x.g) + (1 - x.h.beta2) * (x.g @ x.g.T),
    "right": lambda x: x.h.beta2 * right(x.s.factors, x.g) + (1 - x.h.beta2) * (x.g.T @ x.g),
    "m": lambda x: x.h.beta1 * x.s.m + (1 - x.h.beta1) * x.g,
    "v": lambda x: x.h.graft_beta2 * x.s.v + (1 - x.h.graft_beta2) * (x.g * x.g),
    "c": lambda x: 1 - x.h.beta2**x.t,
    "due": lambda x: (
        x.t == x.h.start or (x.t > x.h.start and x.t % x.h.precondition_frequency == 0)
    ),
    "left_root": lambda x: (
        power(x.left / x.c, -1 / 4, shift=x.h.eps) if x.due else left(x.s.roots, x.g)
    ),
    "right_root": lambda x: (
        power(x.right / x.c, -1 / 4, shift=x.h.eps) if x.due else right(x.s.roots, x.g)
    ),
    "m_hat": lambda x: x.m / (1 - x.h.beta1**x.t),
    "v_hat": lambda x: x.v / (1 - x.h.graft_beta2**x.t),
    "lender": lambda x: x.m_hat / (np.sqrt(x.v_hat) + x.h.graft_eps),
    "shape": lambda x: x.left_root @ x.m_hat @ x.right_root.T,
    "length": lambda x: norm(x.lender) / (norm(x.shape) + np.float32(1e-16)),
    "d": lambda x: x.shape * x.length,
    "chosen": lambda x: (x.lender if x.t < x.h.start else x.d) + x.h.weight_decay * x.p,
    "b": lambda x: x.h.momentum * x.s.b + (1 - x.h.dampening) * x.chosen,
    "ahead": lambda x: (1 - x.h.dampening) * x.chosen + x.h.momentum * x.b if x.h.nesterov else x.b,
    "moved": lambda x: x.ahead if x.h.momentum > 0 else x.chosen,
    "new_p": lambda x: x.p - x.h.lr * x.moved,
    "new_t": lambda x: x.t,
    "new_m": lambda x: x.m,
    "new_v": lambda x: x.v,
    "new_b": lambda x: x.b,
    "new_c": lambda x: x.s.c,
    "new_factors": lambda x: joined(x.left, x.right),
    "new_roots": lambda x: joined(x.left_root, x.right_root),
}


def eigenvectors(a: Any) -> Any:
    """Eigenvectors in columns, the largest eigenvalue first."""
    return np.linalg.eigh(a)[1][:, ::-1] if np.all(np.isfinite(a)) else a * np.nan


def by_size(a: Any, q: Any) -> Any:
    """The order of q's columns by their Rayleigh quotients in a, the largest first."""
    return np.argsort(-np.sum(q * (a @ q), axis=0))


def orthogonal(x: Any) -> Any:
    """The orthogonal factor of x."""
    return np.linalg.qr(x)[0] if np.all(np.isfinite(x)) else x * np.nan


def soap_basis(x: Any, a: Any, q: Any) -> Any:
    """The basis q of factor a: eigenvectors at first, then power iteration when it is due."""
    if x.first:
        return eigenvectors(a)
    return orthogonal(a @ q[:, by_size(a, q)]) if x.due else q


def soap_moment(x: Any) -> Any:
    """The second moment in the order of the new bases' columns."""
    if not x.due:
        return x.v
    rows, columns = by_size(x.left, x.left_basis), by_size(x.right, x.right_basis)
    return x.v[rows][:, columns]


SOAP: Kernel = {
    "g": lambda x: -x.g if x.h.maximize else x.g,
    "first": lambda x: x.s.t == 0,
    "due": lambda x: x.s.t > 0 and x.s.t % x.h.precondition_frequency == 0,
    "left_basis": lambda x: left(x.s.bases, x.g),
    "right_basis": lambda x: right(x.s.bases, x.g),
    "turned": lambda x: x.left_basis.T @ x.g @ x.right_basis,
    "m": lambda x: x.s.m if x.first else x.h.beta1 * x.s.m + (1 - x.h.beta1) * x.g,
    "v": lambda x: (
        x.s.v if x.first else x.h.beta2 * x.s.v + (1 - x.h.beta2) * (x.turned * x.turned)
    ),
    "turned_m": lambda x: x.left_basis.T @ x.m @ x.right_basis,
    "k": lambda x: max(x.s.t, 1),
    "factor": lambda x: math.sqrt(1 - x.h.beta2**x.k) / (1 - x.h.beta1**x.k),
    "inner": lambda x: x.turned_m / (np.sqrt(x.v) + x.h.eps),
    "d": lambda x: x.left_basis @ x.inner @ x.right_basis.T,
    "left": lambda x: (
        x.h.shampoo_beta * left(x.s.factors, x.g) + (1 - x.h.shampoo_beta) * (x.g @ x.g.T)
    ),
    "right": lambda x: (
        x.h.shampoo_beta * right(x.s.factors, x.g) + (1 - x.h.shampoo_beta) * (x.g.T @ x.g)
    ),
    "new_p": lambda x: (
        x.p if x.first else (x.p - x.h.lr * x.factor * x.d) * (1 - x.h.lr * x.h.weight_decay)
    ),
    "new_t": lambda x: x.s.t + 1,
    "new_m": lambda x: x.m,
    "new_v": soap_moment,
    "new_factors": lambda x: joined(x.left, x.right),
    "new_bases": lambda x: joined(
        soap_basis(x, x.left, x.left_basis), soap_basis(x, x.right, x.right_basis)
    ),
}


def projectors(x: Any) -> tuple[Any, Any]:
    """GaLore's projectors: the leading singular vectors of the smaller side when they are due."""
    on_left, on_right = x.s.left.size > 0, x.s.right.size > 0
    if not x.due:
        return x.s.left, x.s.right
    if not np.all(np.isfinite(x.g)):
        return x.s.left * np.nan, x.s.right * np.nan
    u, _, v = np.linalg.svd(x.g, full_matrices=False)
    rank = min(x.h.rank, *x.g.shape)
    return u[:, :rank] if on_left else x.s.left, v[:rank] if on_right else x.s.right


GALORE: Kernel = {
    "g": lambda x: -x.g if x.h.maximize else x.g,
    "t": lambda x: x.s.t + 1,
    "due": lambda x: x.s.t % x.h.update_gap == 0,
    "projectors": projectors,
    "left": lambda x: x.projectors[0],
    "right": lambda x: x.projectors[1],
    "r": lambda x: x.left.T @ x.g if x.left.size else x.g @ x.right.T,
    "m": lambda x: x.h.beta1 * x.s.m + (1 - x.h.beta1) * x.r,
    "v": lambda x: x.h.beta2 * x.s.v + (1 - x.h.beta2) * (x.r * x.r),
    "m_hat": lambda x: x.m / (1 - x.h.beta1**x.t),
    "v_hat": lambda x: x.v / (1 - x.h.beta2**x.t),
    "inner": lambda x: x.m_hat / (np.sqrt(x.v_hat) + x.h.eps),
    "back": lambda x: x.left @ x.inner if x.left.size else x.inner @ x.right,
    "d": lambda x: x.h.scale * x.back,
    "moved": lambda x: x.p - x.h.lr * x.d,
    "new_p": lambda x: x.moved - x.h.lr * x.h.weight_decay * x.moved,
    "new_t": lambda x: x.t,
    "new_left": lambda x: x.left,
    "new_right": lambda x: x.right,
    "new_m": lambda x: x.m,
    "new_v": lambda x: x.v,
}


MATRIX_KERNELS = {
    "distributed_shampoo": Home(DISTRIBUTED_SHAMPOO, shapes="matrices"),
    "galore": Home(GALORE, shapes="matrices"),
    "muon": Home(MUON, {"scale": "tall"}, shapes="matrices"),
    "shampoo": Home(SHAMPOO, shapes="matrices"),
    "soap": Home(
        SOAP,
        {"eps_placement": "before_correction", "order": "sorted"},
        shapes="matrices",
        fixed={"max_dim": 10000},
    ),
}
