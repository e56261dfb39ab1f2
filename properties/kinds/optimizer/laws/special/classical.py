"""Laws of gradient descent, its momentum and its averages, of filters and of root finding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from truestep.properties.kinds.optimizer.laws.bench import Bench, Trial, due, exact
from truestep.properties.kinds.optimizer.laws.images import cast, coarse
from truestep.properties.laws.claims import Claim, Claims
from truestep.reference.optimizers import FROM_FUNCTION
from truestep.reference.validation import Array


def first_step_is_plain_descent(bench: Bench, trial: Trial) -> Claims:
    """From the fresh state, without decay, p' = p - lr g."""
    start = trial.plain().flat().fresh()
    out = bench.step(start)
    yield due("p", out, exact(start.p) - trial.hyper["lr"] * exact(start.g))


def step_is_parallel_to_the_gradient(bench: Bench, trial: Trial) -> Claims:
    """Without decay and past, p moves along the gradient, or along the input of an example."""
    for start in (coarse(trial.p) * 0, coarse(trial.p)):
        at = trial.plain().flat().fresh(p=start, gradient=coarse(trial.g))
        out = bench.step(at)
        g = at.g.astype(np.float64)
        way = exact(out.p) - exact(start)
        most = np.unravel_index(np.argmax(np.abs(g)), g.shape)
        left, right = way * exact(g[most]), way[most] * exact(g)
        bound = out.bound["p"] * np.abs(g[most]) + np.abs(g) * out.bound["p"][most]
        yield Claim("p", left.v, right.v, left.e + right.e + bound)


def velocity_persists_when_gradients_vanish(bench: Bench, trial: Trial) -> Claims:
    """Without decay, a step with g = 0 repeats the step before it, times momentum."""
    start = trial.plain().fresh(trial.t, p=trial.p * 0)
    first, second = bench.run(start, [trial.g, trial.g * 0])
    mu = trial.hyper["momentum"]
    left = exact(second.p) - exact(first.p)
    right = mu * (exact(first.p) - exact(start.p))
    bound = second.bound["p"] + (1 + mu) * first.bound["p"]
    yield Claim("p", left.v, right.v, left.e + right.e + bound)


def average_is_the_mean_of_the_points(bench: Bench, trial: Trial) -> Claims:
    """What the rule keeps as its average is the mean of the points, from the first averaged on."""
    start = trial.fresh()
    path = bench.run(start, [start.g, -start.g, start.g / 2, start.g])
    averaged = "average" if "average" in path[-1].got else "p"
    points = path[1:] if "t0" in trial.hyper else path
    total = sum((exact(x.p) for x in points[1:]), exact(points[0].p))
    bound = path[-1].bound[averaged] + sum(x.bound["p"] for x in points) / len(points)
    mean = total / float(len(points))
    yield Claim(averaged, path[-1].wide(averaged), mean.v, mean.e + bound)


def _less(x: Array) -> Callable[[Array], Array]:
    return lambda p: p - x


def mean_of_the_observations_when_steps_are_one_over_t(bench: Bench, trial: Trial) -> Claims:
    """With lr = 1, steps lr / t and g = p - x_t, p is the mean of x_1..x_t, wherever it began."""
    start = trial.plain().fresh()
    seen = [start.g, -2 * start.g, start.g[::-1].copy(), start.g]
    path = bench.run(start, [_less(x) for x in seen])
    total = sum((exact(x) for x in seen[1:]), exact(seen[0]))
    yield due("p", path[-1], total / float(len(seen)))


def descends_quadratics_by_the_exact_gradient(bench: Bench, trial: Trial) -> Claims:
    """On f = a p^2 / 2 + b p the step is -lr / t^power (a p + b), whatever widths are used."""
    a, p, b = np.abs(coarse(trial.p)), coarse(trial.p), coarse(trial.g)
    function = bench.capability.rule in FROM_FUNCTION
    start = trial.plain().on(p=p, gradient=b if function else cast(a * p + b, p), curvature=a)
    out = bench.step(start)
    rate = trial.hyper["lr"] / (start.t + 1) ** trial.hyper.get("power", 0.0)
    gradient = a.astype(np.float64) * p.astype(np.float64) + b.astype(np.float64)
    yield due("p", out, exact(p) - rate * exact(gradient))


def moves_only_on_mistakes(bench: Bench, trial: Trial) -> Claims:
    """An example on whose right side p stands, by response times <p, x>, leaves p as it is."""
    p, x = coarse(trial.p), coarse(trial.g)
    score = np.sum(p.astype(np.float64) * x.astype(np.float64))
    if score == 0:
        return
    start = trial.on(p=p, gradient=x, response=cast(np.asarray(np.sign(score)), x))
    yield Claim("p", bench.step(start).state["p"], p)


def path_from_zero_scales_with_lr(bench: Bench, trial: Trial) -> Claims:
    """From p = 0 on, doubling lr doubles p bit for bit, since what counts as a mistake stays."""
    rate = float(np.float32(trial.hyper["lr"]))
    examples = [trial.g, -trial.g, trial.g[::-1].copy()]
    start = trial.fresh(p=trial.p * 0, response=np.sign(trial.slot.inputs["response"]))
    once = bench.run(start.where(lr=rate), examples)
    twice = bench.run(start.where(lr=2 * rate), examples)
    for a, b in zip(once, twice, strict=True):
        yield Claim("p", cast(2 * a.p, a.p), b.p)


def correction_shrinks_the_error_by_its_power(bench: Bench, trial: Trial) -> Claims:
    """The error on the example just seen is 1 - lr |x|^2 times what it was, or 1 - lr if divided.

    Twice the lr where the step descends the square itself.
    """
    p, x = coarse(trial.p), coarse(trial.g)
    d = coarse(trial.slot.inputs["response"].reshape(1))[0]
    start = trial.where(eps=0.0).on(p=p, gradient=x, response=np.asarray(d))
    power = float(np.sum(x.astype(np.float64) ** 2))
    if power == 0:
        return
    out = bench.step(start)
    rate = trial.hyper["lr"] * (2 if trial.hyper.get("loss") == "square" else 1)
    if trial.hyper.get("normalization") == "none":
        rate = rate * power
    error = exact(d) - np.sum(exact(out.p) * exact(x))
    before = exact(d) - np.sum(exact(p) * exact(x))
    right = (1 - rate) * before
    slack = np.sum(out.bound["p"] * np.abs(x.astype(np.float64)))
    yield Claim("p", error.v, right.v, error.e + right.e + slack)
