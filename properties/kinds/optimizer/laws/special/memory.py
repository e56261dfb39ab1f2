"""Laws of rules that keep less than one number for each element, or keep it in eight bits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.kinds.optimizer.laws.bench import Bench, Outcome, Trial, at_most, exact
from truestep.properties.kinds.optimizer.laws.images import cast, rotated, spread
from truestep.properties.laws.claims import Claim, Claims
from truestep.reference.optimizers import sm3
from truestep.reference.validation import Array


def _sides(trial: Trial, x: Mapping[str, Array]) -> tuple[Array, Array]:
    """What is kept of the rows and of the columns of a matrix."""
    if "r" in x:
        return x["r"], x["c"]
    rows = len(trial.p)
    return x["mu"][:rows], x["mu"][rows:]


def rows_and_columns_have_one_mean(bench: Bench, trial: Trial) -> Claims:
    """The factors of a matrix's second moment have the same mean: that of the squares."""
    start = trial.fresh(trial.t)
    out = bench.step(start)
    (r, c), (r_bound, c_bound) = _sides(start, out.got), _sides(start, out.bound)
    means: list[Array] = [np.mean(exact(x)) for x in (r, c)]
    left, right = means
    name = "r" if "r" in out.got else "mu"
    slack = np.mean(r_bound) + np.mean(c_bound)
    yield Claim(name, left.v, right.v, left.e + right.e + slack)


def _rank_one(trial: Trial) -> Array:
    """A matrix a b^T of signed powers of two, in the place of the gradient."""
    rng = trial.rng
    a, b = (rng.choice([-1, 1], n) * 2.0 ** rng.integers(-3, 4, n) for n in trial.p.shape)
    return cast(np.outer(a, b), trial.p)


def first_step_of_a_rank_one_matrix_is_flat(bench: Bench, trial: Trial) -> Claims:
    """If |g| is a product of rows and columns, so is its second moment, and every element of the
    first step has one size.
    """
    start = trial.plain().fresh(p=trial.p * 0, gradient=_rank_one(trial))
    out = bench.step(start)
    size, bound = np.abs(out.wide("p")), out.bound["p"]
    yield Claim("p", size, np.full_like(size, size[0, 0]), bound + bound[0, 0])


def first_step_of_a_rank_one_matrix_shows_its_confidence(bench: Bench, trial: Trial) -> Claims:
    """Of g = a b^T every element moves by lr (1 - beta1) / (beta1 sqrt(1 - beta3)) at first."""
    start = trial.plain().fresh(p=trial.p * 0, gradient=_rank_one(trial))
    out = bench.step(start)
    beta1 = trial.hyper["beta1"]
    beta3 = trial.hyper.get("beta3", trial.hyper.get("beta2", 0.0))
    size = trial.hyper["lr"] * (1 - beta1) / (beta1 * np.sqrt(exact(1 - beta3)))
    moved = np.abs(exact(out.p))
    yield Claim(
        "p", moved.v, np.broadcast_to(size.v, moved.shape), moved.e + size.e + out.bound["p"]
    )


def rms_of_step_is_clipped(bench: Bench, trial: Trial) -> Claims:
    """From p = 0 the step's root mean square is at most lr, eps2 and clip_threshold multiplied."""
    start = trial.plain().on(p=trial.p * 0)
    out = bench.step(start)
    size = np.sqrt(np.mean(exact(out.p) * exact(out.p)))
    h = trial.hyper
    limit = exact(h["lr"]) * h.get("eps2", 1.0) * h.get("clip_threshold", 1.0)
    yield at_most("p", size, limit, np.sqrt(np.mean(out.bound["p"] ** 2)))


def equivariant_under_rotation_of_rows(bench: Bench, trial: Trial) -> Claims:
    """Multiplying a matrix by an orthogonal one from the right does so with the step."""
    n = 4 * max(1, trial.p.shape[1] // 4)

    def whole(x: Array) -> Array:
        wide = np.asarray(x, dtype=np.float64)
        return cast(2 * np.rint(4 * np.tanh(np.resize(wide, (len(x), n)))), x)

    start = trial.fresh(p=whole(trial.p), gradient=whole(trial.g))
    image = start.fresh(
        p=cast(rotated(start.p).v, start.p), gradient=cast(rotated(start.g).v, start.g)
    )
    out, turned = bench.step(start), bench.step(image)
    left = rotated(out.p)
    bound = left.e + spread(out.bound["p"]) + turned.bound["p"]
    yield Claim("p", left.v, turned.wide("p"), bound)


def first_step_of_every_row_has_rms_lr(bench: Bench, trial: Trial) -> Claims:
    """The root mean square of a row's first step is lr s / (s + eps), s that of its gradient."""
    start = trial.plain().fresh(p=trial.p * 0)
    out = bench.step(start)
    s = np.sqrt(np.mean(exact(start.g) * exact(start.g), axis=1))
    moved = np.sqrt(np.mean(exact(out.p) * exact(out.p), axis=1))
    expected = trial.hyper["lr"] * (s / (s + trial.hyper["eps"]))
    slack = np.sqrt(np.mean(out.bound["p"] ** 2, axis=1))
    yield Claim("p", moved.v, expected.v, moved.e + expected.e + slack)


def accumulators_cover_the_sum_of_squares(bench: Bench, trial: Trial) -> Claims:
    """What is kept for an element is at least the sum of all its squared gradients."""
    start = trial.plain().fresh()
    gradients = [start.g, start.g / 2, start.g[::-1].copy()]
    out = bench.run(start, gradients)[-1]
    total = sum((exact(g) * exact(g) for g in gradients[1:]), exact(start.g) * exact(start.g))
    name = next(k for k in ("mu", "total", "v") if k in out.got)

    def cover(x: Array) -> Array:
        return sm3.least(x, start.p.shape) if name == "mu" else x

    covered: Bounded = exact(cover(out.got[name]))
    yield at_most(name, total, covered, cover(out.bound[name]))


def equivariant_under_concatenation_of_whole_blocks(bench: Bench, trial: Trial) -> Claims:
    """Stepping two tensors of whole blocks joined is joining their steps."""
    kept = trial.hyper.get("storage", {})
    block = max((how.block_size for how in kept.values()), default=64)

    def part(seed: int) -> Trial:
        rng = np.random.default_rng((trial.seed, seed))
        p, g = (cast(rng.standard_normal(block) * 2.0**-seed, trial.p) for _ in range(2))
        return trial.fresh(p=p, gradient=g)

    first, second = part(0), part(5)
    joined = first.fresh(
        p=np.concatenate([first.p, second.p]), gradient=np.concatenate([first.g, second.g])
    )
    parts: list[Outcome] = [bench.step(first), bench.step(second)]
    whole = bench.step(joined)
    for name in ("p", *(k for k in whole.got if k != "p" and whole.got[k].ndim)):
        left = np.concatenate([x.got[name] for x in parts])
        bound = np.concatenate([x.bound[name] for x in parts]) + whole.bound[name]
        yield Claim(name, left, whole.got[name], bound if bench.fused else None)
