"""Rules that divide orthogonalized momentum by sizes of its own: their laws and entries."""

import numpy as np

from truestep.properties.kinds.optimizer.laws import rows
from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, due, exact, way
from truestep.properties.kinds.optimizer.laws.rows import ZEROS, G, P, Row, fails
from truestep.properties.laws.claims import Claim, Claims
from truestep.properties.laws.entries import holds, obeys


def buffer_is_at_right_angles_to_the_step(bench: Bench, trial: Trial) -> Claims:
    """Without decay and momentum, what is fed back has nothing of what was stepped: X^T b = 0."""
    start = trial.plain().where(momentum=0.0).on(p=trial.p * 0)
    out = bench.step(start)
    p, b = exact(out.p), exact(out.got["b"])
    product = p.T @ b
    sizes = np.abs(out.p.astype(np.float64)), np.abs(np.asarray(out.got["b"], dtype=np.float64))
    off_p, off_b = out.bound["p"], out.bound["b"]
    slack = off_p.T @ sizes[1] + sizes[0].T @ off_b + off_p.T @ off_b
    yield Claim("p", product.v, np.zeros_like(product.v), product.e + slack)


def first_step_is_of_one_size(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state, with eps = 0, every element moves by lr rms, up or down."""
    start = trial.plain().where(eps=0.0).fresh(p=trial.p * 0)
    out = bench.step(start)
    sign = np.sign(out.got["p"]).astype(np.float64)
    yield due("p", out, sign * exact(trial.hyper["lr"]) * trial.hyper["rms"])


def first_step_is_as_long_in_every_row(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state, with eps = 0, the root mean square of each row's step is lr rms."""
    start = trial.plain().where(eps=0.0).fresh(p=trial.p * 0)
    out = bench.step(start)
    p = exact(out.p)
    moved = np.sqrt(np.mean(p * p, axis=1))
    expected = exact(np.full(len(out.p), trial.hyper["lr"])) * trial.hyper["rms"]
    slack = np.sqrt(np.mean(out.bound["p"] ** 2, axis=1))
    yield Claim("p", moved.v, expected.v, moved.e + expected.e + slack)


def first_step_reaches_the_ball(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state at 0, with eps = 0, p moves by lr to the boundary of its ball.

    Every row, or column, has the ball's size, and of signs the largest element.
    """
    start = trial.plain().where(eps=0.0).fresh(p=trial.p * 0)
    out = bench.step(start)
    p, off = exact(out.p), out.bound["p"]
    n, own = np.asarray(float(len(p.v[0]))), bool(trial.hyper.get("normalized", True))
    reach = exact(trial.hyper["lr"]) * trial.hyper.get("radius", 1.0)
    if trial.hyper.get("norm") == "sign":
        size, slack = np.max(np.abs(p)), np.max(off)
        reach = reach / n if own else reach
    elif trial.hyper.get("norm") == "row":
        size, slack = np.sqrt(np.sum(p * p, axis=1)), np.sqrt(np.sum(off**2, axis=1))
        reach = reach / np.sqrt(exact(n)) if own else reach
    else:
        size, slack = np.sqrt(np.mean(p * p, axis=0)), np.sqrt(np.mean(off**2, axis=0))
        reach = reach if own else reach / n
    expected = np.broadcast_to(reach.v, size.v.shape)
    yield Claim("p", size.v, expected, size.e + reach.e + slack)


def step_has_rms_lr(bench: Bench, trial: Trial) -> Claims:
    """Without decay, with eps = 0, the root mean square of the step from p = 0 is lr rms."""
    start = trial.plain().where(eps=0.0).on(p=trial.p * 0)
    out = bench.step(start)
    length, slack = way(start, out)
    count = np.asarray(float(start.p.size))
    expected = exact(trial.hyper["lr"]) * trial.hyper["rms"] * np.sqrt(exact(count))
    yield Claim("p", length.v, expected.v, length.e + expected.e + slack)


def step_is_as_long_as_the_root_of_its_rank(bench: Bench, trial: Trial) -> Claims:
    """Without decay, with eps = 0, the step's Frobenius norm is lr sqrt(r m / n)."""
    start = trial.plain().where(eps=0.0).on(p=trial.p * 0)
    out = bench.step(start)
    length, slack = way(start, out)
    rows_, cols = start.p.shape
    rank = np.asarray(min(trial.hyper.get("rank", rows_), rows_, cols) * rows_ / cols)
    expected = exact(trial.hyper["lr"]) * np.sqrt(exact(rank))
    yield Claim("p", length.v, expected.v, length.e + expected.e + slack)


_DIVIDED = fails("the step is divided by a size of the gradients", P, G, {"t": 9})
_OF_STEPS = fails("eps is added to sizes of what is orthogonal", P, G, eps=1.0)
_AT_REST = holds(length_guard="added floor")
_FLAT = ((0, 0, 0), (0, 0, 0))
_UNEVEN = ((1, 1, 1), (1, -1, 1))

RULES: dict[str, Row] = {
    "adamuon": {
        **rows.BY_MATRIX,
        **rows.decoupled("before"),
        "decay_alone_is_geometric": holds(decay="before", length_guard="added"),
        "first_step_is_at_most_lr": fails(
            "eps weighs small elements less", _FLAT, _UNEVEN, eps=1.0, rms=1.0
        ),
        "equivariant_under_permutation": fails(
            "all elements of a matrix enter each of its step", _FLAT, _UNEVEN, {"t": 3, "v": 0.1}
        ),
        "first_step_is_of_one_size": holds(length="rms"),
        "homogeneous_in_gradient_and_eps": fails(
            "eps is added to sizes of what is orthogonal", _FLAT, _UNEVEN, eps=1.0
        ),
        "linear_in_gradients": _DIVIDED,
        "params_unchanged_when_gradients_are_zero": holds(length_guard="added"),
        "scale_invariant_when_eps_is_zero": holds({"ns_eps": 0.0}),
        "step_has_rms_lr": holds(length="rms"),
    },
    "dion": {
        **rows.BY_MATRIX,
        **rows.DECOUPLED,
        **obeys(
            "buffer_is_at_right_angles_to_the_step homogeneous_in_gradient_and_eps",
            "scale_invariant_when_eps_is_zero step_is_as_long_as_the_root_of_its_rank",
        ),
        # A rank that both parts can have.
        "equivariant_under_concatenation": fails(
            "all elements of a matrix enter each of its step", P, G, rank=1
        ),
        "first_step_is_at_most_lr": fails(
            "tall matrices are scaled", ((0,), (0,), (0,)), ((1,), (8,), (2,))
        ),
        "linear_in_gradients": _DIVIDED,
    },
    "normuon": {
        **rows.BY_MATRIX,
        **rows.decoupled("before"),
        "decay_alone_is_geometric": holds(decay="before", length_guard="added floor"),
        "equivariant_under_rotation_of_rows": holds(),
        "first_step_is_as_long_in_every_row": holds(length="rms"),
        "first_step_is_at_most_lr": fails(
            "a row has one size, not its elements", ZEROS, G, rms=1.0
        ),
        "homogeneous_in_gradient_and_eps": _OF_STEPS,
        "linear_in_gradients": _DIVIDED,
        "params_unchanged_when_gradients_are_zero": _AT_REST,
        "scale_invariant_when_eps_is_zero": holds({"ns_eps": 0.0}),
        "step_has_rms_lr": holds(length="rms"),
    },
    "scion": {
        **rows.BY_MATRIX,
        **rows.decoupled("before"),
        "equivariant_under_rotation_of_rows": holds(norm="spectral row"),
        "first_step_is_at_most_lr": fails("the ball may be larger", ZEROS, G, radius=50.0),
        "first_step_reaches_the_ball": holds(norm="sign row column"),
        "homogeneous_in_gradient_and_eps": holds({"ns_eps": 0.0}),
        "linear_in_gradients": _DIVIDED,
        "scale_invariant_when_eps_is_zero": holds({"ns_eps": 0.0}),
        "step_shares_its_singular_vectors_with_the_gradient": holds(norm="spectral"),
    },
}
