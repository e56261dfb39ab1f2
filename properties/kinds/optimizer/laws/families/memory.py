"""Rules that keep less than one number for each element: their laws, and which they obey."""

from collections.abc import Mapping
from typing import cast as typed

import numpy as np

from truestep.properties.arithmetic.bounded import Bounded
from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Outcome, Trial, at_most, exact
from truestep.properties.kinds.optimizer.laws.images import cast, rotated, spread
from truestep.properties.kinds.optimizer.laws.rows import ZEROS, G, P, Row, fails
from truestep.properties.kinds.optimizer.storage import StoredRule
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import holds, obeys
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
    kept, rule = trial.hyper.get("storage", {}).items(), typed(StoredRule, bench.rule)
    block = max((rule.quantizer(name).length(how) for name, how in kept), default=64)

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
    for name in (k for k in whole.got if whole.got[k].size > parts[0].got[k].size):
        left = np.concatenate([x.got[name] for x in parts])
        bound = np.concatenate([x.bound[name] for x in parts]) + whole.bound[name]
        yield Claim(name, left, whole.got[name], bound if bench.fused else None)


_COLUMNS = fails("rows share what is kept of the columns", P, G)
_DECAYED = fails("the decay enters the gradient", 2, 1, weight_decay=0.5)
_FACTORED = fails("rows and columns share their second moment", P, G)
_SCALED = fails("the step is scaled by the parameter", 8, 1)
_SCALED_BY_PARAMS = fails("the step is scaled by the parameter", 3, 1)
_FACTORING: Row = {
    **rows.ADAPTIVE,
    **obeys("rows_and_columns_have_one_mean"),
    "equivariant_under_concatenation": _COLUMNS,
    "equivariant_under_permutation": _FACTORED,
}

RULES: dict[str, Row] = {
    "adafactor": {
        **_FACTORING,
        "decay_alone_is_geometric": holds(decay="before unscaled"),
        "first_step_is_at_most_lr": _SCALED,
        "first_step_of_a_rank_one_matrix_is_flat": holds({"eps1": 0.0, "min_size": 0}),
        "first_step_of_a_rank_one_matrix_shows_its_confidence": fails(
            "the update is not divided by its own instability", ZEROS, ((1, 2), (2, 4))
        ),
        "linear_in_lr_when_params_are_zero": holds(momentum="none of_update", step_size="constant"),
        "params_unchanged_when_lr_is_zero": holds(
            decay="before step", momentum="none of_update", step_size="relative constant"
        ),
        "rms_of_step_is_clipped": holds(
            clip="rms",
            momentum="none of_update",
            parameter_scale="rms rms_after_decay",
            step_size="relative constant",
        ),
        "rows_and_columns_have_one_mean": holds({"min_size": 0}),
        "state_independent_of_params": holds(momentum="none of_update"),
        "state_independent_of_weight_decay": holds(parameter_scale="rms none"),
        "step_scales_with_params": holds({"eps2": 0.0}, parameter_scale="rms rms_after_decay"),
        "translates_with_params": holds(parameter_scale="none"),
    },
    "adalomo": {
        **_FACTORING,
        **obeys(
            "rms_of_step_is_clipped state_independent_of_params state_independent_of_weight_decay"
        ),
        "decay_alone_is_geometric": fails(
            "the decay is scaled by the parameter", 3, 0, weight_decay=0.5
        ),
        "first_step_is_at_most_lr": _SCALED,
        "first_step_of_a_rank_one_matrix_is_flat": holds({"eps1": 0.0}),
        "step_scales_with_params": holds({"eps2": 0.0}),
        "translates_with_params": _SCALED_BY_PARAMS,
    },
    "adam_mini": {
        **rows.ADAPTIVE,
        **rows.DECOUPLED,
        "becomes_adamw": holds(blocks="elements"),
        "equivariant_under_concatenation": holds(blocks="rows elements"),
        "equivariant_under_permutation": holds(blocks="tensor elements"),
        "equivariant_under_permuted_axes": holds(blocks="rows tensor elements"),
        "equivariant_under_rotation": holds(blocks="tensor"),
        "equivariant_under_rotation_of_rows": holds(blocks="rows tensor"),
        "first_step_is_at_most_lr": holds(blocks="elements"),
        "first_step_of_every_row_has_rms_lr": holds(blocks="rows"),
        # Half of a tensor may not have as many heads.
        "independent_of_other_tensors": holds({"heads": 1}),
    },
    "came": {
        **_FACTORING,
        **rows.decoupled("before"),
        "first_step_is_at_most_lr": fails(
            "an average that begins at zero divides", ((0,),), ((1,),)
        ),
        "first_step_of_a_rank_one_matrix_is_flat": holds({"eps1": 0.0}),
        "first_step_of_a_rank_one_matrix_shows_its_confidence": holds({"eps2": 0.0}),
    },
    "lomo": {
        **rows.SYMMETRIC,
        **rows.DECOUPLED,
        "equivariant_under_concatenation": holds(clip="none value"),
        "equivariant_under_rotation": holds(clip="none norm"),
        "first_step_is_at_most_lr": holds(
            {"clip_norm": 1.0, "clip_value": 1.0}, clip="value norm both"
        ),
        "first_step_is_plain_descent": holds({"loss_scale": 1.0}, clip="none"),
        "homogeneous_in_gradient_and_eps": rows.PROPORTIONAL,
        "linear_in_gradients": holds(clip="none"),
        "scale_invariant_when_eps_is_zero": rows.PROPORTIONAL,
        "step_is_parallel_to_the_gradient": holds(clip="none norm"),
    },
    "sm3": {
        **_FACTORING,
        **obeys("velocity_persists_when_gradients_vanish"),
        "accumulators_cover_the_sum_of_squares": holds(accumulator="sum"),
        "accumulators_never_decrease": holds(accumulator="sum average_held"),
        "decay_alone_is_geometric": fails(
            "a coupled decay passes through the adaptive step, which forgets its size",
            (1, -3),
            (0, 0),
            weight_decay=0.5,
        ),
        "denominator_covers_the_gradient": holds(accumulator="sum"),
        "equivariant_under_permutation": fails(
            "rows and columns share what is kept", P, G, {"t": 3, "mu": (1, 2, 3, 4)}
        ),
        "first_step_is_at_most_lr": holds(accumulator="sum"),
        "rows_and_columns_have_one_mean": fails(
            "maxima are kept, not means", ZEROS, ((1, 2), (1, 3))
        ),
        "squares_over_roots_telescope": holds({"momentum": 0.0}, accumulator="sum"),
        "state_independent_of_params": _DECAYED,
        "state_independent_of_weight_decay": _DECAYED,
    },
}
