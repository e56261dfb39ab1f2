"""The C++ kernels of csrc/parts: what rules of matrices do element by element, in one pass each."""

from functools import cache

import numpy as np

from truestep.fast import _core
from truestep.fast.ours.storages import NUMBERS
from truestep.fast.protocol import Array


@cache
def _places() -> dict[str, int]:
    return {name: place for place, (name, *_) in enumerate(_core.rule_kernels())}


def _run(part: str, numbers: list[float], x: Array, *written: Array) -> None:
    """Run the part in place on contiguous float32 arrays of one size."""
    address = [array.__array_interface__["data"][0] for array in (written[0], x, *written[1:])]
    table = np.zeros((2 * len(address), 1), dtype=np.int64)
    table[::2, 0] = address
    _core.step(
        _places()[part],
        [NUMBERS["float32"].storage] * len(address),
        table,
        np.array([x.size], dtype=np.int64),
        np.zeros(1, dtype=np.int32),
        np.array([numbers], dtype=np.float64),
        np.ones(1),
        np.zeros((1, 0)),
    )


def _copy(x: Array) -> Array:
    return np.array(x, dtype=np.float32, order="C", copy=True)


def combined(of_x: float, x: Array, of_y: float, y: Array) -> Array:
    """of_x x + of_y y."""
    out = _copy(y)
    _run("combine", [of_x, of_y], np.ascontiguousarray(x), out)
    return out


def combined_square(of_x: float, x: Array, of_y: float, y: Array) -> Array:
    """of_x x^2 + of_y y."""
    out = _copy(y)
    _run("combine_square", [of_x, of_y], np.ascontiguousarray(x), out)
    return out


def adam_direction(
    betas: tuple[float, float], eps: float, of_m: float, of_v: float, g: Array, m: Array, v: Array
) -> tuple[Array, Array, Array]:
    """of_m m / (sqrt(of_v v) + eps), and the new moments m and v of g."""
    d, m, v = np.empty_like(m, order="C"), _copy(m), _copy(v)
    _run("adam_direction", [*betas, eps, of_m, of_v], np.ascontiguousarray(g), d, m, v)
    return d, m, v
