"""A gradient transformation of optax as a backend, by the leaves of its state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import optax

from truestep.fast.locating import BrokenBackend
from truestep.fast.protocol import FARTHEST, Array
from truestep.fast.wrapped import functions, search
from truestep.fast.wrapped.search import Found
from truestep.fast.wrapped.trials import Named

Make = Callable[..., optax.GradientTransformation]
# The last step that optax's int32 counter takes: from there on it stands still, as documented.
_REACH = FARTHEST - 1


# XLA's operations, one by one: subnormal numbers are flushed, counts are float32.
_ELEMENTS = ("xla_eager_float32", "xla_rsqrt_float32", "xla_float32")
_SUMS = ("xla_sequential_float32",)


def _rounding(found: Found) -> tuple[str, ...]:
    return _SUMS if search.mixes(found) else _ELEMENTS


def _stepping(make: Make) -> functions.Step:
    """The step of a transformation as a function of arrays and named leaves."""

    def step(p: Array, g: Array, state: Named, **numbers: object) -> tuple[Array, Named]:
        # In the parameter's format, float64 included.
        with jax.enable_x64(p.dtype == np.float64):
            made = make(**numbers)
            param, gradient = jax.numpy.asarray(p), jax.numpy.asarray(g)
            paths, tree = jax.tree_util.tree_flatten_with_path(made.init(param))
            names = [jax.tree_util.keystr(path) for path, _ in paths]
            leaves = [
                jax.numpy.asarray(state[name], leaf.dtype) if state else leaf
                for name, (_, leaf) in zip(names, paths, strict=True)
            ]
            inner = jax.tree_util.tree_unflatten(tree, leaves)
            updates, inner = made.update(gradient, inner, param)
            after: Any = optax.apply_updates(param, updates)
            kept = [np.array(leaf) for leaf in jax.tree_util.tree_leaves(inner)]
            return np.array(after), dict(zip(names, kept, strict=True))

    return step


def wrapped(
    make: Make,
    rule: str | None = None,
    arithmetic: str | None = None,
    options: Mapping[str, object] | None = None,
) -> functions.Backend:
    """A backend of what makes a transformation of numbers: see truestep.wrap.optax."""
    if not callable(make):
        raise BrokenBackend(f"{make!r} is no function that makes a GradientTransformation")
    step = functions.signed(_stepping(make), make)
    name = getattr(make, "__qualname__", type(make).__name__)
    return functions.wrapped(
        step, rule, arithmetic, options, name=name, rounding=_rounding, reach=_REACH
    )
