"""Rules that see a matrix through a projection of it: their laws, and which they obey."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import (
    Bench,
    Outcome,
    Trial,
    at_most,
    exact,
    way,
)
from truestep.properties.kinds.optimizer.laws.images import coarse
from truestep.properties.kinds.optimizer.laws.rows import ZEROS, G, P, Row, fails
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import holds, obeys
from truestep.reference.optimizers import apollo


def channels_are_parallel_to_the_gradients(bench: Bench, trial: Trial) -> Claims:
    """From p = 0 every column of a wide matrix, or row of a tall one, moves along its gradient."""
    start = trial.plain().on(p=trial.p * 0, gradient=coarse(trial.g))
    out = bench.step(start)
    axis = 0 if trial.p.shape[0] < trial.p.shape[1] else 1
    g = start.g.astype(np.float64)
    at = np.expand_dims(np.argmax(np.abs(g), axis=axis), axis)

    def of(x: np.ndarray) -> np.ndarray:
        return np.take_along_axis(x, at, axis)

    left, right = exact(out.p) * exact(of(g)), exact(of(out.wide("p"))) * exact(g)
    slack = out.bound["p"] * np.abs(of(g)) + of(out.bound["p"]) * np.abs(g)
    yield Claim("p", left.v, right.v, left.e + right.e + slack)


def norm_of_step_grows_by_at_most_growth(bench: Bench, trial: Trial) -> Claims:
    """A gradient a hundred times as large makes a step at most growth times as long."""
    start = trial.plain().fresh(p=trial.p * 0)
    first, second = bench.run(start, [start.g, 100 * start.g[::-1]])
    length, slack = way(start, first)
    grown, more = way(start.on(p=first.p), second)
    growth = trial.hyper.get("growth", 1.01)
    yield at_most("p", grown, growth * length, more + (1 + growth) * slack)


def step_is_in_the_span_of_the_projectors(bench: Bench, trial: Trial) -> Claims:
    """The step's columns lie in the span of the left projector, its rows in that of the right."""
    start = trial.plain().fresh(p=trial.p * 0)
    out = bench.step(start)
    p, bound = out.wide("p"), out.bound["p"]
    for name, onto, off, on_left in _projectors(start, out):
        size = np.abs(p)
        inside = onto @ p if on_left else p @ onto
        slack = off @ size if on_left else size @ off
        slack = slack + (np.abs(onto) @ bound if on_left else bound @ np.abs(onto))
        yield Claim(f"p, {name}", inside, p, slack + bound)


def _projectors(
    start: Trial, out: Outcome
) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.float64], bool]]:
    """Matrices that project, bounds on their errors, and whether they stand on the left."""
    for name in ("left", "right"):
        if name in out.got and out.got[name].size:
            yield name, out.wide(name), out.bound[name], name == "left"
    if "projection" in out.got:
        wide = start.p.shape[0] < start.p.shape[1]
        x, inverse = out.wide("projection"), np.linalg.pinv(out.wide("projection"))
        onto = inverse @ x if wide else x @ inverse
        yield "projection", onto, np.zeros(onto.shape), wide


_P = ((1, 2, 0.5), (0.5, -1, 3))
_G = ((1, 2, -1), (5, 3, 0.5))
_TOGETHER = fails("rows are projected together", _P, _G, rank=1)
_DIVIDED = fails("the step is divided by a size of the gradients", _P, _G, rank=1)

_PROJECTED: Row = {
    **rows.ORDINARY,
    **rows.DECOUPLED,
    **dict.fromkeys(rows.MIXING, _TOGETHER),
    **obeys("channels_are_parallel_to_the_gradients"),
    "equivariant_under_rotation": rows.BY_ELEMENT,
    "first_step_is_at_most_lr": fails(
        "the gradient is scaled, not its elements", _P, ((9, 2, -1), (5, 3, 0.5)), rank=1
    ),
    "homogeneous_in_gradient_and_eps": holds(guard="none"),
    "linear_in_gradients": _DIVIDED,
    "linear_in_lr_when_params_are_zero": fails(
        "the decay shrinks the moved parameter", ((0,) * 3,) * 2, _G, rank=1, weight_decay=0.5
    ),
    "norm_of_step_grows_by_at_most_growth": holds(
        correction="first", guard="none", limiter="growth"
    ),
    "scale_invariant_when_eps_is_zero": holds(guard="none"),
}

RULES: dict[str, Row] = {
    "apollo": {
        **_PROJECTED,
        "bases_are_orthonormal": fails("projections are drawn at random", _P, _G, rank=1),
        # What a refresh draws does not follow the rows.
        "equivariant_under_permuted_axes": holds({"update_gap": apollo.NEVER}),
        "matrices_of_the_state_are_symmetric": fails(
            "projections are drawn at random", _P, _G, rank=2
        ),
        "step_is_in_the_span_of_the_projectors": fails(
            "the gradient itself is scaled, column by column", _P, _G, rank=1
        ),
        "step_is_parallel_to_the_gradient": holds(scaling="tensor"),
    },
    "galore": {
        **rows.ORDINARY,
        **rows.DECOUPLED,
        **obeys(
            "bases_are_orthonormal homogeneous_in_gradient_and_eps",
            "scale_invariant_when_eps_is_zero step_is_in_the_span_of_the_projectors",
        ),
        "equivariant_under_concatenation": _TOGETHER,
        "equivariant_under_permutation": _TOGETHER,
        "equivariant_under_reflection": fails(
            "rows are projected together",
            ((0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)),
            ((1, 2, -1, 3), (5, 3, 0.5, -2), (2, -4, 1, 1)),
            rank=1,
        ),
        "equivariant_under_rotation": fails("Adam's step is taken coordinate by coordinate", P, G),
        "first_step_is_at_most_lr": fails(
            "coordinates of one size add up", ZEROS, ((3, 1), (1, 2)), rank=2, scale=1.0
        ),
        "linear_in_gradients": _DIVIDED,
        "linear_in_lr_when_params_are_zero": holds(decay="before"),
    },
}
