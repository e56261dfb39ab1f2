"""Symmetries that every rule is asked about: images of a trial, and the images of its step."""

from collections.abc import Sequence

import numpy as np

from truestep.properties.kinds.optimizer.laws.bench import Bench, Outcome, Trial, exact
from truestep.properties.kinds.optimizer.laws.images import (
    MATRICES,
    among_elements,
    behaviour,
    by_element,
    cast,
    coarse,
    moved,
    moved_outcome,
    rotated,
    scaled,
    spread,
)
from truestep.properties.kinds.optimizer.laws.scales import (
    ODD_INPUTS,
    gradient_scaled,
    like_p,
    odd_like_p,
)
from truestep.properties.laws.claims import SCALE, Claim, Claims
from truestep.reference.validation import Array


def equivariant_under_concatenation(bench: Bench, trial: Trial) -> Claims:
    """Stepping two tensors joined along their first axis is joining their steps."""
    cut = max(1, len(trial.p) // 3)
    parts = (slice(None, cut), slice(cut, None))
    if bench.capability.rule in MATRICES:
        yield from _joined_from_rest(bench, trial, parts)
        return
    whole = bench.step(trial)
    for keep in parts:

        def part(x: Array, axis: int, keep: slice = keep) -> Array:
            return x if axis else x[keep].copy()

        out = bench.step(moved(bench, trial, part))
        expected = moved_outcome(bench, trial, whole, part)
        yield from bench.agree(expected, out, bitwise=not bench.fused, names=list(expected.got))


def _joined_from_rest(bench: Bench, trial: Trial, parts: Sequence[slice]) -> Claims:
    """Of rules whose state for a tensor cannot be cut: two steps from the fresh states."""
    gradients = [trial.g, trial.g[::-1] / 2]
    whole = bench.run(trial.fresh(), gradients)[-1]
    for keep in parts:
        start = trial.fresh(p=trial.p[keep].copy())
        out = bench.run(start, [np.ascontiguousarray(g[keep]) for g in gradients])[-1]
        yield Claim("p", whole.p[keep], out.wide("p"), whole.bound["p"][keep] + out.bound["p"])


def equivariant_under_permutation(bench: Bench, trial: Trial) -> Claims:
    """Permuting the elements permutes the step."""
    size = trial.p.size
    order = trial.rng.permutation(size)

    def turned(x: Array) -> Array:
        return among_elements(x, size, lambda rows: rows[:, order])

    out = bench.step(trial)
    names = by_element(bench, trial)
    tensors = {"p": trial.p, "gradient": trial.g, **{k: trial.slot.state[k] for k in names}}
    tensors |= like_p(trial)
    image = bench.step(trial.on(**{k: turned(x) for k, x in tensors.items()}))
    for name in ("p", *(k for k in names if k in out.got)):
        bound = turned(out.bound[name]) + image.bound[name] if bench.fused else None
        yield Claim(name, turned(out.got[name]), image.got[name], bound)


def equivariant_under_permuted_axes(bench: Bench, trial: Trial) -> Claims:
    """Permuting the rows, and by another order the columns, permutes those of the step."""
    orders = [trial.rng.permutation(n) for n in trial.p.shape]

    def turned(x: Array, axis: int) -> Array:
        return x[orders[axis]]

    out, image = bench.step(trial), bench.step(moved(bench, trial, turned))
    expected = moved_outcome(bench, trial, out, turned)
    yield from bench.agree(expected, image, bitwise=not bench.fused, names=list(expected.got))


def equivariant_under_reflection(bench: Bench, trial: Trial) -> Claims:
    """Flipping signs of single elements flips those of the step."""
    size = trial.p.size
    signs = trial.rng.choice([-1, 1], size=size)

    def flipped(x: Array) -> Array:
        return cast(among_elements(x, size, lambda rows: rows * signs), x)

    names = [k for k in by_element(bench, trial) if behaviour(bench, k).odd]
    tensors = {"p": trial.p, "gradient": trial.g, **{k: trial.slot.state[k] for k in names}}
    tensors |= odd_like_p(trial)
    out = bench.step(trial)
    image = bench.step(trial.on(**{k: flipped(x) for k, x in tensors.items()}))
    for name in _judged(trial, out):
        left = out.got[name]
        if name in ("p", *names):
            left = flipped(left)
        elif behaviour(bench, name).odd:
            continue
        bound = out.bound[name] + image.bound[name] if bench.fused else None
        yield Claim(name, left, image.got[name], bound)


def odd(bench: Bench, trial: Trial) -> Claims:
    """Negating parameter, gradient and odd state negates the step."""
    names = [k for k in trial.arrays if behaviour(bench, k).odd]
    tensors = {"p": trial.p, "gradient": trial.g, **{k: trial.slot.state[k] for k in names}}
    tensors |= {k: x for k, x in trial.slot.inputs.items() if k in ODD_INPUTS}
    out = bench.step(trial)
    image = bench.step(trial.on(**{k: -x for k, x in tensors.items()}))
    expected = scaled(out, {"p": -1, **{k: -1 for k in names if k in out.got}})
    elementwise = bench.rule.FACTS.elementwise
    yield from bench.agree(expected, image, bitwise=elementwise, names=_judged(trial, out))


def _judged(trial: Trial, out: Outcome) -> list[str]:
    """p and the arrays of the state that are judged as they are."""
    return ["p", *(k for k in trial.arrays if k in out.got and out.as_is(k))]


def equivariant_under_rotation(bench: Bench, trial: Trial) -> Claims:
    """Rotating parameter, gradient and state rotates the step (Hadamard's matrix, exact here)."""
    size = trial.p.size
    order = trial.rng.permutation(size)

    def whole(x: Array) -> Array:
        return cast(2 * coarse(x), x)

    def turned(x: Array) -> Array:
        return rotated(x.reshape(-1, size)[:, order])

    def image_of(x: Array) -> Array:
        back = np.empty((x.size // size, size))
        back[:, order] = turned(x).v
        return cast(back.reshape(x.shape), x)

    names = by_element(bench, trial)
    start = trial.flat(1.0)
    tensors = {"p": start.p, "gradient": start.g, **{k: start.slot.state[k] for k in names}}
    tensors |= odd_like_p(start)
    start = start.on(**{k: whole(x) for k, x in tensors.items()})
    out = bench.step(start)
    image = bench.step(start.on(**{k: image_of(whole(x)) for k, x in tensors.items()}))
    for name in ("p", *(k for k in names if k in out.got)):
        left = turned(out.got[name])
        right = image.wide(name).reshape(-1, size)[:, order]
        off = spread(out.bound[name].reshape(-1, size)[:, order])
        other = image.bound[name].reshape(-1, size)[:, order]
        yield Claim(name, left.v, right, left.e + off + other)


def maximizing_is_minimizing_the_negated_gradient(bench: Bench, trial: Trial) -> Claims:
    """maximize with g and not maximize with -g are the same step, weight decay included."""
    out = bench.step(trial.where(maximize=True))
    image = bench.step(trial.where(maximize=False).opposed())
    yield from bench.agree(out, image, bitwise=bench.rule.FACTS.elementwise)


def homogeneous_in_gradient_and_eps(bench: Bench, trial: Trial) -> Claims:
    """Scaling g, eps, a coupled decay, and the state by its degrees leaves p' as it was."""
    yield from _scaled_alike(bench, trial, gradient_scaled(bench, trial, SCALE))


def scale_invariant_when_eps_is_zero(bench: Bench, trial: Trial) -> Claims:
    """Without eps and coupled decay, scaling g and its state leaves p' as it was."""
    bare = trial.where(eps=0.0, eps1=0.0)
    yield from _scaled_alike(bench, bare, gradient_scaled(bench, bare, SCALE))


def _scaled_alike(bench: Bench, trial: Trial, image: Trial) -> Claims:
    out = bench.step(trial)
    factor = {k: SCALE ** behaviour(bench, k).degree for k in trial.arrays}
    judged = _judged(trial, out)
    yield from bench.agree(
        scaled(out, {k: x for k, x in factor.items() if k in out.got and x != 1}),
        bench.step(image),
        bitwise=False,
        names=judged,
    )


def translates_with_params(bench: Bench, trial: Trial) -> Claims:
    """Without decay, the step does not depend on where the parameter is."""
    points = [k for k in trial.arrays if behaviour(bench, k).moves]
    start = trial.plain().flat()
    # Integers, whose differences are exact: points of the state are shifted with the parameter.
    start = start.on(p=coarse(trial.p), **{k: coarse(trial.slot.state[k]) for k in points})
    at = {k: start.p.reshape(start.slot.state[k].shape) for k in points}
    shifted = {k: cast(start.slot.state[k] - at[k], start.slot.state[k]) for k in points}
    home = start.on(p=start.p * 0, **shifted)
    a, b = bench.step(home), bench.step(start)
    for name in _judged(trial, a):
        if name == "p" or name in points:
            left = exact(a.got[name]) + exact(at.get(name, start.p))
            yield Claim(name, left.v, b.wide(name), left.e + a.bound[name] + b.bound[name])
        else:
            bound = a.bound[name] + b.bound[name] if points else None
            yield Claim(name, a.got[name], b.got[name], bound)
