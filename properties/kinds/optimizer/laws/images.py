"""Images of a trial and of an outcome: axes permuted or cut, signs flipped, scales changed.

A state tensor follows the parameter's axes where its shape says so: it has the parameter's shape,
or one with some axes of size 1. AXES lists the others.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from truestep.properties.arithmetic.decision import Undecided
from truestep.properties.kinds.optimizer.laws.bench import Bench, Outcome, Trial, exact
from truestep.properties.kinds.optimizer.laws.bounds import Bounds
from truestep.reference.declared import NUMBER, Behaviour
from truestep.reference.validation import Array

Axes = tuple[int | None, ...]
Move = Callable[[Array, int], Array]

ROWS, COLUMNS, NEITHER = 0, 1, None
# A rotation of four coordinates that maps even integers to integers.
HADAMARD = np.asarray([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2


def _galore(trial: Trial, name: str) -> Axes:
    state = trial.slot.state
    if name in ("left", "right"):
        return (ROWS, NEITHER) if name == "left" else (NEITHER, COLUMNS)
    return (NEITHER if state["left"].size else ROWS, NEITHER if state["right"].size else COLUMNS)


def _apollo(trial: Trial, name: str) -> Axes:
    on_left = trial.p.shape[0] < trial.p.shape[1]
    if name == "projection":
        return (NEITHER, ROWS) if on_left else (COLUMNS, NEITHER)
    return (NEITHER, COLUMNS) if on_left else (ROWS, NEITHER)


def _soap(trial: Trial, name: str) -> Axes:
    """Along an axis with a basis the second moment is one of coordinates in it."""
    sides = enumerate(trial.p.shape)
    return tuple(i if n > trial.hyper["max_dim"] else NEITHER for i, n in sides)


Follows = Callable[[Trial, str], Axes]


def _always(*axes: int | None) -> Follows:
    return lambda trial, name: axes


_APOLLO: dict[str, Follows] = {"m": _apollo, "projection": _apollo, "v": _apollo}
_EXAMPLES: dict[str, Follows] = {
    "activations": _always(NEITHER, COLUMNS),
    "derivatives": _always(NEITHER, ROWS),
    "derivatives_after": _always(NEITHER, ROWS),
    "factor_a": _always(COLUMNS, COLUMNS),
    "factor_s": _always(ROWS, ROWS),
    "inverse_a": _always(COLUMNS, COLUMNS),
    "inverse_g": _always(ROWS, ROWS),
    "outputs": _always(NEITHER, ROWS),
    "outputs_after": _always(NEITHER, ROWS),
    "s_g": _always(ROWS),
    "y_g": _always(ROWS),
}

# The axes that tensors of state and input of a matrix follow, where shapes do not tell.
AXES: dict[str, dict[str, Follows]] = {
    "apollo": _APOLLO,
    "dion": {"q": _always(COLUMNS, NEITHER)},
    "galore": {"left": _galore, "m": _galore, "right": _galore, "v": _galore},
    "kbfgs": _EXAMPLES,
    "kfac": _EXAMPLES,
    "soap": {"v": _soap},
}

# Tensors whose last axis is that of all elements of the parameter, one after another. The other
# tensors of such a state follow no axis, also where there are as many pairs as elements.
FLAT: dict[str, tuple[str, ...]] = {
    "lbfgs": ("steps", "changes", "step", "g"),
    "mechanic": ("p0", "way"),
    "ml_lbfgs": ("mean_p", "mean_g", "last_p", "last_g", "steps", "changes"),
    "online_lbfgs": ("steps", "changes", "step", "g"),
    "sr1_cubic": ("steps", "changes"),
}

# Tensors with entries for every element of the parameter, step after step along the first axis.
PAST: dict[str, tuple[str, ...]] = {"adashift": ("past",)}

# Tensors that hold one number for every slice across every axis, axis after axis.
SLICES = {"sm3": ("mu",)}

# Tensors that hold a square matrix for every axis, one after another; of bases the rows alone
# follow the axis.
MATRICES: dict[str, tuple[str, ...]] = {
    "distributed_shampoo": ("factors", "roots"),
    "shampoo": ("factors", "roots"),
    "soap": ("bases", "factors"),
}


def behaviour(bench: Bench, name: str) -> Behaviour:
    """How the named output answers; those that are no state tensors are numbers."""
    return bench.rule.State.BEHAVIOUR.get(name, NUMBER)


def by_element(bench: Bench, trial: Trial) -> list[str]:
    """Names of the state's arrays with an entry, or several, for every element of p."""
    if flat := FLAT.get(bench.capability.rule, ()):
        return [k for k in trial.arrays if k in flat]
    own = AXES.get(bench.capability.rule, {}) if trial.p.ndim == 2 else {}
    shape = trial.p.shape
    past = PAST.get(bench.capability.rule, ())
    return [
        k
        for k in trial.arrays
        if k not in own and np.shape(trial.slot.state[k])[k in past :] == shape
    ]


def among_elements(x: Array, size: int, change: Callable[[Array], Array]) -> Array:
    """x with its axis of all elements of the parameter passed through change, as the last one."""
    rows = x.reshape(-1, size) if size else x.reshape(0, 0)
    return np.ascontiguousarray(change(rows).reshape(x.shape))


def axes_of(bench: Bench, trial: Trial, name: str) -> Axes | None:
    """Which axis of the parameter each axis of the named array follows; None: that is not known."""
    x, shape = {**trial.slot.state, **trial.slot.inputs}[name], trial.p.shape
    rule = bench.capability.rule
    if x.ndim == 0 or x.size == 0:
        return ()
    if rule in FLAT and name in trial.slot.state:
        return tuple(NEITHER for _ in range(x.ndim))
    if name in AXES.get(rule, {}) and len(shape) == 2:
        return AXES[rule][name](trial, name)
    if x.ndim == len(shape) and all(n in (1, m) for n, m in zip(x.shape, shape, strict=True)):
        return tuple(i if n == shape[i] else None for i, n in enumerate(x.shape))
    several = name in trial.slot.inputs or name in PAST.get(rule, ())
    if several and x.shape[1:] == shape:
        return (NEITHER, *range(len(shape)))
    return None


def moved(bench: Bench, trial: Trial, move: Move) -> Trial:
    """Every tensor passed through move(x, axis) along each axis of the parameter.

    Arrays whose axes are not known stay as they are.
    """
    state = {k: trial.slot.state[k] for k in trial.arrays}
    tensors = {"p": trial.p, "gradient": trial.g, **state, **trial.slot.inputs}
    return trial.on(**{k: _image(bench, trial, k, x, move) for k, x in tensors.items()})


def moved_outcome(bench: Bench, trial: Trial, out: Outcome, move: Move) -> Outcome:
    """An outcome passed through the move, and its bounds: of p and the state of known axes."""
    known = [k for k in trial.arrays if k in out.got and out.as_is(k)]
    kept = ["p", *(k for k in known if _follows(bench, trial, k))]

    def images(tensors: Mapping[str, Array]) -> dict[str, Array]:
        return {k: _image(bench, trial, k, tensors[k], move) for k in kept}

    return Outcome(images(out.got), out.state, lambda: images(out.bound))


def _follows(bench: Bench, trial: Trial, name: str) -> bool:
    if _special(bench, trial, name) or name in FLAT.get(bench.capability.rule, ()):
        return True
    return axes_of(bench, trial, name) is not None


def _special(bench: Bench, trial: Trial, name: str) -> bool:
    """Whether a tensor holds something for every axis of a parameter that has several."""
    rule = bench.capability.rule
    return trial.p.ndim > 1 and (name in SLICES.get(rule, ()) or name in MATRICES.get(rule, ()))


def _image(bench: Bench, trial: Trial, name: str, x: Array, move: Move) -> Array:
    if name in ("p", "gradient"):
        return _along(x, range(x.ndim), move)
    if _special(bench, trial, name):
        if name not in SLICES.get(bench.capability.rule, ()):
            return _of_matrices(trial, name, x, move)
        parts = np.split(x, np.cumsum(trial.p.shape)[:-1])
        return np.concatenate([move(part, i) for i, part in enumerate(parts)])
    if name in FLAT.get(bench.capability.rule, ()):
        whole = _along(x.reshape(-1, *trial.p.shape), (None, *range(trial.p.ndim)), move)
        return whole.reshape(*x.shape[:-1], -1)
    axes = axes_of(bench, trial, name)
    return x if axes is None else _along(x, axes, move)


def _of_matrices(trial: Trial, name: str, x: Array, move: Move) -> Array:
    """The square matrices of the axes that are short enough to have one, each passed through."""
    sizes = {i: n for i, n in enumerate(trial.p.shape) if n <= trial.hyper.get("max_dim", n)}
    parts = np.split(x, np.cumsum([n * n for n in sizes.values()]))
    out = [
        _along(part.reshape(n, n), (i, i if name != "bases" else None), move).reshape(-1)
        for part, (i, n) in zip(parts, sizes.items(), strict=False)
    ]
    return np.concatenate([*out, x[:0]])


def _along(x: Array, axes: Sequence[int | None], move: Move) -> Array:
    for i, axis in enumerate(axes):
        if axis is not None:
            x = np.moveaxis(move(np.moveaxis(x, i, 0), axis), 0, i)
    return np.ascontiguousarray(x) if x.ndim else x


def scaled(out: Outcome, factor: Mapping[str, Array]) -> Outcome:
    """Outputs times their factors, 1 where none is given."""

    def sized(name: str) -> NDArray[np.float64]:
        return np.abs(np.asarray(factor.get(name, 1), dtype=np.float64))

    got = {k: cast(x * factor[k], x) if k in factor else x for k, x in out.got.items()}
    bounds: Callable[[], Bounds] = lambda: {k: e * sized(k) for k, e in out.bound.items()}  # noqa: E731
    return Outcome(got, out.state, bounds)


def cast(x: Array, like: Array) -> Array:
    """x in the format of another array."""
    return np.asarray(x).astype(np.asarray(like).dtype)


def times(x: Array, c: float) -> Array:
    """An input times a power of two; Undecided where one of its numbers leaves the format's range.

    An underflow of one is no reason: what is near zero says as little as zero does.
    """
    with np.errstate(over="ignore"):
        image = cast(np.asarray(x).astype(np.float64) * c, x)
    if not np.array_equal(np.isfinite(image), np.isfinite(x)):
        raise Undecided("a scaled input leaves the range")
    return image


def rotated(x: Array) -> Array:
    """Every four neighbours along the last axis rotated by HADAMARD; a rest of them stays."""
    n = 4 * (x.shape[-1] // 4)
    if n == 0:
        return exact(x)
    turned = exact(x[..., :n]).reshape(-1, 4) @ exact(HADAMARD)
    return np.concatenate([turned.reshape(x[..., :n].shape), exact(x[..., n:])], axis=-1)


def spread(bound: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bounds on rotated numbers from bounds on the numbers."""
    n = 4 * (bound.shape[-1] // 4)
    turned = bound[..., :n].reshape(-1, 4) @ np.abs(HADAMARD)
    return np.concatenate([turned.reshape(bound[..., :n].shape), bound[..., n:]], axis=-1)


def coarse(x: Array) -> Array:
    """Small integers in the numbers' place, whose sums are exact in every format."""
    wide = np.nan_to_num(np.asarray(x, dtype=np.float64))
    size = np.max(np.abs(wide), initial=0.0)
    return cast(np.clip(np.rint(wide * (4 / size if size > 0 else 0.0)), -4, 4), x)
