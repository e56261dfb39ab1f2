"""GaLore: Adam on the gradient's leading singular directions, by LAPACK's float32 decomposition."""

from collections.abc import Mapping, Sequence

import numpy as np

from truestep.fast.ours.matrices.parts import adam_direction, combined
from truestep.fast.protocol import Array, State
from truestep.reference.optimizers.galore import Hyper

ARITHMETIC = "ieee_float32"
_EPS = "eps_placement"
DIALECTS: Sequence[Mapping[str, str]] = (
    {},
    # galore-torch.
    {_EPS: "before_correction"},
    {_EPS: "before_correction", "side": "larger"},
    {_EPS: "before_correction", "side": "left"},
    {_EPS: "before_correction", "side": "right"},
    {_EPS: "before_correction", "side": "both"},
    # pytorch-optimizer, optax.
    {"decay": "shrunk", _EPS: "before_correction", "refresh": "multiples"},
    {"decay": "before", "side": "larger"},
)


def step(h: Hyper, t: int, p: Array, g: Array, state: State) -> tuple[Array, dict[str, Array]]:
    """The new p, projectors and moments."""
    if h.maximize:
        g = -g
    left, right = state["left"], state["right"]
    projects = left.size > 0 or right.size > 0
    if projects and is_due(h, t):
        left, right = projectors(g, left, right)
    r = left.T @ g if left.size else g
    r = r @ right.T if right.size else r
    of_m, of_v = corrections(h, t)
    betas = h.beta1, h.beta2
    d, m, v = adam_direction(betas, h.eps, of_m, of_v, r, state["m"], state["v"])
    size = h.lr
    if projects:
        d = left @ d if left.size else d
        d = d @ right if right.size else d
        size = h.lr * h.scale
    after = {"left": left, "right": right, "m": m, "v": v}
    shrink = 1 - h.lr * h.weight_decay
    if h.decay == "before":
        return combined(-size, d, shrink, p), after
    p = combined(-size, d, 1.0, p)
    if h.decay == "shrunk":
        return p * shrink, after
    return p - (h.lr * h.weight_decay) * p, after


def is_due(h: Hyper, t: int) -> bool:
    """Whether step t takes new projectors."""
    if h.refresh == "from_first":
        return bool((t - 1) % h.update_gap == 0)
    return bool(t == 1 or t % h.update_gap == 0)


def projectors(g: Array, left: Array, right: Array) -> tuple[Array, Array]:
    """The leading singular vectors, as many as there were, of the sides that are projected."""
    u, _, v_transposed = np.linalg.svd(g, full_matrices=False)
    if left.size:
        left = np.ascontiguousarray(u[:, : left.shape[1]])
    if right.size:
        right = v_transposed[: right.shape[0]].copy()
    return left, right


def corrections(h: Hyper, t: int) -> tuple[float, float]:
    """What Adam's moments are multiplied by for their zero start."""
    left1, left2 = 1 - h.beta1**t, 1 - h.beta2**t
    if h.eps_placement == "outside":
        return 1 / left1, 1 / left2
    return left2**0.5 / left1, 1.0
