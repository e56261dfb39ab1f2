"""Laws of rules that see a matrix through a projection of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from truestep.properties.kinds.optimizer.laws.bench import (
    Bench,
    Outcome,
    Trial,
    at_most,
    exact,
    way,
)
from truestep.properties.kinds.optimizer.laws.images import coarse
from truestep.properties.laws.claims import Claim, Claims


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
