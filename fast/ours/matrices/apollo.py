"""APOLLO: gradients scaled by channel, or whole, as Adam would scale a random projection."""

from collections.abc import Mapping, Sequence

import numpy as np

from truestep.fast.ours.matrices.algebra import length
from truestep.fast.ours.matrices.parts import adam_direction, combined
from truestep.fast.protocol import Array, State
from truestep.reference.optimizers.apollo import Hyper

ARITHMETIC = "sequential_float32"
_AUTHORS = {"correction": "last", "guard": "eps"}
DIALECTS: Sequence[Mapping[str, str]] = (
    {},
    {"scaling": "tensor"},
    # apollo-torch, and its scale_front and disable_nl.
    {**_AUTHORS, "scale_placement": "after"},
    {**_AUTHORS, "scale_placement": "after", "scaling": "tensor"},
    _AUTHORS,
    {**_AUTHORS, "limiter": "none", "scale_placement": "after"},
)
GUARD = 1e-8


def step(h: Hyper, t: int, p: Array, g: Array, state: State) -> tuple[Array, dict[str, Array]]:
    """The new p, projection, moments and norm."""
    if h.maximize:
        g = -g
    projection, norm = state["projection"], state["norm"]
    projects, wide = projection.size > 0, p.ndim == 2 and p.shape[0] < p.shape[1]
    if projects and t > 1 and (t - 1) % h.update_gap == 0:
        projection = drawn(h, projection.shape, (t - 1) // h.update_gap)
    r = g
    if projects:
        r = projection @ g if wide else g @ projection
    left1, left2 = 1 - h.beta1**t, 1 - h.beta2**t
    of_m, of_v, size = 1 / left1, 1 / left2, h.lr
    if h.correction == "last":
        of_m, of_v, size = 1.0, 1.0, h.lr * (left2**0.5 / left1)
    betas = h.beta1, h.beta2
    d, m, v = adam_direction(betas, h.eps, of_m, of_v, r, state["m"], state["v"])
    if projects:
        d, norm = scaled(h, t, g, factors(h, d, r, wide), norm)
    p = combined(-size, d, 1.0, p)
    after = {"projection": projection, "m": m, "v": v, "norm": norm}
    return p - (h.lr * h.weight_decay) * p, after


def drawn(h: Hyper, shape: tuple[int, ...], refresh: int) -> Array:
    """The projection of that refresh."""
    generator = np.random.Generator(np.random.PCG64((h.seed, refresh)))
    return np.asarray(generator.standard_normal(shape) / np.sqrt(h.rank), np.float32)


def factors(h: Hyper, d: Array, r: Array, wide: bool) -> Array:
    """The factor of each channel, or of all: how much longer Adam makes it."""
    longer, before = (
        np.float64(length(x)) if h.scaling == "tensor" else channels(x, wide) for x in (d, r)
    )
    if h.guard == "eps":
        ratio = longer / (before + GUARD)
    else:
        ratio = np.where(before == 0, 0.0, longer / np.where(before == 0, 1.0, before))
    return np.asarray(ratio, np.float32)


def channels(x: Array, wide: bool) -> Array:
    """The norms of the columns of a wide matrix, of the rows of another, in float64."""
    sums = np.einsum("ij,ij->j" if wide else "ij,ij->i", x, x, dtype=np.float64)
    return np.asarray(np.sqrt(sums if wide else sums[:, None]))


def scaled(h: Hyper, t: int, g: Array, factor: Array, last: Array) -> tuple[Array, Array]:
    """The update, and its norm where that is limited."""
    d = factor * g
    if h.scale_placement == "before":
        d = h.scale**0.5 * d
    norm = last
    if h.limiter == "growth":
        now, before = np.float64(length(d)), np.float64(last)
        if t > 1:
            divisor = excess(h, now, before)
            d, now = d / np.float32(divisor), now / divisor
        norm = np.asarray(now, np.float32)
    if h.scale_placement == "after":
        d = h.scale**0.5 * d
    return d, norm


def excess(h: Hyper, now: np.float64, before: np.float64) -> np.float64:
    """By how much the norm has grown more than it may, at least 1."""
    if h.guard == "eps":
        return np.float64(np.maximum(now / (before + GUARD), h.growth) / h.growth)
    if before == 0:
        return np.float64(1.0)
    return np.float64(np.maximum(now / before, h.growth) / h.growth)
