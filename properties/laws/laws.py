"""Algebraic invariants: a law's name says the conclusion, then after "when" the hypotheses.

No law names a rule: which rule obeys which law stands in table.py. A law prepares the trial that
its hypotheses need, runs the kernel on it and on its image, and claims that the results correspond.
DEGREES gives for each state tensor the power of the gradient's scale in which it grows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from truestep.properties.laws.claims import Bench, Claim, Law, Outcome, Trial

# A power of two: scaling by it is exact, so that homogeneity holds bit for bit.
_SCALE = 2.0**6


def _degrees(bench: Bench) -> Mapping[str, int]:
    return DEGREES[bench.capability.rule]


def _cast(x: Any, like: Any) -> Any:
    return np.asarray(x).astype(like.dtype)


def _signed(trial: Trial, degrees: Mapping[str, int], signs: Any) -> Trial:
    """p, g and the tensors of odd degree times the signs."""
    odd = {k: trial.slot.state[k] for k in trial.arrays if degrees[k] % 2}
    tensors = {"p": trial.slot.param, "g": trial.slot.grad, **odd}
    return trial.on(**{k: _cast(x * signs, x) for k, x in tensors.items()})


def _mapped(out: Outcome, factor: Mapping[str, Any]) -> Outcome:
    """Outputs times their factors."""
    return Outcome(
        {k: _cast(x * factor.get(k, 1), x) for k, x in out.got.items()},
        {k: e * np.abs(np.asarray(factor.get(k, 1), dtype=float)) for k, e in out.bound.items()},
    )


def deterministic(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """The same call twice gives the same bits."""
    yield from bench.agree(bench.step(trial), bench.step(trial), bitwise=True)


def independent_of_other_tensors(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """A tensor's step is the same alone and among others, in one group and in several."""
    alone = bench.step(trial)
    other = trial.each(lambda x: x.reshape(-1)[: x.size // 2].copy())
    second = trial.where(lr=trial.hyper["lr"] / 2)
    bitwise = not bench.fused
    for outcome in (
        bench.step_all([other, trial])[1],
        bench.step_all([trial, other], together=True)[0],
        bench.step_all([second, trial])[1],
    ):
        yield from bench.agree(alone, outcome, bitwise=bitwise)


def equivariant_under_concatenation(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """Stepping two tensors joined is joining their steps."""
    flat = trial.each(lambda x: x.reshape(-1))
    cut = flat.slot.param.size // 3
    parts = [flat.each(lambda x: x[:cut].copy()), flat.each(lambda x: x[cut:].copy())]
    whole = bench.step(flat)
    first, second = (bench.step(part) for part in parts)
    joined = Outcome(
        {k: np.concatenate([first.got[k], second.got[k]]) for k in whole.got},
        {k: np.concatenate([first.bound[k], second.bound[k]]) for k in whole.got},
    )
    yield from bench.agree(whole, joined, bitwise=not bench.fused)


def equivariant_under_permutation(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """Permuting the elements permutes the step."""
    flat = trial.each(lambda x: x.reshape(-1))
    order = trial.rng.permutation(flat.slot.param.size)
    out, image = bench.step(flat), bench.step(flat.each(lambda x: x[order].copy()))
    moved = Outcome(
        {k: x[order] for k, x in out.got.items()}, {k: e[order] for k, e in out.bound.items()}
    )
    yield from bench.agree(moved, image, bitwise=not bench.fused)


def odd(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """Negating parameter, gradient and odd state negates the step."""
    degrees = _degrees(bench)
    out, image = bench.step(trial), bench.step(_signed(trial, degrees, -1))
    factor = {"p": -1, **{k: (-1) ** d for k, d in degrees.items()}}
    yield from bench.agree(_mapped(out, factor), image, bitwise=True)


def equivariant_under_reflection(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """Flipping signs of single elements flips those of the step."""
    degrees = _degrees(bench)
    signs = trial.rng.choice([-1, 1], size=trial.slot.param.shape)
    out, image = bench.step(trial), bench.step(_signed(trial, degrees, signs))
    factor = {"p": signs, **{k: signs**d for k, d in degrees.items()}}
    yield from bench.agree(_mapped(out, factor), image, bitwise=not bench.fused)


def maximizing_is_minimizing_the_negated_gradient(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """maximize with g and not maximize with -g are the same step, weight decay included."""
    out = bench.step(trial.where(maximize=True))
    image = bench.step(trial.where(maximize=False).on(g=-trial.slot.grad))
    yield from bench.agree(out, image, bitwise=True)


def homogeneous_in_gradient_and_eps(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """Scaling g, eps, a coupled decay, and the state by its degrees leaves p' as it was."""
    degrees = _degrees(bench)
    eps = trial.hyper["eps"]
    power = 2 if trial.hyper.get("eps_placement") == "inside" else 1
    coupled = trial.hyper.get("decay", _default(bench, "decay")) == "coupled"
    decay = trial.hyper["weight_decay"] * (_SCALE if coupled else 1)
    image = trial.where(eps=eps * _SCALE**power, weight_decay=decay)
    yield from _scaled_alike(bench, trial, image, degrees)


def scale_invariant_when_eps_is_zero(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """Without eps and coupled decay, scaling g and its state leaves p' as it was."""
    coupled = trial.hyper.get("decay", _default(bench, "decay")) == "coupled"
    bare = trial.where(eps=0.0, **({"weight_decay": 0.0} if coupled else {}))
    yield from _scaled_alike(bench, bare, bare, _degrees(bench))


def _scaled_alike(
    bench: Bench, trial: Trial, image: Trial, degrees: Mapping[str, int]
) -> Iterator[Claim]:
    image = image.on(g=_cast(trial.slot.grad * _SCALE, trial.slot.grad))
    state = trial.slot.state
    image = image.on(**{k: _cast(state[k] * _SCALE**d, state[k]) for k, d in degrees.items()})
    factor = {k: _SCALE**d for k, d in degrees.items()}
    out = _mapped(bench.step(trial), factor)
    yield from bench.agree(out, bench.step(image), bitwise=False)


def linear_in_lr_when_params_are_zero(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """From p = 0, doubling lr doubles the step exactly."""
    start = trial.on(p=trial.slot.param * 0)
    out = bench.step(start)
    image = bench.step(start.where(lr=2 * trial.hyper["lr"]))
    doubled = _mapped(out, {"p": 2})
    yield from bench.agree(doubled, image, bitwise=False, names=["p"])


def linear_in_gradients(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """Without decay, from fresh states, the step of g + h is the sum of the steps of g and h."""
    start = trial.fresh().where(weight_decay=0.0)
    start = start.on(p=trial.slot.param * 0, g=_coarse(trial.slot.grad))
    other = start.on(g=_coarse(trial.slot.grad[::-1] if trial.slot.grad.ndim else trial.slot.grad))
    both = start.on(g=_cast(start.slot.grad + other.slot.grad, start.slot.grad))
    a, b, c = (bench.step(t) for t in (start, other, both))
    for name in a.got:
        left = a.got[name].astype(np.float64) + b.got[name].astype(np.float64)
        right = c.got[name].astype(np.float64)
        yield Claim(name, left, right, a.bound[name] + b.bound[name] + c.bound[name])


def _coarse(g: Any) -> Any:
    """Small integers in the gradient's place, whose sums are exact in every format."""
    return _cast(np.clip(np.rint(np.nan_to_num(np.asarray(g, dtype=float))), -4, 4), g)


def equivariant_under_rotation(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """Rotating parameter, gradient and state rotates the step (Hadamard's matrix, exact here)."""
    hadamard = np.asarray([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    n = 4 * (trial.slot.param.size // 4)

    def whole(x: Any) -> Any:
        return 2 * _coarse(x.reshape(-1)[:n])

    def turned(x: Any) -> Any:
        return (x.reshape(-1, 4).astype(np.float64) @ hadamard).reshape(-1)

    start = trial.each(whole)
    out = bench.step(start)
    image = bench.step(start.each(lambda x: _cast(turned(x), x)))
    for name in out.got:
        spread = (out.bound[name].reshape(-1, 4) @ np.abs(hadamard)).reshape(-1)
        left, right = turned(out.got[name]), image.got[name].astype(np.float64)
        yield Claim(name, left, right, spread + image.bound[name])


def params_unchanged_when_gradients_are_zero(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """From the fresh state, with no decay, zero gradients leave p bit for bit as it was."""
    start = trial.fresh().where(weight_decay=0.0).on(g=trial.slot.grad * 0)
    yield Claim("p", bench.step(start).p, start.slot.param)


def params_unchanged_when_lr_is_zero(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """lr = 0 leaves p bit for bit as it was, whatever the gradient and the decay."""
    start = trial.where(lr=0.0)
    yield Claim("p", bench.step(start).p, start.slot.param)


def state_independent_of_params(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """The new state does not depend on the parameter: the decay is decoupled."""
    other = trial.on(p=_cast(1 - trial.slot.param, trial.slot.param))
    a, b = bench.step(trial), bench.step(other)
    yield from bench.agree(a, b, bitwise=True, names=trial.arrays)


def state_independent_of_weight_decay(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """The new state does not depend on the weight decay."""
    other = trial.where(weight_decay=trial.hyper["weight_decay"] / 2)
    a, b = bench.step(trial), bench.step(other)
    yield from bench.agree(a, b, bitwise=True, names=trial.arrays)


def even_state_is_nonnegative(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """Sums of squares are never negative."""
    out = bench.step(trial)
    for name, degree in _degrees(bench).items():
        if degree % 2 == 0:
            x = out.got[name]
            yield Claim(name, np.minimum(x, 0), x * 0)


def maximum_never_decreases(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """The stored maximum is at least what it was."""
    out = bench.step(trial)
    was = trial.slot.state["v_max"]
    yield Claim("v_max", np.maximum(out.got["v_max"], was), out.got["v_max"])


def first_step_is_at_most_lr(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """From the fresh state and p = 0, no element moves by more than lr."""
    start = trial.fresh().where(weight_decay=0.0).on(p=trial.slot.param * 0)
    out = bench.step(start)
    moved = np.abs(out.p.astype(np.float64))
    limit = np.full_like(moved, trial.hyper["lr"])
    yield Claim("p", np.maximum(moved, limit), limit, out.bound["p"])


def decay_alone_is_geometric(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """Zero gradients from the fresh state: the decay multiplies every element by one factor."""
    start = trial.fresh().on(g=trial.slot.grad * 0)
    out = bench.step(start)
    twice = bench.step(start.on(p=_cast(2 * start.slot.param, start.slot.param)))
    yield Claim("p", _cast(2 * out.p, out.p), twice.p, 2 * out.bound["p"] + twice.bound["p"])


def translates_with_params(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """Without decay, the step does not depend on where the parameter is."""
    start = trial.where(weight_decay=0.0)
    home = start.on(p=trial.slot.param * 0)
    a, b = bench.step(home), bench.step(start)
    left = a.p.astype(np.float64) + trial.slot.param.astype(np.float64)
    yield Claim("p", left, b.p.astype(np.float64), a.bound["p"] + b.bound["p"])
    yield from bench.agree(a, b, bitwise=True, names=trial.arrays)


def resumes_bitwise_from_state(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """Two steps are the same with the kernel put to other work between them, from copies."""

    def after(out: Outcome) -> Trial:
        copied = {k: x.copy() for k, x in out.got.items()}
        moved = trial.on(**copied, g=-trial.slot.grad)
        state = {**moved.slot.state, "t": int(trial.slot.state["t"]) + 1}
        return moved.on(**state)

    straight = bench.step(after(bench.step(trial)))
    half = bench.step(trial)
    bench.step(trial.fresh().where(lr=trial.hyper["lr"] / 2))
    yield from bench.agree(straight, bench.step(after(half)), bitwise=True)


def step_within_the_cauchy_schwarz_bound(bench: Bench, trial: Trial) -> Iterator[Claim]:
    """From the fresh state no element moves by more than lr B_t, attained by growing gradients.

    B_t = (1 - beta1) / (1 - beta1^t) sqrt((1 - beta2^t) / (1 - beta2) (1 - r^t) / (1 - r)) with
    r = beta1^2 / beta2 (Cauchy and Schwarz on the two moments); the gradients (beta1 / beta2)^-t
    attain it.
    """
    beta1, beta2 = trial.hyper["beta1"], trial.hyper["beta2"]
    if beta1 == 0 or beta1**2 >= beta2:
        return
    zero = trial.slot.param * 0
    at = trial.fresh().where(weight_decay=0.0).on(p=zero)
    for t in range(1, 5):
        g = _cast(np.sign(trial.slot.grad) * (beta2 / beta1) ** -t, zero)
        at = at.on(g=g, p=zero)
        out = bench.step(at)
        r = beta1**2 / beta2
        limit = (1 - beta1) / (1 - beta1**t)
        limit *= np.sqrt((1 - beta2**t) / (1 - beta2) * (1 - r**t) / (1 - r))
        moved = np.abs(out.p.astype(np.float64))
        most = np.full_like(moved, trial.hyper["lr"] * limit)
        yield Claim("p", np.maximum(moved, most), most, out.bound["p"])
        at = at.on(**{k: x for k, x in out.got.items() if k != "p"}, t=t)


def _default(bench: Bench, field: str) -> Any:
    return getattr(bench.rule.Hyper(), field, None)


# State tensors by the power of the gradient's scale in which they grow.
DEGREES: dict[str, dict[str, int]] = {
    "adam": {"m": 1, "v": 2},
    "adamw": {"m": 1, "v": 2},
    "amsgrad": {"m": 1, "v": 2, "v_max": 2},
    "nesterov": {"u": 1},
    "sgd": {"b": 1},
}

LAWS: dict[str, Law] = {
    "decay_alone_is_geometric": decay_alone_is_geometric,
    "deterministic": deterministic,
    "equivariant_under_concatenation": equivariant_under_concatenation,
    "equivariant_under_permutation": equivariant_under_permutation,
    "equivariant_under_reflection": equivariant_under_reflection,
    "equivariant_under_rotation": equivariant_under_rotation,
    "even_state_is_nonnegative": even_state_is_nonnegative,
    "first_step_is_at_most_lr": first_step_is_at_most_lr,
    "homogeneous_in_gradient_and_eps": homogeneous_in_gradient_and_eps,
    "independent_of_other_tensors": independent_of_other_tensors,
    "linear_in_gradients": linear_in_gradients,
    "linear_in_lr_when_params_are_zero": linear_in_lr_when_params_are_zero,
    "maximizing_is_minimizing_the_negated_gradient": maximizing_is_minimizing_the_negated_gradient,
    "maximum_never_decreases": maximum_never_decreases,
    "odd": odd,
    "params_unchanged_when_gradients_are_zero": params_unchanged_when_gradients_are_zero,
    "params_unchanged_when_lr_is_zero": params_unchanged_when_lr_is_zero,
    "resumes_bitwise_from_state": resumes_bitwise_from_state,
    "scale_invariant_when_eps_is_zero": scale_invariant_when_eps_is_zero,
    "state_independent_of_params": state_independent_of_params,
    "state_independent_of_weight_decay": state_independent_of_weight_decay,
    "step_within_the_cauchy_schwarz_bound": step_within_the_cauchy_schwarz_bound,
    "translates_with_params": translates_with_params,
}
